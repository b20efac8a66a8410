"""Decisions and staged rows to the two sets, and to the registry's new records."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pyarrow.parquet as pq

from pipeline.decide import listed
from pipeline.hardware_hash.components import components
from pipeline.intake import Intake
from pipeline.match.keys import with_keys
from pipeline.registry import RegistryWriter
from pipeline.registry.identifiers import device_id
from pipeline.registry.writer import fill
from pipeline.report import Reporter
from pipeline.staging import Staging, whole_record
from schemas.identities import with_tuple_faults
from schemas.outcome import FILE_TYPES, INPUT_FILE, REGISTERED_DEVICE, REGISTERED_TYPES, REJECTED_ROW, REJECTED_TYPES
from schemas.reasons import OUTCOMES, REASON_CODES, WARNING_CODES
from schemas.registry import REGISTERED

_PROFILE = "default"
"""A device without an assigned profile gets this one."""


class PublishedSet:
    """One of the two sets, written batch by batch into a folder; an empty set is a file without rows.

    Every batch is checked against the set's model before it is written.
    """

    def __init__(self, folder: Path, types: dict[str, pl.DataType], model: pa.DataFrameSchema) -> None:
        folder.mkdir()
        self._types, self._model = types, model
        self._schema = pl.DataFrame(schema=types).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        self._writer = pq.ParquetWriter(folder / "part-00000.parquet", self._schema, compression="zstd")

    def write(self, rows: pl.DataFrame) -> None:
        """Add rows of the set's columns."""
        checked = self._model.validate(rows.select(list(self._types)))
        self._writer.write_table(checked.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._schema))

    def close(self) -> None:
        """No more rows."""
        self._writer.close()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every row of a run carries: the run's id, the moment that counts, and each partner's `channel`."""

    run_id: str
    as_of: datetime
    channels: pl.DataFrame


def publish_sets(
    reporter: Reporter, stamp: Stamp, intake: Intake, decisions: pl.DataFrame, staging: Staging, records: RegistryWriter
) -> None:
    """Write both sets, and the registry's new records, which count for nothing until they are committed.

    Args:
        reporter: sees all rows, and knows the folder that both sets go to.
        stamp: what every row carries.
        intake: all rows of the run and its files.
        decisions: what was decided, by position.
        staging: the wide part of the rows.
        records: takes the records of the registered devices.
    """
    folder = reporter.folder
    registered = PublishedSet(folder / "registered", REGISTERED_TYPES, REGISTERED_DEVICE)
    rejected = PublishedSet(folder / "rejected", REJECTED_TYPES, REJECTED_ROW)
    for wide in staging.batches():
        rows = assemble(wide, intake, decisions, stamp)
        reporter.repaired(rows)
        kept = rows.filter(pl.col("reason").is_null())
        refused = rows.filter(pl.col("reason").is_not_null()).with_columns(raw_record=whole_record())
        registered.write(kept)
        rejected.write(refused)
        reporter.write(kept, refused)
        records.write(registry_records(kept, stamp.channels))
    registered.close()
    rejected.close()


def assemble(wide: pl.DataFrame, intake: Intake, decisions: pl.DataFrame, stamp: Stamp) -> pl.DataFrame:
    """Put a batch of rows together for both sets.

    Args:
        wide: staged rows, in order.
        intake: all rows of the run and its files.
        decisions: what was decided, by position.
        stamp: what every row carries.

    Returns:
        One row for each, with the columns of both sets, and `reason` null where it is registered.
    """
    rows, files = intake.rows, intake.files
    here = slice(wide["row"][0], wide["row"][-1] + 1)
    decided = decisions[here].drop("row")
    matched = decided.select("matched_row").with_columns(
        rows[["file_no", "source_line"]][decided["matched_row"].fill_null(0)]
    )
    has_match = pl.col("matched_row").is_not_null()
    batch = pl.concat(
        [
            wide.drop("partner_id"),
            rows[here].select("tenant_id", "identity"),
            files[wide["file_no"]].select("source_file", "partner_id", "sha256"),
            decided,
            files[matched["file_no"]].select(matched_file="source_file"),
            matched.select(matched_line="source_line"),
        ],
        how="horizontal",
    )
    return batch.with_columns(
        run_id=pl.lit(stamp.run_id),
        warnings=listed(WARNING_CODES),
        reasons=listed(REASON_CODES),
        outcome=pl.col("reason").replace_strict(OUTCOMES, return_dtype=pl.String),
        matched_source_file=pl.when(has_match).then("matched_file"),
        matched_source_line=pl.when(has_match).then("matched_line"),
        device_id=device_id(pl.lit(stamp.run_id), pl.col("partner_id"), pl.col("sha256"), pl.col("source_line")),
        profile=pl.lit(_PROFILE),
        registered_at=pl.lit(stamp.as_of, pl.Datetime("us", "UTC")),
        hardware_hash="hash_blob",
    )


def registry_records(registered: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    """What the registry keeps of the devices of a batch.

    Args:
        registered: rows of `assemble` without a reason.
        channels: `partner_id` and `channel` of all partners.

    Returns:
        One row for each device, with the columns of `schemas.registry.RECORD_TYPES`.
    """
    compared = components(
        with_tuple_faults(registered.with_columns(hash_verified=pl.col("hardware_hash_id").is_not_null()))
    )
    own = registered.join(channels, on="partner_id", how="left", maintain_order="left", validate="m:1").select(
        "device_id",
        "tenant_id",
        "partner_id",
        "run_id",
        "registered_at",
        "group_tag",
        "assigned_user",
        "identity",
        "hardware_hash",
        "hardware_hash_id",
        "captured_at",
        event=pl.lit(REGISTERED),
        registered_via=pl.when(pl.col("channel") == "oem_direct_api")
        .then(pl.lit("oem_direct_api"))
        .otherwise(pl.lit("partner_center")),
    )
    return fill(pl.concat([own, with_keys(compared)], how="horizontal"))


def write_files(folder: Path, files: pl.DataFrame) -> None:
    """Write `files.parquet`: one row for each input file."""
    INPUT_FILE.validate(files.select(list(FILE_TYPES))).write_parquet(folder / "files.parquet")
