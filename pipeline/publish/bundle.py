"""The task behind the barrier: the rows of a bundle of parts to the sets, to the registry's records, to the report."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pandera.polars as pa
import polars as pl
import pyarrow.parquet as pq

from pipeline.engine import of_attempt, shared
from pipeline.intake.staging import Part, batches, whole_record
from pipeline.publish.assembling import Stamp, assemble
from pipeline.publish.records import carried_out, ended_records, learned, registry_records
from pipeline.publish.remaining import ends_and_begins
from pipeline.registry import RegistryWriter, Written
from pipeline.report import Fragment, Reporter, Tables
from pipeline.runs.workspace import ATTEMPTS
from pipeline.storage.locations import Location
from pipeline.storage.mapped import mapped
from pipeline.storage.places import workplace, writing
from schemas.kinds import KINDS
from schemas.outcome import CARRIED_OUT_SETS, REJECTED_ROW, REJECTED_TYPES

SETS = {**CARRIED_OUT_SETS, "rejected": (REJECTED_TYPES, REJECTED_ROW)}
"""All sets, by name: their columns and their model."""


class PublishedSet:
    """A file of one of the sets, written batch by batch.

    Every batch is checked against the set's model before it is written.
    """

    def __init__(self, file: BinaryIO, types: dict[str, pl.DataType], model: pa.DataFrameSchema) -> None:
        self._types, self._model = types, model
        self._schema = pl.DataFrame(schema=types).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

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
class Context:
    """What all bundles of a run are written by.

    Attributes:
        reporter: tells of rows.
        stamp: what every row carries.
        files: one row a manifest, by position: what its requests are known by (`pipeline.requests.docket.identified`).
        sets: where the sets go to.
        registry: where the registry's records go to.
        folder: where they are made, on the machine that has it.
        version: of the registry that they are committed as.
    """

    reporter: Reporter
    stamp: Stamp
    files: pl.DataFrame
    sets: Location
    registry: Location
    folder: Path
    version: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was written of a bundle.

    Attributes:
        records: files of the registry's records.
        fragment: which rows they are (`rows`), what is told of them, and what ends and begins with them.
        sets: by name of each set that has any of its rows the file of them, below where the sets go to.
    """

    records: Written
    fragment: Fragment
    sets: dict[str, str]


def write_bundle(parts: list[Part], decided: Path, name: str, context: Path) -> Bundle:
    """Write a bundle; once more, it writes the same elsewhere.

    Args:
        parts: its rows, and others that were not decided.
        decided: what was decided of them, and maybe of others (`pipeline.publish.sets.publish`); what is written
            but records lies beside it.
        name: how the names of the files of records begin.
        context: where a `Context` is shared.
    """
    by: Context = shared(context)
    path = of_attempt(decided)
    with workplace(by.folder) as folder, RegistryWriter(folder, by.version, name=name) as records:
        with ExitStack() as files:
            sets = _Sets(by.sets, f"{ATTEMPTS}/{path.name}", files)
            passing = _Passing(by, mapped(decided), sets, records)
            fragment = Fragment.write(passing.tables(parts), path)
        return Bundle(records.finish(by.registry), fragment, sets.names())


class _Sets:
    """The files of a bundle in the sets; a set that has none of its rows has no file."""

    def __init__(self, folder: Location, name: str, held: ExitStack) -> None:
        self._folder, self._name, self._held = folder, name, held
        self._files: dict[str, PublishedSet] = {}

    def write(self, of: str, rows: pl.DataFrame) -> None:
        """Add rows to one of the sets."""
        if rows.is_empty():
            return
        if of not in self._files:
            file = self._held.enter_context(writing(self._folder, f"{self._name}-{of}.parquet"))
            self._files[of] = self._held.enter_context(closing(PublishedSet(file, *SETS[of])))
        self._files[of].write(rows)

    def names(self) -> dict[str, str]:
        """The file of each that has any rows."""
        return {of: f"{self._name}-{of}.parquet" for of in self._files}


class _Passing:
    """The rows of a bundle as they pass by, batch by batch."""

    def __init__(self, by: Context, decided: pl.DataFrame, sets: _Sets, records: RegistryWriter) -> None:
        self._by, self._decided, self._sets, self._records = by, decided, sets, records
        self._channels = by.stamp.partners.select("partner_id", "channel")

    def tables(self, parts: list[Part]) -> Iterator[Tables]:
        """Write all rows; what there is to tell of each batch."""
        for wide in batches(parts):
            rows = assemble(wide, self._decided, self._by.files, self._by.stamp)
            kept = rows.filter(pl.col("reason").is_null())
            refused = rows.filter(pl.col("reason").is_not_null()).with_columns(raw_record=whole_record())
            told, tables = self._by.reporter.tables(rows, kept, refused)
            for kind in KINDS.values():
                self._sets.write(kind.published, kept.filter(request_kind=kind.name))
            self._sets.write("rejected", told)
            begun = registry_records(kept.filter(pl.col("ends_device_id").is_null()), self._channels)
            ended = ended_records(kept, self._by.stamp.ending)
            for records in (begun, learned(rows, self._by.stamp.learning), ended):
                self._records.write(records)
            self._records.record(carried_out(kept, refused, self._by.files))
            yield tables | ends_and_begins(ended, begun, self._by.stamp.ending) | {"rows": rows.select("row")}
