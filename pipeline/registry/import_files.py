"""Reads files of existing records, batch by batch."""

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.ingest.cells import read_cells
from pipeline.ingest.encoding import UNREADABLE, read_text
from pipeline.ingest.fields import TRIMMED, split_line
from pipeline.ingest.layout import Forms, Header
from pipeline.ingest.lines import whole_lines
from pipeline.ingest.records import Course, blocks_of, find_records
from pipeline.ingest.secrets import holds_groups, holds_product_key, may_hold_groups
from pipeline.ingest.survey import survey
from pipeline.ingest.workbook import is_workbook
from schemas.registry import IMPORT_COLUMNS

_BATCH_ROWS = 4_096
_READ_TYPES = {
    "source_line": pl.UInt32(),
    "record_fault": pl.String(),
    "product_key_exposed": pl.Boolean(),
    **dict.fromkeys(IMPORT_COLUMNS, pl.String()),
}


def read_records(path: Path) -> Iterator[pl.DataFrame]:
    """The records of a CSV or Parquet file.

    Returns:
        Some at a time, one row a record in order: `source_line`, `record_fault` (null where it could be read),
        `product_key_exposed` (a cell held one, and is null), and the cells of `IMPORT_COLUMNS` as text, trimmed,
        null where empty.

    Raises:
        UsageError: the file cannot be read or lacks a column.
    """
    if is_workbook(path):
        message = f"{path}: is a workbook; save the sheet of existing records as CSV, UTF-8, and import that"
        raise UsageError(message)
    try:
        yield from _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except UNREADABLE as error:
        message = f"{path}: cannot be read ({error}); name a CSV or Parquet file of existing records"
        raise UsageError(message) from error


def _read_csv(path: Path) -> Iterator[pl.DataFrame]:
    surveyed = survey(path, sys.maxsize)
    if not surveyed.readable:
        message = f"{path}: cannot be read; check its name, its permissions, and whether it is whole"
        raise UsageError(message)
    course, forms = Course(), Forms(_find_header, ("registered_via",))
    text = course.sections(whole_lines(read_text(path, surveyed.encoding, surveyed.newline)), forms)
    for sections in blocks_of((0, course, lines) for lines in text):
        if not course.headers:
            message = f"{path}:1: found no header; expected {','.join(IMPORT_COLUMNS)}"
            raise UsageError(message)
        rows = read_cells(find_records(sections, forms), forms, IMPORT_COLUMNS)
        yield rows.select(pl.col(name).cast(dtype) for name, dtype in _READ_TYPES.items())


def _find_header(line: str, _kind: str) -> Header | None:
    for delimiter in (",", ";", "\t"):
        cells = tuple(split_line(line.removeprefix("\ufeff"), delimiter) or ())
        names = [cell.strip(TRIMMED).lower() for cell in cells]
        if set(IMPORT_COLUMNS) <= set(names) and len(set(names)) == len(names):
            columns = tuple(name if name in IMPORT_COLUMNS else None for name in names)
            return Header(cells, columns, delimiter, exact=True)
    return None


def _read_parquet(path: Path) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as file:
        missing = [name for name in IMPORT_COLUMNS if name not in file.schema_arrow.names]
        if missing:
            message = f"{path}: column {missing[0]}: not found; expected {', '.join(IMPORT_COLUMNS)}"
            raise UsageError(message)
        line = 1
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(IMPORT_COLUMNS)):
            texts = pl.DataFrame(pa.Table.from_batches([batch])).select(
                _as_text(name, batch.schema.field(name).type) for name in IMPORT_COLUMNS
            )
            exposed = {name: _holds_key(name) for name in IMPORT_COLUMNS}
            yield texts.select(
                pl.int_range(line, line + batch.num_rows, dtype=pl.UInt32).alias("source_line"),
                pl.lit(None, pl.String).alias("record_fault"),
                pl.any_horizontal(exposed.values()).fill_null(value=False).alias("product_key_exposed"),
                *(pl.when(~held).then(name).alias(name) for name, held in exposed.items()),
            )
            line += batch.num_rows


def _holds_key(name: str) -> pl.Expr:
    """Whether a cell holds a product key; in a hash one without anything between its groups stands by chance."""
    if name != "hardware_hash":
        return holds_product_key(pl.col(name))
    return holds_groups(pl.when(may_hold_groups(pl.col(name))).then(name)).fill_null(value=False)


def _as_text(name: str, dtype: pa.DataType) -> pl.Expr:
    column = pl.col(name)
    if pa.types.is_timestamp(dtype):
        return (column if dtype.tz else column.dt.replace_time_zone("UTC")).dt.to_string("iso:strict")
    if pa.types.is_binary(dtype) or pa.types.is_large_binary(dtype):
        return column.bin.encode("base64")
    return column.cast(pl.String).str.strip_chars(TRIMMED).replace("", None)
