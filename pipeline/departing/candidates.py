"""Rows that ask for a departure to the registrations that they may mean, each with what speaks for it.

Only what is exactly what the row says is a match. What comes near, and what is another tenant's, is found too: it is a
hint for the operator, and never more.
"""

from typing import Protocol

import polars as pl

from pipeline.match.candidates import pairs_against
from pipeline.match.compare import UNEQUAL, compare, relations
from pipeline.match.damaged import damaged_forms
from pipeline.match.existing import ExistingRecords
from pipeline.match.keys import fingerprint, with_blocking_keys
from schemas.device import COMPONENT_TYPES
from schemas.matches import Verdict

MOST_GUESSED = 1_000_000
"""Most pairs of a serial number and a manufacturer that are looked for where a row names the number alone; hints that
would take more are not sought."""

_PAIR_TYPES = {"at": pl.UInt32, "record": pl.UInt32, "is_near": pl.Boolean, "likeness": pl.String}


class Registrations(ExistingRecords, Protocol):
    """What departures ask of the registry beside what matching does."""

    @property
    def version(self) -> int:
        """The version that this is."""
        ...

    def named(self, column: str, values: pl.Series) -> pl.DataFrame:
        """Records whose value in a column is one of these, in any case: `record` and `value`, in lower case."""
        ...

    def manufacturers(self) -> pl.Series:
        """All manufacturers, as records name them."""
        ...

    def began(self, device_ids: pl.Series) -> pl.DataFrame:
        """Since which version registrations are live: `device_id` and `began`."""
        ...

    def live_by_tenant(self, tenant_ids: pl.Series) -> pl.DataFrame:
        """How many live registrations tenants have: `tenant_id` and `live`."""
        ...


def candidates(
    asked: pl.DataFrame, existing: Registrations, spellings: pl.DataFrame, *, hints: bool = True
) -> pl.DataFrame:
    """Find the registrations that rows may mean.

    Args:
        asked: one row a row: `row`, `identity`, the columns of `ASKED_TYPES` and of `COMPONENT_TYPES`.
        existing: the registry.
        spellings: `Reference.manufacturers`.
        hints: look for likenesses too.

    Returns:
        One row a row and live registration: `at` (the position of the row), `device_id`, `tenant_id`,
        `registered_via`, what the registration is (`COMPONENT_TYPES`, and `maker`, its manufacturer as its devices
        report it), what the row names, the `verdict` between its hash and the registration and how both stand in
        `serial` and `product` ID, null where it has none; `is_exact`, and `told`, what speaks for it in words.
    """
    named = asked.with_row_index("at")
    pairs = _by_identity(named, existing)
    if hints:  # of rows of which nothing else was found
        pairs = pl.concat([pairs, _by_likeness(named.join(pairs, on="at", how="anti"), existing)])
    pairs = pairs.unique(["at", "record"])
    records = existing.records(pairs["record"].unique())
    found = records.with_columns(_exact(spellings)).join(pairs, on="record", how="inner", validate="1:m")
    placed = found.sort("at", "device_id")
    judged = _judged(placed, asked)
    return judged.with_columns(is_exact=_is_exact(), told=_told()).drop("is_near", "likeness", "record")


def _by_identity(named: pl.DataFrame, existing: Registrations) -> pl.DataFrame:
    """Pairs of rows and records of which the row's identity, or a part of it, is equal."""
    by_id = named.filter(pl.col("identity") == "device_id").select("at", value="named_id")
    by_serial = named.filter(pl.col("identity") == "serial_number").select(
        "at", value=pl.col("named_serial").str.to_lowercase()
    )
    by_product = named.filter(pl.col("identity") == "product_id").select(
        "at", key=fingerprint("product_id", pl.col("named_product_id"))
    )
    hashed = named.filter(pl.col("identity") == "hash")
    keyed = with_blocking_keys(hashed.select(list(COMPONENT_TYPES)))
    pairs, _ = pairs_against(keyed, existing.holders)
    holders = existing.holders("product_id_key", by_product["key"])
    found = [
        by_id.join(existing.named("device_id", by_id["value"]), on="value", how="inner"),
        by_serial.join(existing.named("serial_number", by_serial["value"]), on="value", how="inner"),
        by_product.join(holders, on="key", how="inner"),
        pairs.select(at=hashed["at"].gather(pairs["left"]), record="right"),
    ]
    return pl.concat(_pairs(frame, is_near=False) for frame in found)


