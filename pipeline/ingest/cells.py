"""Records to cells by canonical column, those of many files at once where they are read by the same header."""

from collections.abc import Iterable

import polars as pl

from pipeline.ingest.fields import TRIMMED, split_lines
from pipeline.ingest.layout import Header
from pipeline.ingest.records import RECORD_LIMIT
from pipeline.ingest.secrets import holds_product_key, mask_product_keys


class Forms:
    """The different headers of many files, each with a number of its own."""

    def __init__(self) -> None:
        self.headers: list[Header] = []
        self._numbers: dict[Header, int] = {}

    def number(self, headers: list[Header], header_no: pl.Series) -> pl.Series:
        """Numbers for records that name their header by its position in a file; null stays null."""
        for header in headers:
            if header not in self._numbers:
                self._numbers[header] = len(self.headers)
                self.headers.append(header)
        return pl.Series([self._numbers[header] for header in headers], dtype=pl.UInt32).gather(header_no)

    def with_column(self, name: str) -> list[int]:
        """Numbers of the headers that have a column."""
        return [number for number, header in enumerate(self.headers) if name in header.columns]


def read_cells(records: pl.DataFrame, forms: Forms, cells: tuple[str, ...]) -> pl.DataFrame:
    """Split records into cells.

    Args:
        records: one row a record: `raw_record`, `record_fault`, and `form`, the number of its header (null where its
            file has none); further columns are kept.
        forms: the headers.
        cells: canonical columns to read.

    Returns:
        One row for each, in order, with the trimmed `cells` (null where empty), `other_cells` (those of unknown
        columns, one a line), `value_trimmed`, `hash_trimmed` and `product_key_exposed`. Product keys are masked, and
        cells that held one are null.
    """
    sound = pl.col("record_fault").is_null() & pl.col("form").is_not_null()
    placed = records.with_row_index("at")
    parts = [placed.filter(~sound).with_columns(*_nulls((*cells, "other_cells")), *_unset())]
    for part in placed.filter(sound).partition_by("form", maintain_order=True):
        parts.append(_split(part, forms.headers[part["form"][0]], cells))  # noqa: PERF401 - reads better
    read = pl.concat([part.select(parts[0].columns) for part in parts])
    return _without_product_keys(read.sort("at").drop("at"), cells)


def _split(records: pl.DataFrame, header: Header, cells: tuple[str, ...]) -> pl.DataFrame:
    """Cells of records that are read by one header."""
    fields = split_lines(records["raw_record"], header.delimiter, len(header.columns))
    known = [name for name in header.columns if name]
    unknown = [at for at, name in enumerate(header.columns) if name is None]
    delivered = fields.to_frame("fields").select(
        *(pl.col("fields").list.get(header.columns.index(name)).alias(name) for name in known),
        other_cells=pl.col("fields").list.gather(unknown).list.join("\n") if unknown else pl.lit(None, pl.String),
    )
    trimmed = {name: pl.col(name).str.strip_chars(TRIMMED) for name in known}
    changed = {name: value.str.len_bytes() != pl.col(name).str.len_bytes() for name, value in trimmed.items()}
    never = pl.lit(value=False)
    values = delivered.select(
        *(value.replace("", None) for value in trimmed.values()),
        *_nulls(name for name in cells if name not in known),
        "other_cells",
        value_trimmed=pl.any_horizontal(never, *changed.values()).fill_null(value=False),
        hash_trimmed=changed.get("hardware_hash", never).fill_null(value=False),
        record_fault=pl.when(fields.is_null()).then(pl.lit("RECORD_FIELD_COUNT")),
    )
    return pl.concat([records.drop("record_fault"), values], how="horizontal")


def _nulls(names: Iterable[str]) -> list[pl.Expr]:
    return [pl.lit(None, pl.String).alias(name) for name in names]


def _unset() -> list[pl.Expr]:
    return [pl.lit(value=False).alias(name) for name in ("value_trimmed", "hash_trimmed")]


def _without_product_keys(rows: pl.DataFrame, cells: tuple[str, ...]) -> pl.DataFrame:
    """Mask product keys; then what was kept of a record too large beyond its limit can go."""
    raw = pl.col("raw_record")
    rows = rows.with_columns(product_key_exposed=holds_product_key(raw).fill_null(value=False))
    if rows["product_key_exposed"].any():
        texts = [pl.col(name) for name in (*cells, "other_cells")]
        without = (pl.when(~holds_product_key(text)).then(text).alias(text.meta.output_name()) for text in texts)
        rows = rows.with_columns(mask_product_keys(raw), *without)
    too_large = pl.col("record_fault") == "RECORD_TOO_LARGE"
    if rows.select(too_large.any()).item():
        rows = rows.with_columns(pl.when(too_large).then(raw.str.slice(0, RECORD_LIMIT)).otherwise(raw))
    return rows
