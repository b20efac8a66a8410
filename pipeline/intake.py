"""The front of the flow: manifests to judged rows, batch by batch, in bounded memory.

The wide part of a row goes to staging as soon as it is decoded. What is kept is what matching and deciding need.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.authorize import authorize, exclude
from pipeline.hardware_hash.components import components
from pipeline.hardware_hash.decode import GROUP_ROWS, decode
from pipeline.ingest import Forms, ManifestReader, read_rows
from pipeline.ingest.layout import Header
from pipeline.listener import Listener
from pipeline.reference import Reference
from pipeline.staging import Staging
from pipeline.validate import VALIDATE_ROWS, derive, validate, warn
from schemas.device import COMPONENT_TYPES, DECODED_DEVICE, DECODED_TYPES
from schemas.manifest import GUID, NO_TENANT
from schemas.outcome import FILE_TYPES

ROW_TYPES: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "file_no": pl.UInt32(),
    "source_line": pl.UInt32(),
    "header_no": pl.UInt32(),
    "tenant_id": pl.String(),
    "identity": pl.String(),
    "captured_at": pl.Datetime("us", "UTC"),
    **COMPONENT_TYPES,
}
"""What is kept of a row in memory. `row` is its position, in the order of file names and lines."""

_FILE_CODES = (
    "FILE_UNREADABLE",
    "FILE_HEADER_UNKNOWN",
    "HEADER_NOT_CANONICAL",
    "ENCODING_NOT_ANSI",
    "ROW_LIMIT_EXCEEDED",
)
_WIDE_ONLY = ("raw_record", "hash_blob")


@dataclass(frozen=True, slots=True)
class Intake:
    """All rows of a run, judged one by one.

    Attributes:
        rows: one row a record, with the columns of `ROW_TYPES`.
        findings: for each of them, in order, a Boolean column for each code that can be found without matching.
        files: one row a manifest, with the columns of `schemas.outcome.FILE_TYPES` but those of the decision.
        headers: the header lines of each manifest, in the order of `files`.
    """

    rows: pl.DataFrame
    findings: pl.DataFrame
    files: pl.DataFrame
    headers: list[list[Header]]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What rows are judged by: the operator's data, the moment, and the configured limits."""

    reference: Reference
    as_of: datetime
    group_tag_limit: int


def take_in(
    readers: list[ManifestReader], rulebook: Rulebook, staging: Staging, listener: Listener, settled: frozenset[int]
) -> Intake:
    """Read, decode and judge the rows of all manifests.

    Args:
        readers: of all manifests, in order.
        rulebook: what rows are judged by.
        staging: takes the wide part of each row.
        listener: hears of each file.
        settled: positions of manifests that an earlier run has settled; they are not read.
    """
    kept, found = [pl.DataFrame(schema=ROW_TYPES)], [_no_findings(rulebook)]
    forms = Forms()
    decoded = _decoded(_records(readers, forms, settled, listener), forms, staging)
    for rows in _in_groups(decoded, VALIDATE_ROWS):
        judged, findings = judge(rows, rulebook)
        kept.append(judged)
        found.append(findings)
    staging.close()
    files = _files(readers, settled)
    rows = pl.concat(kept)
    of_file = files.select(pl.col("findings").list.contains(code).alias(code) for code in _FILE_CODES)
    return Intake(
        rows=rows,
        findings=pl.concat([pl.concat(found), of_file[rows["file_no"]]], how="horizontal"),
        files=files,
        headers=[reader.headers for reader in readers],
    )


