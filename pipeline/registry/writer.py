"""Writes the data files of the registry."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.registry import log
from pipeline.registry.digests import DigestingFile
from pipeline.registry.files import DEVICES, REQUESTS, TABLE_TYPES
from pipeline.storage.durable import sync
from pipeline.storage.locations import Location, is_uri
from pipeline.storage.places import store_at
from schemas.registry import RECORD_TYPES, REGISTRY_RECORD
from schemas.requests import REQUEST_EVENT, REQUEST_TYPES, STEP_DONE

_OF_FEW_VALUES = ["event", "tenant_id", "partner_id", "registered_via", "run_id", "identity", "manufacturer", "model"]
"""Columns whose values repeat; a dictionary of the others would only cost time."""

_GIVEN = 18
"""Letters of a name that another writer is given: half of its random bits, and it finds the others itself."""


def _arrow(types: dict[str, pl.DataType]) -> pa.Schema:
    return pl.DataFrame(schema=types).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


ARROW_SCHEMA = _arrow(TABLE_TYPES)
_RECORDS, _EVENTS = _arrow(RECORD_TYPES), _arrow(REQUEST_TYPES)


class _DataFile:
    """A data file that is made once there is something to write."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._file: DigestingFile | None = None
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self._schema

    def append(self, rows: pa.Table) -> None:
        """Add rows, as a group of their own."""
        if self._file is None or self._writer is None:
            few = [name for name in _OF_FEW_VALUES if name in self._schema.names]
            self._file = DigestingFile(self._path)
            self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd", use_dictionary=few)
        self._writer.write_table(rows.cast(self._schema))
        self._rows += rows.num_rows

    def path(self) -> list[Path]:
        """Where it lies; nowhere while it holds nothing."""
        return [self._path] if self._writer else []

    def finish(self) -> list[log.Action]:
        """Give it the name that vouches for it, and make it durable; what the commit has to say."""
        if self._file is None or self._writer is None:
            return []
        self._writer.add_key_value_metadata(self._file.seal())
        self._writer.close()
        self._file.close()
        begun, self._path = self._path, self._file.named(self._path)
        begun.rename(self._path)
        sync(self._path)
        return [log.add(self._path, self._rows)]

    def discard(self) -> None:
        """Take it away again."""
        if self._file is not None and self._writer is not None:
            self._writer.close()
            self._file.close()
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Written:
    """Files of records that are whole and durable.

    Attributes:
        said: what the commit has to say of each.
        paths: where they lie.
        tells_of_requests: whether events of requests are among what they hold.
        sent: what the store that they are in tells the bytes of each by, by name; nothing where they lie here alone.
    """

    said: list[log.Action]
    paths: list[Path]
    tells_of_requests: bool
    sent: dict[str, str | None]


class RegistryWriter:
    """Writes what one commit adds, batch by batch: a file of devices and one of requests.

    Files that are not handed over are gone at the end. Others, in other processes, may write files for the same commit:
    they get a name, and what they wrote is adopted; what one of them left that died is gone at the end as well.
    """

    def __init__(self, folder: Path, version: int, added: Iterable[pa.Field] = (), name: str | None = None) -> None:
        """Begin.

        Args:
            folder: the registry's.
            version: the one that the commit of these records will make.
            added: columns of devices that a later version of the program has added, to be copied.
            name: what another writer gave; None for one of its own.
        """
        own = str(uuid.uuid4())
        name = f"{name}{own[_GIVEN:]}" if name else own
        self.folder, self.version = folder, version
        self._names = [name]
        self._adopted: list[Written] = []
        self._devices = _DataFile(folder / f"{DEVICES}{name}.parquet", pa.schema([*_RECORDS, *added]))
        self._requests = _DataFile(folder / f"{REQUESTS}{name}.parquet", _EVENTS)
        self._handed_over = self._tells_of_requests = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave nothing behind that was not handed over to a commit."""
        if not self._handed_over:
            self.discard()

    def write(self, records: pl.DataFrame) -> None:
        """Add records, one row a device, with the columns of `schemas.registry.RECORD_TYPES`, without `version`."""
        if not records.is_empty():
            checked = REGISTRY_RECORD.validate(fill(self._dated(records)))
            self._devices.append(checked.to_arrow(compat_level=pl.CompatLevel.oldest()))

    def record(self, events: pl.DataFrame) -> None:
        """Add what becomes of deliveries and requests.

        Args:
            events: one row an event, with columns of `REQUEST_TYPES`; those it lacks are null. Events of one kind
                together are found soonest.
        """
        if not events.is_empty():
            self.copy_requests(REQUEST_EVENT.validate(_filled(self._dated(events), REQUEST_TYPES)))

    def _dated(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(version=pl.lit(self.version, pl.Int64))

    def copy(self, batch: pa.RecordBatch) -> None:
        """Add records of another file of devices, as they are; columns that it lacks are null."""
        columns = [
            batch.column(field.name) if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
            for field in self._devices.schema
        ]
        self._devices.append(pa.Table.from_arrays(columns, names=self._devices.schema.names))

    def copy_requests(self, events: pl.DataFrame) -> None:
        """Add events of other files of requests, as they are."""
        if not events.is_empty():
            self._tells_of_requests |= events.filter(pl.col("event") != STEP_DONE).height > 0
            self._requests.append(events.to_arrow(compat_level=pl.CompatLevel.oldest()))

    @property
    def holds_requests(self) -> bool:
        """Whether events of requests are among what it wrote; what people say of steps is none."""
        return self._tells_of_requests or any(one.tells_of_requests for one in self._adopted)

    def name_for_another(self) -> str:
        """How the names of further files of the same commit begin; each writer that takes it goes on by itself."""
        self._names.append(str(uuid.uuid4())[:_GIVEN])
        return self._names[-1]

    def adopt(self, written: Written) -> None:
        """Take files that such a writer has finished."""
        self._adopted.append(written)

    def finish(self, registry: Location) -> Written:
        """Finish the files and make them durable where the registry is, for whoever gave the name."""
        said, files = self.hand_over(), self.files()
        sent = store_at(str(registry)).upload({path.name: path for path in files}) if is_uri(registry) else {}
        return Written(said, files, self.holds_requests, sent)

    def hand_over(self) -> list[log.Action]:
        """Finish the files and make them durable; what the commit has to name."""
        self._handed_over = True
        said = [*self._devices.finish(), *self._requests.finish()]
        self._remove_all_but(self.files())
        return [*said, *(action for one in self._adopted for action in one.said)]

    def files(self) -> list[Path]:
        """The files that hold anything."""
        own = [*self._devices.path(), *self._requests.path()]
        return [*own, *(path for one in self._adopted for path in one.paths)]

    @property
    def sent(self) -> dict[str, str | None]:
        """Which of the files are in the registry's store already; as in `Written`."""
        return {name: version for one in self._adopted for name, version in one.sent.items()}

    def discard(self) -> None:
        """Take the files away again."""
        self._devices.discard()
        self._requests.discard()
        self._adopted.clear()
        self._remove_all_but([])

    def _remove_all_but(self, kept: list[Path]) -> None:
        """Remove what others left that were given a name and did not finish."""
        for name in self._names[1:]:
            for path in self.folder.glob(f"*{name}*"):
                if path not in kept:
                    path.unlink(missing_ok=True)


def fill(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with every column of a registry record; those they lack are null."""
    return _filled(rows, RECORD_TYPES)


def _filled(rows: pl.DataFrame, types: dict[str, pl.DataType]) -> pl.DataFrame:
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None).alias(name)).cast(dtype)
        for name, dtype in types.items()
    )
