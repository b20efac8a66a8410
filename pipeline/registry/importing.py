"""Loads existing device records from CSV or Parquet into the registry."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.hardware_hash.components import components
from pipeline.hardware_hash.decode import decode
from pipeline.ingest.cells import read_cells
from pipeline.ingest.encoding import UNREADABLE, read_text
from pipeline.ingest.fields import TRIMMED, split_line
from pipeline.ingest.layout import Forms, Header
from pipeline.ingest.lines import whole_lines
from pipeline.ingest.records import Course, blocks_of, find_records
from pipeline.ingest.survey import survey
from pipeline.match.keys import with_keys
from pipeline.registry.identifiers import device_id
from pipeline.registry.table import Registry
from pipeline.registry.writer import fill
from schemas.identities import with_tuple_faults
from schemas.manifest import GUID, NO_TENANT
from schemas.registry import IMPORT_COLUMNS, REGISTERED, REGISTERED_VIA

_BATCH_ROWS = 4_096
_READ_TYPES = {"source_line": pl.UInt32(), "record_fault": pl.String(), **dict.fromkeys(IMPORT_COLUMNS, pl.String())}

# What is wrong with a record that is refused, the first that holds.
_REFUSALS = {
    "the line cannot be read by the header": "record_fault",
    "tenant_id is not a GUID": "bad_tenant",
    "registered_via is none of " + ", ".join(REGISTERED_VIA): "bad_way",
    "registered_at is not an RFC 3339 timestamp": "bad_moment",
    "no usable identity: neither a hardware hash that verifies, nor a product ID, nor serial, manufacturer and model": (
        "unidentified"
    ),
}


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did.

    Attributes:
        imported: records added.
        unchanged: records that were in the registry before, or twice in the file.
        refused: records without use, as line and reason.
    """

    imported: int
    unchanged: int
    refused: tuple[tuple[int, str], ...]


def import_records(registry: Registry, path: Path) -> ImportResult:
    """Add the records of a file to the registry, in one commit.

    A record's id is derived from its contents, so that importing a file again changes nothing; a record that was
    removed stays removed.

    Raises:
        UsageError: the file cannot be read or lacks a column.
        Fault: the registry could not be committed to.
    """
    # A set, since a join would hash all known ids again for every batch.
    known = set(registry.scan().select("device_id").collect(engine="streaming")["device_id"])
    imported, unchanged = 0, 0
    refused: list[tuple[int, str]] = []
    with registry.writer() as writer:
        for batch in _read(path):
            records = _judged(batch)
            refused += records.drop_nulls("refusal").select("source_line", "refusal").iter_rows()
            usable = records.filter(pl.col("refusal").is_null())
            distinct = usable.unique("device_id", keep="first", maintain_order=True)
            new = distinct.filter(pl.Series([name not in known for name in distinct["device_id"]], dtype=pl.Boolean))
            writer.write(fill(new))
            known.update(new["device_id"])
            imported, unchanged = imported + new.height, unchanged + usable.height - new.height
        if imported:
            registry.commit(writer)
    return ImportResult(imported, unchanged, tuple(refused))


def _read(path: Path) -> Iterator[pl.DataFrame]:
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


def _find_header(line: str) -> Header | None:
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
            rows = pl.DataFrame(pa.Table.from_batches([batch])).select(
                pl.int_range(line, line + batch.num_rows, dtype=pl.UInt32).alias("source_line"),
                pl.lit(None, pl.String).alias("record_fault"),
                *(_as_text(name, batch.schema.field(name).type) for name in IMPORT_COLUMNS),
            )
            line += batch.num_rows
            yield rows


def _as_text(name: str, dtype: pa.DataType) -> pl.Expr:
    column = pl.col(name)
    if pa.types.is_timestamp(dtype):
        return (column if dtype.tz else column.dt.replace_time_zone("UTC")).dt.to_string("iso:strict")
    if pa.types.is_binary(dtype) or pa.types.is_large_binary(dtype):
        return column.bin.encode("base64")
    return column.cast(pl.String).str.strip_chars(TRIMMED).replace("", None)


def _judged(rows: pl.DataFrame) -> pl.DataFrame:
    """Registry records, with `source_line` and the `refusal` of those that are none."""
    read = pl.concat([rows, decode(rows["hardware_hash"])], how="horizontal").with_columns(
        pl.col("tenant_id").str.to_lowercase(),
        pl.col("registered_at").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False).alias("moment"),
    )
    # The same moment and the same capture have one id, however a file writes them.
    written = {
        "registered_at": pl.coalesce(pl.col("moment").dt.epoch("us").cast(pl.String), "registered_at"),
        "hardware_hash": pl.coalesce("hardware_hash_id", "hardware_hash"),
    }
    parts = [written.get(name, pl.col(name)).fill_null("") for name in IMPORT_COLUMNS]
    read = read.with_columns(device_id=device_id(pl.lit("import"), *parts))
    compared = with_keys(components(with_tuple_faults(read)))
    own = read.select(
        "source_line",
        "record_fault",
        "device_id",
        "tenant_id",
        "partner_id",
        "registered_via",
        "group_tag",
        "hardware_hash_id",
        "captured_at",
        event=pl.lit(REGISTERED),
        registered_at="moment",
        hardware_hash="hash_blob",
        given_moment="registered_at",
    )
    return (
        pl.concat([own, compared], how="horizontal")
        .with_columns(identity=_identity())
        .with_columns(
            bad_tenant=~(pl.col("tenant_id").str.contains(GUID) & (pl.col("tenant_id") != NO_TENANT)).fill_null(
                value=False
            ),
            bad_way=~pl.col("registered_via").is_in(list(REGISTERED_VIA)).fill_null(value=False),
            bad_moment=pl.col("given_moment").is_not_null() & pl.col("registered_at").is_null(),
            unidentified=pl.col("identity").is_null(),
            record_fault=pl.col("record_fault").is_not_null(),
        )
        .with_columns(refusal=pl.coalesce(pl.when(flag).then(pl.lit(text)) for text, flag in _REFUSALS.items()))
    )


def _identity() -> pl.Expr:
    """By what a record is known: a verified hash that names any component, a product ID, or the whole tuple."""
    named = pl.any_horizontal(pl.col("tpm_ek_id", "smbios_uuid", "serial_number", "product_id").is_not_null())
    return (
        pl.when(pl.col("has_hash") & named)
        .then(pl.lit("hash"))
        .when(pl.col("product_id").is_not_null())
        .then(pl.lit("product_id"))
        .when(pl.all_horizontal(pl.col("serial_number", "manufacturer", "model").is_not_null()))
        .then(pl.lit("tuple"))
    )
