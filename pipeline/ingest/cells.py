"""Records to cells by canonical column, those of many files at once where they are read by the same header.

Records without a quotation mark and with the right number of delimiters are cut by position, all at once; only the
others are parsed one by one.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline import arrays
from pipeline.arrays import Ints, Mask
from pipeline.ingest.fields import BROKEN_VALUE, LINE_BREAKS, TOO_FEW, TRIMMED, UNPAIRED, misfit, split_lines
from pipeline.ingest.layout import Forms, Header
from pipeline.ingest.lines import RECORD_LIMIT
from pipeline.ingest.records import Records
from pipeline.ingest.secrets import holds_groups, holds_product_key, mask_product_keys, may_hold_groups

_HASH = "hardware_hash"
_BLANKS = TRIMMED + LINE_BREAKS
_EDGES_OF_BLANK = np.frombuffer(_BLANKS.encode(), np.uint8)
_QUOTE = b'"'


def read_cells(records: Records, forms: Forms, cells: tuple[str, ...]) -> pl.DataFrame:
    """Split records into cells.

    Args:
        records: of one or many files.
        forms: their headers.
        cells: canonical columns to read.

    Returns:
        One row for each, in order: the columns of `Records.frame`, `raw_record`, the trimmed `cells` (null where
        empty), `other_cells` (those of unknown columns, one a line), `column_ignored` (there is such a column, with a
        name or something in it), `corrects` (the row that it corrects, as it names it), `value_trimmed`,
        `hash_trimmed`, `field_count` (why a record has not the header's number of fields), `product_key_exposed`, and
        `raw_rest` and `hash_at`: the record without its hash, and how many characters of it come before the hash; null
        where the record had to be parsed. Product keys are masked, and cells that held one are null.
    """
    frame = records.frame
    form = frame["form"].fill_null(len(forms.headers)).to_numpy()
    sound = frame["record_fault"].is_null().to_numpy() & (form < len(forms.headers))
    parts = [] if sound.size and sound.all() else [_unread(records, np.flatnonzero(~sound), cells)]
    plain = _is_plain(records)
    found: dict[str, Ints] = {}
    ordered = np.flatnonzero(sound)[np.argsort(form[sound], kind="stable")]
    for at in np.split(ordered, np.flatnonzero(np.diff(form[ordered])) + 1) if ordered.size else ():
        header = forms.headers[form[at[0]]]
        if header.delimiter not in found:
            found[header.delimiter] = arrays.places(records.flat, ord(header.delimiter))
        parts += _split(records, at, plain[at], found[header.delimiter], header, cells)
    read = pl.concat(parts)
    if len(parts) > 1:
        read = read.sort("at")
    rows = pl.concat([frame.drop("record_fault"), read.drop("at")], how="horizontal")
    rows = rows.with_columns(pl.coalesce(frame["record_fault"], "record_fault").alias("record_fault"))
    named = [number for number in frame["form"].drop_nulls().unique() if forms.headers[number].exposes_key]
    return _without_product_keys(rows, cells, named)


def _unread(records: Records, at: Ints, cells: tuple[str, ...]) -> pl.DataFrame:
    """Rows of records that have no cells."""
    return _finished(pl.DataFrame({"at": at, "raw_record": records.raw(at)}), (), cells, ())


def _split(
    records: Records, at: Ints, plain: Mask, delimiters: Ints, header: Header, cells: tuple[str, ...]
) -> list[pl.DataFrame]:
    """Cells of records that are read by one header; `delimiters` are the places of its own in the text."""
    first = np.searchsorted(delimiters, records.start[at])
    number = np.where(plain, np.searchsorted(delimiters, records.stop[at]) - first, -1)
    parts = []
    for width in range(header.least, header.most + 1):
        fits = number == width - 1
        if fits.any():
            between = delimiters[first[fits][:, None] + np.arange(width - 1)]
            number[fits] = -2
            parts.append(_cut(records, at[fits], between, header, cells))
    rest = at[number != -2]  # noqa: PLR2004 - none was cut
    if rest.size:
        parts.append(_parse(records, rest, header, cells))
    return parts


def _is_plain(records: Records) -> Mask:
    """Which records have no quotation mark, so that every delimiter separates."""
    if _QUOTE not in records.text:
        return np.ones(len(records.start), bool)
    quotes = arrays.places(records.flat, ord(_QUOTE))
    return np.asarray(np.searchsorted(quotes, records.start) == np.searchsorted(quotes, records.stop), bool)


def _cut(
    records: Records, at: Ints, between: npt.NDArray[np.int64], header: Header, cells: tuple[str, ...]
) -> pl.DataFrame:
    """Cells of records whose delimiters stand where they should."""
    start, stop, flat = records.start[at], records.stop[at], records.flat
    begins = np.column_stack([start, between + 1])
    ends = np.column_stack([between, stop])

    def field(column: int) -> pl.Series:
        return arrays.slices(flat, begins[:, column], (ends - begins)[:, column], pl.String)

    columns = header.columns[: begins.shape[1]]  # cells of the last ones may be missing
    known = {name: field(column) for column, name in enumerate(columns) if name}
    rows = pl.DataFrame({"at": at, "raw_record": records.raw(at), **known})
    rest = {"raw_rest": pl.col("raw_record"), "hash_at": pl.lit(None, pl.UInt32)}
    untrimmed: tuple[str, ...] = ()
    if _HASH in known:
        column = columns.index(_HASH)
        before = arrays.slices(flat, start, begins[:, column] - start, pl.String)
        behind = arrays.slices(flat, ends[:, column], stop - ends[:, column], pl.String)
        rest = {"raw_rest": pl.lit(before + behind), "hash_at": pl.lit(before.str.len_chars())}
        edges = np.concatenate([flat[begins[:, column]], flat[ends[:, column] - 1]]) if len(at) else flat[:0]
        untrimmed = () if np.isin(edges, _EDGES_OF_BLANK).any() else (_HASH,)
    rows = rows.with_columns(**rest)
    is_split = header.others or header.corrects is not None
    fields = rows.select(fields=pl.col("raw_rest").str.split(header.delimiter))["fields"] if is_split else None
    return _finished(rows, tuple(known), cells, untrimmed).with_columns(_of_others(fields, header))


def _of_others(fields: pl.Series | None, header: Header) -> list[pl.Expr]:
    """What the columns hold that are not on the list, and what a row names that it corrects."""
    if fields is None:
        return []
    given = pl.lit(fields)
    corrects = [] if header.corrects is None else [_corrects(given.list.get(header.corrects, null_on_oob=True))]
    if not header.others:
        return corrects
    ignored = pl.lit(value=bool(header.ignored)) & given.is_not_null()
    if header.unnamed:
        cells = given.list.gather(header.unnamed, null_on_oob=True).list.join("", ignore_nulls=True)
        ignored |= cells.str.strip_chars(_BLANKS) != ""
    others = given.list.gather(header.others, null_on_oob=True)
    if header.spare:  # what a row does not have is empty, so that each cell stands at the place of its name
        others = others.list.eval(pl.element().fill_null(""))
    others = others.list.join("\n", ignore_nulls=True)
    return [*corrects, others.alias("other_cells"), ignored.fill_null(value=False).alias("column_ignored")]


def _corrects(cell: pl.Expr) -> pl.Expr:
    return _null_if_empty(cell.str.strip_chars(_BLANKS)).alias("corrects")


def _parse(records: Records, at: Ints, header: Header, cells: tuple[str, ...]) -> pl.DataFrame:
    """Cells of records that must be read with an eye on quotation marks and surplus fields."""
    raw = records.raw(at)
    width = len(header.columns)
    fields = split_lines(raw, header.delimiter, header.most, header.least)
    known = [name for name in header.columns if name]
    rows = pl.DataFrame({"at": at, "raw_record": raw, "fields": fields}).select(
        "at",
        "raw_record",
        *(pl.col("fields").list.get(header.columns.index(name)).alias(name) for name in known),
        record_fault=pl.when(pl.col("fields").is_null()).then(pl.lit("RECORD_FIELD_COUNT")),
    )
    bad = np.flatnonzero(fields.is_null().to_numpy())
    counts = pl.Series([None], dtype=pl.String).extend_constant(None, len(at) - 1) if len(at) else None
    finished = _finished(rows, tuple(known), cells, ())
    finished = finished.with_columns(_of_others(fields, header))
    if not bad.size or counts is None:
        return finished
    lines = records.frame["source_line"].gather(at[bad]).cast(pl.Int64).to_numpy()
    causes = _causes(raw.gather(bad).to_list(), lines, header.delimiter, width)
    return finished.with_columns(field_count=counts.scatter(bad, causes))


def _causes(texts: list[str], lines: npt.NDArray[np.int64], delimiter: str, width: int) -> list[str]:
    """Why records have not the header's number of fields, by themselves and by what their neighbours are."""
    causes = [misfit(text, delimiter, width) for text in texts]
    for at in range(len(texts) - 1):
        pair = causes[at], causes[at + 1]
        if lines[at + 1] - lines[at] != 1 or pair not in {(TOO_FEW, TOO_FEW), (UNPAIRED, UNPAIRED)}:
            continue
        together = texts[at].count(delimiter) + texts[at + 1].count(delimiter)
        if pair[0] == UNPAIRED or together == width - 1:
            causes[at] = causes[at + 1] = BROKEN_VALUE
    return causes


def _finished(
    rows: pl.DataFrame, known: tuple[str, ...], cells: tuple[str, ...], untrimmed: tuple[str, ...]
) -> pl.DataFrame:
    """Rows with all columns, their values trimmed but those that have no blanks at their edges."""
    trimmed = {name: pl.col(name).str.strip_chars(_BLANKS) for name in known if name not in untrimmed}
    changed = {
        name: (value.str.len_bytes() != pl.col(name).str.len_bytes()).fill_null(value=False)
        for name, value in trimmed.items()
    }
    never = pl.lit(value=False)
    given = {name: pl.col(name) for name in rows.columns}
    missing = pl.lit(None, pl.String)
    return rows.select(
        "at",
        "raw_record",
        raw_rest=given.get("raw_rest", missing),
        hash_at=given.get("hash_at", pl.lit(None, pl.UInt32)),
        **{name: _null_if_empty(trimmed.get(name, given.get(name, missing))) for name in cells},
        other_cells=missing,
        column_ignored=never,
        corrects=missing,
        field_count=missing,
        value_trimmed=pl.any_horizontal(never, *changed.values()),
        hash_trimmed=changed.get(_HASH, never),
        record_fault=given.get("record_fault", missing),
    )


def _null_if_empty(value: pl.Expr) -> pl.Expr:
    return pl.when(value.str.len_bytes() > 0).then(value)


def _without_product_keys(rows: pl.DataFrame, cells: tuple[str, ...], named: list[int]) -> pl.DataFrame:
    """Mask product keys; then what was kept of a record too large beyond its limit can go.

    Args:
        rows: with all their cells.
        cells: canonical columns.
        named: forms whose header names a column by a product key.
    """
    raw, rest, found = pl.col("raw_record"), pl.col("raw_rest"), _exposed(rows, cells)
    rows = rows.with_columns(product_key_exposed=found | pl.col("form").is_in(named).fill_null(value=False))
    if found.any():
        exposed = pl.lit(found)
        texts = {name: pl.col(name) for name in (*cells, "other_cells")}
        holds = {name: holds_groups(text) if name == _HASH else holds_product_key(text) for name, text in texts.items()}
        rows = rows.with_columns(
            pl.when(exposed).then(mask_product_keys(raw)).otherwise(raw),
            pl.when(~exposed).then(rest),
            pl.when(~exposed).then("hash_at"),
            pl.when(~exposed).then("corrects"),
            *(pl.when(~(exposed & holds[name])).then(text).alias(name) for name, text in texts.items()),
        )
    too_large = pl.col("record_fault") == "RECORD_TOO_LARGE"
    if rows.select(too_large.any()).item():
        rows = rows.with_columns(pl.when(too_large).then(raw.str.slice(0, RECORD_LIMIT)).otherwise(raw))
    return rows


def _exposed(rows: pl.DataFrame, cells: tuple[str, ...]) -> pl.Series:
    """Which rows hold a product key. A hardware hash is asked for keys in groups alone: a run is in many by chance."""
    others = [name for name in (*cells, "other_cells") if name != _HASH]
    split = pl.concat_str(others, separator="\n", ignore_nulls=True)
    has_cells = pl.col("record_fault").is_null() & pl.col("form").is_not_null()
    without_hash = pl.when(has_cells).then(pl.coalesce("raw_rest", split)).otherwise("raw_record")
    found, suspect = rows.select(
        found=holds_product_key(without_hash).fill_null(value=False),
        suspect=may_hold_groups(pl.col(_HASH)).fill_null(value=False),
    )
    if suspect.any():
        hashes = rows.select(pl.when(pl.lit(suspect)).then(pl.col(_HASH)).alias(_HASH))
        found |= hashes.select(holds_groups(pl.col(_HASH)).fill_null(value=False)).to_series()
    return found