def judge(rows: pl.DataFrame, rulebook: Rulebook) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Judge decoded rows one by one.

    Returns:
        The rows with the columns of `ROW_TYPES`, and their findings, a Boolean column a code.
    """
    reference = rulebook.reference
    DECODED_DEVICE.validate(rows.select(list(DECODED_DEVICE.columns)))
    derived = derive(rows, reference, rulebook.group_tag_limit)
    claim = pl.col("tenant_key")
    tenant_id = pl.when(claim.str.contains(GUID) & (claim != NO_TENANT)).then(claim)
    known = derived.with_columns(tenant_id=tenant_id)
    findings = pl.concat(
        [
            validate(known),
            warn(known, pl.lit(rulebook.as_of, pl.Datetime("us", "UTC"))),
            authorize(known, reference, rulebook.as_of),
            exclude(known, reference),
        ],
        how="horizontal",
    )
    kept = known.select([name for name in ROW_TYPES if name not in COMPONENT_TYPES])
    return pl.concat([kept, components(known)], how="horizontal").select(list(ROW_TYPES)), findings


def _no_findings(rulebook: Rulebook) -> pl.DataFrame:
    nothing = pl.DataFrame(schema=_NARROW_TYPES)
    return judge(nothing, rulebook)[1]


def _decoded(records: Iterator[pl.DataFrame], forms: Forms, staging: Staging) -> Iterator[pl.DataFrame]:
    """Rows with their cells and what their hashes say; the wide part goes to staging."""
    row = 0
    for group in _in_groups(records, GROUP_ROWS):
        rows = read_rows(group, forms)
        wide = pl.concat([rows, decode(rows["hardware_hash"])], how="horizontal").with_columns(
            hash_repaired=pl.col("hash_repaired") | (pl.col("hash_trimmed") & pl.col("hash_verified")),
            row=pl.int_range(row, row + group.height, dtype=pl.UInt32),
            has_hash=pl.col("hardware_hash").is_not_null(),
        )
        row += group.height
        staging.write(wide)
        yield wide.select(pl.col(name).cast(dtype) for name, dtype in _NARROW_TYPES.items())


def _records(
    readers: list[ManifestReader], forms: Forms, settled: frozenset[int], listener: Listener
) -> Iterator[pl.DataFrame]:
    """Records of all files in order, with `file_no` and `partner_id`."""
    listener.files(len(readers))
    for file_no, reader in enumerate(readers):
        for records in () if file_no in settled else reader.records(forms):
            yield records.with_columns(
                file_no=pl.lit(file_no, pl.UInt32), partner_id=pl.lit(reader.manifest.partner_id, pl.String)
            )
        listener.file_read(reader.manifest.source_file, reader.rows_read)


def _in_groups(batches: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in groups of at least so many."""
    group: list[pl.DataFrame] = []
    height = 0
    for batch in batches:
        group.append(batch)
        height += batch.height
        if height >= rows:
            yield pl.concat(group)
            group, height = [], 0
    if group:
        yield pl.concat(group)


_NARROW_TYPES: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "file_no": pl.UInt32(),
    "source_line": pl.UInt32(),
    "header_no": pl.UInt32(),
    "partner_id": pl.String(),
    "record_fault": pl.String(),
    "tenant_claim": pl.String(),
    "tenant_unread": pl.Boolean(),
    "serial_number": pl.String(),
    "windows_product_id": pl.String(),
    "manufacturer": pl.String(),
    "model": pl.String(),
    "group_tag": pl.String(),
    "assigned_user": pl.String(),
    "tenant": pl.String(),
    "other_cells": pl.String(),
    "value_trimmed": pl.Boolean(),
    "product_key_exposed": pl.Boolean(),
    "has_hash": pl.Boolean(),
    **{name: dtype for name, dtype in DECODED_TYPES.items() if name not in _WIDE_ONLY},
}


def _files(readers: list[ManifestReader], settled: frozenset[int]) -> pl.DataFrame:
    described = [_describe(reader, skipped=file_no in settled) for file_no, reader in enumerate(readers)]
    types = {name: dtype for name, dtype in FILE_TYPES.items() if name not in ("rows_registered", "rows_rejected")}
    return pl.DataFrame(described, types, orient="row")


def _describe(reader: ManifestReader, *, skipped: bool) -> tuple[object, ...]:
    manifest = reader.manifest
    return (
        manifest.source_file,
        manifest.partner_id,
        manifest.tenant_folder,
        reader.size,
        reader.sha256,
        reader.headers[0].layout if reader.headers else None,
        None if skipped else reader.survey.encoding,
        reader.delimiter,
        reader.rows_read,
        "already_processed" if skipped else reader.disposition,
        [] if skipped else reader.findings(),
    )
