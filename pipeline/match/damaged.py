"""Serial numbers typed wrongly: finds the registered one that the typed form is damage of.

Serials of one production run differ in a character, so distance alone says nothing. A look-alike character counts as
damage only where that manufacturer's serials in the registry never have it, a swap only where none has the typed shape.
"""

import polars as pl
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from pipeline.match.existing import ExistingRecords
from pipeline.match.keys import FOLDED, SEPARATORS, folded_serial_key, serial_key

_ALL_CORES = -1
_LOOK_ALIKES = frozenset(FOLDED) | frozenset(FOLDED.values())
_PAIR = ("left", "right", "manufacturer", "serial_number", "registered")
_EXPLAINED = (*_PAIR, "edits")

LONGEST_SERIAL = 64
"""Most characters of a serial number; a longer one is damage of none, and looking for it would cost their square."""


def damaged_forms(typed: pl.DataFrame, existing: ExistingRecords) -> pl.DataFrame:
    """Find registered records whose serials the typed ones are damaged forms of.

    Args:
        typed: one row a device known by serial number alone: `left`, `manufacturer`, `serial_number`.
        existing: the registry.

    Returns:
        One row a pair: `left`, `right` (position in the registry) and `distance`, how many edits the two serials are
        apart but for case, where a swap of neighbours is one; no more than the kinds of damage found explain.
    """
    short = typed.filter(pl.col("serial_number").str.len_chars() <= LONGEST_SERIAL)
    folded, transposed = _folded(short, existing), _transposed(short, existing)
    makers = pl.concat([folded["manufacturer"], transposed["manufacturer"]]).unique()
    forms = existing.serial_forms(makers)
    pairs = pl.concat([_explained(folded, forms), _unfit(transposed, forms)])
    pairs = pairs.sort("left", "right", "edits").unique(["left", "right"], keep="last", maintain_order=True)
    upper = pairs.select(pl.col("serial_number", "registered").str.to_uppercase())
    distances = cpdist(
        upper["serial_number"].to_list(), upper["registered"].to_list(), scorer=OSA.distance, workers=_ALL_CORES
    )
    # What the edits do not explain is another serial number, however alike.
    damage = pairs.with_columns(pl.Series("distance", distances, dtype=pl.Int32)).filter(
        pl.col("distance") <= pl.col("edits")
    )
    return damage.select("left", "right", "distance")


def serial_forms(serials: pl.LazyFrame) -> pl.LazyFrame:
    """Sum up what serial numbers look like.

    Args:
        serials: one row a record: `manufacturer` and `serial_number`, none null.

    Returns:
        One row a manufacturer, with the columns of `schemas.device.SERIAL_FORM_TYPES`.
    """
    upper = pl.col("serial_number").str.to_uppercase()
    occurring = pl.concat_list(
        pl.when(upper.str.contains(char, literal=True).any()).then(pl.lit(char)) for char in sorted(_LOOK_ALIKES)
    )
    return serials.group_by("manufacturer").agg(
        shown=occurring.list.drop_nulls(), shapes=_shape(pl.col("serial_number")).unique()
    )


def _shape(serial: pl.Expr) -> pl.Expr:
    """Letters as A, digits as 9, all else as it is."""
    return serial.str.replace_all(r"[A-Za-z]", "A").str.replace_all(r"[0-9]", "9")


def _folded(typed: pl.DataFrame, existing: ExistingRecords) -> pl.DataFrame:
    """Case, separators, lost zeros and look-alikes: equal once folded."""
    keyed = typed.with_columns(key=folded_serial_key(pl.col("manufacturer"), pl.col("serial_number")))
    return _registered(keyed, "folded_serial_key", existing).select(_PAIR)


