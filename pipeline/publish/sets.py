"""Decisions and staged rows to the sets, and to the registry's new records."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pyarrow.parquet as pq

from pipeline.decide import listed
from pipeline.errors import Fault
from pipeline.intake.staging import Staging, whole_record
from pipeline.publish.records import carried_out, ended_records, learned, registry_records
from pipeline.publish.remaining import Remaining
from pipeline.reference.profiles import profile
from pipeline.registry import RegistryWriter
from pipeline.registry.identifiers import request_id
from pipeline.report import Reporter
from pipeline.requests.settling import WAITS
from pipeline.rows import file_of, line_of
from schemas.kinds import KINDS
from schemas.outcome import CARRIED_OUT_SETS, FILE_TYPES, INPUT_FILE, REJECTED_ROW, REJECTED_TYPES
from schemas.reasons import OUTCOMES, REASON_CODES, WARNING_CODES, Waits
from schemas.requests import DELIVERY


class PublishedSet:
    """One of the sets, written batch by batch into a folder; an empty set is a file without rows.

    Every batch is checked against the set's model before it is written.
    """

    def __init__(self, folder: Path, types: dict[str, pl.DataType], model: pa.DataFrameSchema) -> None:
        folder.mkdir()
        self._types, self._model = types, model
        self._schema = pl.DataFrame(schema=types).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        self._writer = pq.ParquetWriter(folder / "part-00000.parquet", self._schema, compression="zstd")

    def write(self, rows: pl.DataFrame) -> None:
        """Add rows of the set's columns."""
        if rows.is_empty():
            return
        checked = self._model.validate(rows.select(list(self._types)))
        self._writer.write_table(checked.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._schema))

    def close(self) -> None:
        """No more rows."""
        self._writer.close()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What rows of a run carry.

    Attributes:
        run_id: the run's id.
        as_of: the moment that counts.
        partners: `partner_id` and `channel` of all partners.
        profiles: which profile a device gets (`pipeline.reference.profiles`).
        learning: the registrations that learn a hash, as they are, with the columns of
            `schemas.registry.RECORD_TYPES`.
        ending: the registrations that end, as they are, with the columns of `schemas.registry.ENDING`.
    """

    run_id: str
    as_of: datetime
    partners: pl.DataFrame
    profiles: pl.DataFrame
    learning: pl.DataFrame
    ending: pl.DataFrame


def publish_sets(
    reporter: Reporter,
    stamp: Stamp,
    decided: pl.DataFrame,
    files: pl.DataFrame,
    staging: Staging,
    records: RegistryWriter,
) -> None:
    """Write all sets, and what the registry records, which counts for nothing until it is committed.

    Args:
        reporter: sees all rows, and knows the folder that the sets go to.
        stamp: what every row carries.
        decided: one row a row that was decided, in the order of `row`: `tenant_id`, `identity`, what was decided, and
            what becomes of its request (`pipeline.requests.settling`), null where it is carried out.
        files: one row a manifest, by position: what its requests are known by (`pipeline.requests.docket.identified`).
        staging: the wide part of the rows, and of others.
        records: takes the records of devices that were registered or deregistered.

    Raises:
        Fault: a row that was decided is not among the staged ones, or twice.
    """
    folder = reporter.folder
    sets = {
        kind.name: PublishedSet(folder / kind.published, *CARRIED_OUT_SETS[kind.published]) for kind in KINDS.values()
    }
    rejected = PublishedSet(folder / "rejected", REJECTED_TYPES, REJECTED_ROW)
    remaining = Remaining(stamp.ending)
    written = 0
    for wide in staging.batches():
        rows = assemble(wide, decided, files, stamp)
        written += rows.height
        reporter.repaired(rows)
        kept = rows.filter(pl.col("reason").is_null())
        refused = rows.filter(pl.col("reason").is_not_null()).with_columns(raw_record=whole_record())
        for name, own in sets.items():
            own.write(kept.filter(request_kind=name))
        rejected.write(reporter.write(kept, refused))
        made = kept.filter(pl.col("ends_device_id").is_null())
        begun = registry_records(made, stamp.partners.select("partner_id", "channel"))
        ended = ended_records(kept, stamp.ending)
        records.write(begun)
        records.write(learned(rows, stamp.learning))
        records.write(ended)
        remaining.write(ended, begun)
        records.record(carried_out(kept, refused, files))
    for each in (*sets.values(), rejected):
        each.close()
    reporter.remaining(*remaining.finish(folder))
    if written != decided.height:
        message = f"{decided.height:,} rows were decided and {written:,} found again; please report this"
        raise Fault(message)


def assemble(wide: pl.DataFrame, decided: pl.DataFrame, files: pl.DataFrame, stamp: Stamp) -> pl.DataFrame:
    """Put a batch of rows together for all sets.

    Args:
        wide: staged rows.
        decided: what was decided of all rows that were, in the order of `row`.
        files: one row a manifest, by position.
        stamp: what every row carries.

    Returns:
        One row for each of the staged ones that were decided, with the columns of all sets, and `reason` null where
        it is carried out.
    """
    here = decided.filter(pl.col("row").is_between(*wide.select(first=pl.min("row"), last=pl.max("row")).row(0)))
    rows = wide.drop("partner_id", "request_kind").join(
        here.drop("request_kind"), on="row", how="inner", maintain_order="left", validate="1:1"
    )
    matched_file = rows.select(file_of(pl.col("matched_row").fill_null(0))).to_series()
    batch = pl.concat(
        [
            rows,
            files[rows["file_no"]].select("source_file", *DELIVERY),
            files[matched_file].select(matched_file="source_file"),
        ],
        how="horizontal",
    )
    has_match = pl.col("matched_row").is_not_null()
    waits = [pl.when(name).then(pl.lit(what.value)) for name, what in zip(WAITS, Waits, strict=True)]
    waits_for = pl.concat_list(waits).list.drop_nulls()
    named = _with_places(batch, files).with_columns(line="source_line").with_columns(request_id())
    moment = pl.lit(stamp.as_of, pl.Datetime("us", "UTC"))
    ends = pl.col("ends_device_id").is_not_null()
    named = named.join(
        stamp.ending.select(
            ends_device_id="device_id",
            registered_via="registered_via",
            registered_by="partner_id",
            began_at="registered_at",
        ),
        on="ends_device_id",
        how="left",
        maintain_order="left",
        validate="m:1",
    )
    return named.with_columns(
        run_id=pl.lit(stamp.run_id),
        warnings=listed(WARNING_CODES),
        reasons=listed(REASON_CODES),
        outcome=pl.col("reason").replace_strict(OUTCOMES, return_dtype=pl.String),
        matched_source_file=pl.when(has_match).then("matched_file"),
        matched_source_line=pl.when(has_match).then(line_of(pl.col("matched_row"))),
        waits_for=pl.when(waits_for.list.len() > 0).then(waits_for),
        profile=profile(stamp.profiles),
        registered_at=pl.when(ends).then("began_at").otherwise(moment),
        deregistered_at=moment,
        hardware_hash="hash_blob",
        device_id=pl.coalesce("ends_device_id", "request_id"),
    )


def _with_places(rows: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """The rows with `evidence` that names where the rows of the batch stand that they met."""
    met = rows.select("row", met="met_rows").explode("met").drop_nulls("met")
    numbers, lines = met.select(file_of(pl.col("met"))).to_series(), met.select(line_of(pl.col("met"))).to_series()
    places = met.select("row", place=pl.format("{}:{}", files["source_file"].gather(numbers), lines))
    told = places.group_by("row").agg(places=pl.lit("met in this delivery: ") + pl.col("place").str.join(", "))
    evidence = pl.concat_str("evidence", "places", separator=" | ", ignore_nulls=True)
    return (
        rows.join(told, on="row", how="left", maintain_order="left", validate="1:1")
        .with_columns(
            evidence=pl.when(pl.col("evidence").is_not_null() | pl.col("places").is_not_null()).then(evidence)
        )
        .drop("places")
    )


def write_files(folder: Path, files: pl.DataFrame) -> None:
    """Write `files.parquet`: one row for each input file."""
    INPUT_FILE.validate(files.select(list(FILE_TYPES))).write_parquet(folder / "files.parquet")
