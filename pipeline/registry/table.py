"""Opens the registry, looks records up in it, and commits to it by compare-and-swap."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from pipeline.durable import sync, sync_folder
from pipeline.errors import Fault, RegistryConflict, RegistryError, UsageError
from schemas.device import COMPONENT_TYPES, KEY_TYPES
from schemas.registry import RECORD_TYPES, REGISTERED, REGISTRY_RECORD, REMOVED

FORMAT = "autopilot-intake registry, format 1"
"""Stands in the table's description, so that a table of another program or format is refused."""

_WRITER = "registry-writer"
"""Application transaction that every commit raises by one: a stale handle can then not commit."""

_ARROW_SCHEMA = pl.DataFrame(schema=RECORD_TYPES).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


class Registry:
    """The registry as of one version; what is looked up and what is committed both refer to it."""

    def __init__(self, folder: Path, table: DeltaTable) -> None:
        self.folder = folder
        self._table = table
        self._files = sorted(str(folder / path) for path in _paths(table))

    @classmethod
    def open(cls, folder: Path, *, create: bool) -> "Registry":
        """Open the registry, or create it where there is none and `create` is set.

        Raises:
            UsageError: there is none and it shall not be created.
            RegistryError: what is there is no registry, or is damaged.
        """
        if not _has_log(folder):
            _require_vacant(folder)
            if not create:
                message = f"registry {folder}: not found; check the path, or create it with --create-registry"
                raise UsageError(message)
            with _damage_told(folder):
                _create(folder)
        with _damage_told(folder):
            _require_whole_log(folder)
            table = DeltaTable(folder)
            _require_format(folder, table)
            registry = cls(folder, table)
            registry._require_files()
        return registry

    @property
    def version(self) -> int:
        """The table version that this is."""
        return self._table.version()

    def reopened(self) -> "Registry":
        """The registry as of now."""
        return Registry.open(self.folder, create=False)

    def committed(self, run_id: str) -> int | None:
        """The token under which a run of this id was committed; None where none was."""
        return self._table.transaction_version(f"run:{run_id}")

    # What matching asks (`pipeline.match.ExistingRecords`).

    def keys(self, name: str) -> pl.LazyFrame:
        """One row for each holder of a key of this name: `record` and `key`."""
        keys = self.scan().with_row_index("record").select("record", pl.col(name).alias("key"))
        exploded = keys.explode("key") if isinstance(KEY_TYPES[name], pl.List) else keys
        return exploded.filter(pl.col("key").is_not_null())

    def serials(self, manufacturers: pl.Series) -> pl.LazyFrame:
        """`manufacturer` and `serial_number` of every record of these manufacturers."""
        named = self.scan().select("manufacturer", "serial_number")
        return named.filter(pl.col("manufacturer").is_in(manufacturers.implode())).drop_nulls()

    def records(self, positions: pl.Series) -> pl.DataFrame:
        """The records at these positions that were not removed, by position."""
        wanted = positions.cast(pl.UInt32).rename("record").to_frame().lazy()
        columns = ("record", "event", "device_id", "tenant_id", "registered_via", *COMPONENT_TYPES)
        found = (
            self.scan()
            .with_row_index("record")
            .select(columns)
            .join(wanted, on="record", how="semi")
            .collect(engine="streaming")
        )
        removed = self.removed_ids()
        live = (pl.col("event") == REGISTERED) & ~pl.col("device_id").is_in(removed.implode())
        return found.filter(live).drop("event").sort("record")

    def removed_ids(self) -> pl.Series:
        """Ids of the devices whose registration was removed."""
        removed = self.scan().filter(pl.col("event") == REMOVED).select("device_id")
        return removed.collect(engine="streaming")["device_id"].unique()

    def scan(self) -> pl.LazyFrame:
        """Every event, by the columns of `schemas.registry.RECORD_TYPES`."""
        if not self._files:
            return pl.LazyFrame(schema=RECORD_TYPES)
        return pl.scan_parquet(self._files, schema=RECORD_TYPES, glob=False)

    def _require_files(self) -> None:
        sizes = pl.DataFrame(self._table.get_add_actions()).select("path", "size_bytes")
        for path, size in sizes.iter_rows():
            file = self.folder / path
            found = file.stat().st_size if file.exists() else None
            if found != size:
                state = "missing" if found is None else f"{found} bytes long instead of {size}"
                message = f"registry file {file}: {state}; restore the registry from a backup"
                raise RegistryError(message)

    def commit(self, writer: "RegistryWriter", run_id: str | None = None, token: int = 0) -> int:
        """Commit records; for a run the one moment at which it comes to be.

        Args:
            writer: the records, already on disk; a run may have none.
            run_id: the run, whose id is committed once and for all; None for other changes.
            token: which of the run's attempts this is.

        Returns:
            The registry's version after the commit.

        Raises:
            RegistryConflict: another writer was first.
            Fault: the store failed.
        """
        counter = self._table.transaction_version(_WRITER) or 0
        of_run = [Transaction(f"run:{run_id}", token)] if run_id else []
        properties = CommitProperties(
            app_transactions=[Transaction(_WRITER, counter + 1), *of_run], max_commit_retries=0
        )
        version = self.version + 1
        actions = writer.hand_over()
        try:
            self._table.create_write_transaction(actions, "append", self._table.schema(), commit_properties=properties)
        except CommitFailedError as error:
            if run_id is None or self.reopened().committed(run_id) != token:
                writer.discard()
                message = f"registry {self.folder}: was changed by another command meanwhile; start again"
                raise RegistryConflict(message) from error
        except DeltaError as error:
            message = f"registry {self.folder}: the commit failed ({error}); nothing was published, start the run again"
            raise Fault(message) from error
        sync_folder(self.folder)
        sync(self.folder / "_delta_log" / f"{version:020}.json")
        return version

    def writer(self) -> "RegistryWriter":
        """A new file of records for this registry; it counts for nothing until it is committed."""
        return RegistryWriter(self.folder)