def _explained(pairs: pl.DataFrame, forms: pl.DataFrame) -> pl.DataFrame:
    """Pairs of which each difference is damage: the typed character is none that this maker's serials have."""
    plain = pairs.join(forms, on="manufacturer", how="inner", validate="m:1").with_columns(
        mine=_plain(pl.col("serial_number")),
        theirs=_plain(pl.col("registered")),
    )
    lengths = pl.col("theirs").str.len_chars().cast(pl.Int32) - pl.col("mine").str.len_chars().cast(pl.Int32)
    plain = plain.with_columns(lost=lengths)
    only_zeros_lost = (pl.col("lost") >= 0) & (
        pl.col("theirs").str.head(pl.col("lost").clip(0)).str.replace_all("0", "", literal=True) == ""
    )
    aligned = plain.filter(only_zeros_lost).with_columns(theirs=pl.col("theirs").str.slice(pl.col("lost")))
    characters = aligned.select(
        "left", "right", "shown", mine=pl.col("mine").str.split(""), theirs=pl.col("theirs").str.split("")
    ).explode("mine", "theirs")
    replaced = characters.filter(pl.col("mine") != pl.col("theirs"))
    look_alikes = replaced.group_by("left", "right").agg(
        look_alikes=pl.len().cast(pl.Int32), damage=~pl.col("mine").is_in(pl.col("shown")).any()
    )
    explained = aligned.join(look_alikes, on=["left", "right"], how="left", validate="m:1").filter(
        pl.col("damage").fill_null(value=True) & (pl.col("serial_number") != pl.col("registered"))
    )
    added = (_separators(pl.col("serial_number")) - _separators(pl.col("registered"))).clip(0)
    return explained.with_columns(edits=pl.col("lost") + added + pl.col("look_alikes").fill_null(0)).select(_EXPLAINED)


def _separators(serial: pl.Expr) -> pl.Expr:
    return serial.str.count_matches(SEPARATORS).cast(pl.Int32)


def _plain(serial: pl.Expr) -> pl.Expr:
    return serial.str.to_uppercase().str.replace_all(SEPARATORS, "")


def _transposed(typed: pl.DataFrame, existing: ExistingRecords) -> pl.DataFrame:
    """A letter and a digit swapped."""
    serial = pl.col("serial_number")
    swaps = typed.with_columns(at=pl.int_ranges(0, serial.str.len_chars() - 1)).explode("at").drop_nulls("at")
    first, second = serial.str.slice(pl.col("at"), 1), serial.str.slice(pl.col("at") + 1, 1)
    mixed = pl.concat_str(_shape(first), _shape(second)).is_in(["A9", "9A"])
    meant = swaps.filter(mixed).with_columns(
        meant=pl.concat_str(serial.str.slice(0, pl.col("at")), second, first, serial.str.slice(pl.col("at") + 2))
    )
    keyed = meant.with_columns(key=serial_key(pl.col("manufacturer"), pl.col("meant")))
    return _registered(keyed, "serial_key", existing).filter(pl.col("meant") == pl.col("registered")).select(_PAIR)


def _unfit(pairs: pl.DataFrame, forms: pl.DataFrame) -> pl.DataFrame:
    """Pairs of which no serial of that maker has the typed shape."""
    known = pairs.join(forms, on="manufacturer", how="inner", validate="m:1")
    unfit = known.filter(~_shape(pl.col("serial_number")).is_in(pl.col("shapes")))
    return unfit.select(*_PAIR, edits=pl.lit(1, pl.Int32))


def _registered(keyed: pl.DataFrame, name: str, existing: ExistingRecords) -> pl.DataFrame:
    """Join the records of one manufacturer that hold a key; adds `right` and the `registered` serial."""
    wanted = keyed["key"].drop_nulls().unique()
    found = existing.holders(name, wanted)
    records = (
        existing.records(found["record"].unique())
        .filter(pl.col("serial_number").str.len_chars() <= LONGEST_SERIAL)
        .select("record", registered="serial_number", registered_manufacturer="manufacturer")
    )
    holders = found.join(records, on="record", how="inner", validate="m:1").rename({"record": "right"})
    return keyed.join(holders, on="key", how="inner").filter(
        pl.col("manufacturer") == pl.col("registered_manufacturer")
    )