def _by_likeness(named: pl.DataFrame, existing: Registrations) -> pl.DataFrame:
    """Pairs of rows and records whose serial numbers the row's may be a damaged form of."""
    by_serial = named.filter(pl.col("identity") == "serial_number").select(
        left="at", manufacturer="named_maker", serial_number="named_serial"
    )
    known = by_serial.drop_nulls("manufacturer")
    nameless = by_serial.filter(pl.col("manufacturer").is_null())
    if nameless.height:
        makers = existing.manufacturers()
        if nameless.height * len(makers) <= MOST_GUESSED:
            known = pl.concat(
                [known, nameless.drop("manufacturer").join(makers.to_frame(), how="cross")], how="diagonal"
            )
    nothing = pl.DataFrame(schema=_PAIR_TYPES)
    if known.is_empty():
        return nothing
    forms = damaged_forms(known.select("left", "manufacturer", "serial_number"), existing)
    return _pairs(forms.select(at="left", record="right"), is_near=True)


def _pairs(found: pl.DataFrame, *, is_near: bool) -> pl.DataFrame:
    likeness = pl.lit("serial number like the registered one" if is_near else None, pl.String)
    told = found.with_columns(is_near=pl.lit(is_near), likeness=likeness)
    return told.select(pl.col(name).cast(dtype) for name, dtype in _PAIR_TYPES.items())


def _exact(spellings: pl.DataFrame) -> pl.Expr:
    """The manufacturer as its devices report it, whatever alias a record has."""
    name = pl.col("manufacturer")
    exact = name.str.to_lowercase().replace_strict(
        spellings["spelling"], spellings["manufacturer"], default=name, return_dtype=pl.String
    )
    return exact.alias("maker")


def _judged(found: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Add what the row says, and how its hash stands to the registration."""
    cells = asked[found["at"]].select("identity", "has_hash", pl.col("^named_.*$"))
    own = cells.rename({"has_hash": "names_hash"})
    together = pl.concat([found, own], how="horizontal").with_row_index("pair")
    hashed = together.filter("names_hash")
    compared = compare(hashed.select("pair", left="at", right=pl.int_range(pl.len())), asked, hashed)
    related = relations(asked[hashed["at"]], hashed).select(serial="serial", product="product_id")
    judged = pl.concat([compared.select("pair", "verdict", "evidence"), related], how="horizontal")
    return together.join(judged, on="pair", how="left", maintain_order="left", validate="1:1").drop("pair")


def _is_exact() -> pl.Expr:
    is_named = {
        "device_id": pl.col("named_id") == pl.col("device_id"),
        "hash": pl.col("verdict") == Verdict.SAME,
        "product_id": pl.col("named_product_id") == pl.col("product_id"),
        "serial_number": (pl.col("named_serial") == pl.col("serial_number"))
        & _agrees("named_maker", "maker")
        & _agrees("named_model", "model"),
    }
    fits = [(pl.col("identity") == identity) & equal for identity, equal in is_named.items()]
    return pl.any_horizontal(fit.fill_null(value=False) for fit in fits) & ~pl.col("is_near")


def _agrees(own: str, registered: str) -> pl.Expr:
    """Whether a cell is empty, or what the registration says."""
    return pl.col(own).is_null() | (pl.col(own) == pl.col(registered)).fill_null(value=False)


def disagreements() -> dict[str, pl.Expr]:
    """In what a row says another thing than a registration, where that says anything: of each pair of `candidates`."""
    other_serial = pl.col("named_serial") != pl.col("serial_number")
    other_maker = pl.col("named_serial").is_not_null() & (pl.col("named_maker") != pl.col("maker"))
    known_serial = pl.col("serial_number").is_not_null()
    differs = {
        "serial_differs": known_serial & (other_serial.fill_null(value=False) | other_maker.fill_null(value=False)),
        "product_id_differs": pl.col("named_product_id") != pl.col("product_id"),
        # Of a registration without a hash a row's can only be told apart by what that holds.
        "hash_differs": pl.when("has_hash")
        .then(pl.col("verdict") != Verdict.SAME)
        .otherwise((pl.col("serial") == UNEQUAL) | (pl.col("product") == UNEQUAL)),
    }
    return {name: value.fill_null(value=False) for name, value in differs.items()}


def _told() -> pl.Expr:
    serial = pl.lit("the same serial number, but for case, manufacturer or model")
    by_serial = pl.when(pl.col("identity") == "serial_number").then(serial)
    by_hash = pl.format("{}: {}", "verdict", "evidence")
    return pl.coalesce(by_hash, "likeness", pl.when(_is_exact()).then(pl.lit("as named")), by_serial, pl.lit("near"))