class RegistryWriter:
    """Writes one data file of the registry, batch by batch; a file that is not handed over is gone at the end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"part-{uuid.uuid4()}.parquet"
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0
        self._handed_over = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave nothing behind that was not handed over to a commit."""
        if not self._handed_over:
            self.discard()

    def write(self, records: pl.DataFrame) -> None:
        """Add records, one row a device, with the columns of `schemas.registry.RECORD_TYPES`."""
        if records.is_empty():
            return
        REGISTRY_RECORD.validate(records.select(list(RECORD_TYPES)))
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, _ARROW_SCHEMA, compression="zstd")
        table = records.select(list(RECORD_TYPES)).to_arrow(compat_level=pl.CompatLevel.oldest())
        self._writer.write_table(table.cast(_ARROW_SCHEMA))
        self._rows += records.height

    def hand_over(self) -> list[AddAction | RemoveAction]:
        """Finish the file and make it durable; what the commit has to name."""
        self._handed_over = True
        if self._writer is None:
            return []
        self._writer.close()
        sync(self._path)
        stat = self._path.stat()
        return [
            AddAction(
                path=self._path.name,
                size=stat.st_size,
                partition_values={},
                modification_time=int(stat.st_mtime * 1_000),
                data_change=True,
                stats=json.dumps({"numRecords": self._rows}),
            )
        ]

    def discard(self) -> None:
        """Take the file away again."""
        if self._writer is not None:
            self._writer.close()
            self._path.unlink(missing_ok=True)


def fill(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with every column of a registry record; those they lack are null."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None).alias(name)).cast(dtype)
        for name, dtype in RECORD_TYPES.items()
    )


def _paths(table: DeltaTable) -> list[str]:
    return pl.DataFrame(table.get_add_actions())["path"].to_list()


def _create(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        DeltaTable.create(folder, _ARROW_SCHEMA, mode="ignore", name="registry", description=FORMAT)
    except CommitFailedError:
        # Another process created it in the same moment; opening it tells whether that went well.
        return
    sync_folder(folder / "_delta_log")
    sync_folder(folder)


def _has_log(folder: Path) -> bool:
    """Whether anything was ever committed; a creation that was cut short leaves an empty log."""
    log = folder / "_delta_log"
    return any(log.glob("*.json")) or any(log.glob("*.parquet"))


def _require_vacant(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(path.name != "_delta_log" for path in folder.iterdir())):
        message = f"registry {folder}: holds something else and no registry; name another folder"
        raise RegistryError(message)


def _require_whole_log(folder: Path) -> None:
    """A log file of no bytes is read as a night without changes, so it must be found here."""
    for path in (folder / "_delta_log").iterdir():
        if path.is_file() and path.stat().st_size == 0:
            message = f"registry log {path}: empty; restore the registry from a backup"
            raise RegistryError(message)


def _require_format(folder: Path, table: DeltaTable) -> None:
    found = table.metadata().description
    names = [field.name for field in table.schema().fields]
    if found != FORMAT or names != list(RECORD_TYPES):
        message = f"registry {folder}: found {found or 'a table of another program'!r}; expected {FORMAT!r}"
        raise RegistryError(message)


@contextmanager
def _damage_told(folder: Path) -> Iterator[None]:
    try:
        yield
    except (DeltaError, pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        message = f"registry {folder}: cannot be read ({first}); restore it from a backup"
        raise RegistryError(message) from error
