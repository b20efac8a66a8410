"""Opens the registry, looks records up in it, and commits to it by compare-and-swap."""

import time
from collections.abc import Iterable
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from pipeline.durable import sync, sync_folder
from pipeline.errors import Fault, NoRegistryError, RegistryConflict, RegistryError
from pipeline.objects import Location, TakenError, is_uri
from pipeline.registry import lookup
from pipeline.registry.files import holds_requests, scan_records
from pipeline.registry.holders import holders
from pipeline.registry.mirror import Mirror
from pipeline.registry.opening import (
    FORMAT,
    WRITER,
    damage_told,
    has_log,
    is_panic,
    require_format,
    require_vacant,
    require_whole_log,
)
from pipeline.registry.requests import Requests, carried_out_for, carried_out_ids, read_requests
from pipeline.registry.serials import forms_of
from pipeline.registry.writer import ARROW_SCHEMA, RegistryWriter
from schemas.registry import RECORD_TYPES, REGISTERED, REMOVED, STATES
from schemas.requests import REQUEST_TYPES

_NIGHTS = "nights"
"""Application transaction that counts the runs that were committed."""

_KEEPS_REQUESTS = "requests"
"""Application transaction of every commit since the registry keeps requests."""

_FOUND_TYPES = {"record": pl.UInt32(), **{name: RECORD_TYPES[name] for name in lookup.COLUMNS}}


class _History(NamedTuple):
    """What became of registrations since they were made.

    Attributes:
        renewed: one row a registration that has a later state: `device_id`, and the position of the latest, `record`.
        ended: ids of those that were removed.
    """

    renewed: pl.DataFrame
    ended: pl.Series


class Registry:
    """The registry as of one version; what is looked up and what is committed both refer to it."""

    def __init__(self, folder: Path, table: DeltaTable, mirror: Mirror | None) -> None:
        self.folder = folder
        self._table, self._mirror = table, mirror
        contents = sorted(_contents(table))
        self._records = {folder / path: records for path, records in contents if not holds_requests(path)}
        self._requests = {folder / path: events for path, events in contents if holds_requests(path)}

    @classmethod
    def open(cls, location: Location, *, create: bool) -> "Registry":
        """Open the registry, or create it where there is none and `create` is set.

        Raises:
            NoRegistryError: there is none and it shall not be created.
            RegistryError: what is there is no registry, or is damaged.
            Fault: the object store that it is in cannot be reached.
        """
        if not is_uri(location):
            return cls._open(Path(location), None, create=create)
        return cls._open_mirrored(Mirror(str(location)), create=create)

    @classmethod
    def _open_mirrored(cls, mirror: Mirror, *, create: bool) -> "Registry":
        mirror.pull_log()
        with mirror.named():
            return cls._open(mirror.folder, mirror, create=create)

    @classmethod
    def _open(cls, folder: Path, mirror: Mirror | None, *, create: bool) -> "Registry":
        if not has_log(folder):
            require_vacant(folder)
            if not create:
                message = f"registry {folder}: not found; check the path, or create it with --create-registry"
                raise NoRegistryError(message)
            with damage_told(folder):
                _create(folder)
            if mirror:
                mirror.push_creation()
        with damage_told(folder):
            require_whole_log(folder)
            table = DeltaTable(folder)
            require_format(folder, table)
            registry = cls(folder, table, mirror)
            if mirror:
                mirror.pull([*registry.data_files(), *registry.request_files()])
            registry._require_files()
        return registry

    @property
    def name(self) -> str:
        """What tells this registry from others: its URI, or its path in full."""
        return self._mirror.uri if self._mirror else str(self.folder.resolve())

    @property
    def is_mirrored(self) -> bool:
        """Whether its files are here only for as long as this object is."""
        return self._mirror is not None

    @property
    def version(self) -> int:
        """The table version that this is."""
        return self._table.version()

    def reopened(self) -> "Registry":
        """The registry as of now."""
        return self._open_mirrored(self._mirror, create=False) if self._mirror else self.open(self.folder, create=False)

    def committed(self, run_id: str) -> int | None:
        """The token under which a run of this id was committed; None where none was."""
        return self._table.transaction_version(f"run:{run_id}")

    # What matching asks (`pipeline.match.ExistingRecords`).

    def holders(self, name: str, wanted: pl.Series) -> pl.DataFrame:
        """One row for each record that holds one of these keys of this name: `record` and `key`."""
        return holders(self._records, name, wanted)

    def serial_forms(self, manufacturers: pl.Series) -> pl.DataFrame:
        """What the serial numbers of these manufacturers look like."""
        return forms_of(self._records, manufacturers)

    def records(self, positions: pl.Series) -> pl.DataFrame:
        """The records at these positions that were not removed, by position."""
        wanted = np.unique(positions.cast(pl.Int64).to_numpy())
        found: list[pl.DataFrame] = [pl.DataFrame(schema=_FOUND_TYPES)]
        to_read: list[Path] = []
        places: list[pl.DataFrame] = []
        first = height = 0
        for file, records in self._records.items():
            own = wanted[(wanted >= first) & (wanted < first + records)]
            record = pl.Series("record", own, dtype=pl.UInt32)
            taken = lookup.take(file, own - first) if own.size else None
            if taken is not None:
                found.append(taken.with_columns(record))
            elif own.size:
                places.append(pl.DataFrame([record, pl.Series("at", own - first + height, dtype=pl.UInt32)]))
                to_read.append(file)
                height += records
            first += records
        if to_read:
            found.append(_read(to_read, pl.concat(places)))
        together = pl.concat(frame.select(list(_FOUND_TYPES)) for frame in found)
        return together.filter(self._is_live()).drop("event").sort("record")

    def live(self) -> pl.LazyFrame:
        """Every registration that was not removed, as it is now."""
        return self.scan().with_row_index("record").filter(self._is_live()).drop("record")

    def _is_live(self) -> pl.Expr:
        """Whether a record, by `record`, `event` and `device_id`, is the latest state of a live registration."""
        ids, latest = self._history.renewed["device_id"], self._history.renewed["record"]
        original = (pl.col("event") == REGISTERED) & ~pl.col("device_id").is_in(ids.implode())
        is_latest = original | pl.col("record").is_in(latest.implode())
        return is_latest & ~pl.col("device_id").is_in(self._history.ended.implode())

    @cached_property
    def _history(self) -> "_History":
        """What became of registrations: few of them, so all of it is held."""
        later = self.scan().with_row_index("record").filter(pl.col("event") != REGISTERED)
        events = later.select("record", "device_id", "event", "version").collect(engine="streaming")
        latest = events.sort(pl.col("version").fill_null(-1), maintain_order=True).group_by("device_id").last()
        states = events.filter(pl.col("event").is_in(list(STATES)))
        renewed = states.sort(pl.col("version").fill_null(-1), maintain_order=True).group_by("device_id").last()
        return _History(
            renewed=renewed.select("device_id", "record"), ended=latest.filter(pl.col("event") == REMOVED)["device_id"]
        )

    def data_files(self) -> dict[Path, int]:
        """The files that hold the records, and how many each holds."""
        return dict(self._records)

    def request_files(self) -> dict[Path, int]:
        """The files that hold requests, and how many events each holds."""
        return dict(self._requests)

    @property
    def keeps_requests(self) -> bool:
        """Whether it keeps requests; one of an earlier version does not, until what its runs knew is taken over."""
        return self._table.transaction_version(_KEEPS_REQUESTS) is not None

    def requests(self) -> Requests:
        """What is known of requests."""
        return read_requests(list(self._requests), self._table.transaction_version(_NIGHTS) or 0)

    def departed(self, identities: pl.DataFrame) -> pl.DataFrame:
        """For which registrations that have ended somebody has asked before by some identity cells.

        Args:
            identities: one row an identity: `tenant_id`, `identity_key`.

        Returns:
            One row an identity of which no such registration is live: `tenant_id`, `identity_key`, `device_id`.
        """
        ended = self.removed_ids()
        if ended.is_empty():
            names = ("tenant_id", "identity_key", "device_id")
            return pl.DataFrame(schema={name: REQUEST_TYPES[name] for name in names})
        asked = carried_out_for(list(self._requests), identities)
        is_over = pl.col("device_id").is_in(ended.implode())
        over = asked.with_columns(is_over.all().over("tenant_id", "identity_key").alias("over")).filter("over")
        return over.sort("device_id").unique(["tenant_id", "identity_key"], keep="first").drop("over")

    def carried_out(self) -> pl.Series:
        """Ids of all requests that were carried out."""
        return carried_out_ids(list(self._requests))

    def states(self, device_ids: pl.Series) -> pl.DataFrame:
        """The live registrations of these ids, with the columns of `schemas.registry.RECORD_TYPES`."""
        return self.live().filter(pl.col("device_id").is_in(device_ids.implode())).collect(engine="streaming")

    def removals(self) -> pl.DataFrame:
        """One row a registration that has ended: `device_id`, and the `removal_reason` it ended with last."""
        ends = self.scan().filter(pl.col("event") == REMOVED).select("device_id", "removal_reason", "version")
        last = ends.collect(engine="streaming").sort("version", maintain_order=True).unique("device_id", keep="last")
        return last.filter(pl.col("device_id").is_in(self.removed_ids().implode())).drop("version")

    def unnamed_files(self, hours: int) -> dict[Path, int]:
        """Data files that neither this version names nor one of so many hours ago did, and their bytes."""
        with self._mirror.laid_out() if self._mirror else nullcontext():
            listed = self._table.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
            files = [self.folder / path for path in sorted(listed) if path.endswith(".parquet")]
            return {file: file.stat().st_size for file in files}

    def remove_files(self, files: list[Path]) -> None:
        """Remove files that are not needed."""
        if self._mirror:
            self._mirror.delete(files)
            return
        for file in files:
            file.unlink(missing_ok=True)

    def removed_ids(self) -> pl.Series:
        """Ids of the devices whose registration was removed, and not restored since."""
        return self._history.ended

    def scan(self) -> pl.LazyFrame:
        """Every event, by the columns of `schemas.registry.RECORD_TYPES`."""
        return scan_records(self._records)

    def _require_files(self) -> None:
        sizes = pl.DataFrame(self._table.get_add_actions()).select("path", "size_bytes")
        for path, size in sizes.iter_rows():
            file = self.folder / path
            found = file.stat().st_size if file.exists() else None
            if found != size:
                state = "missing" if found is None else f"{found} bytes long instead of {size}"
                message = f"registry file {file}: {state}; restore the registry from a backup"
                raise RegistryError(message)

    def commit(
        self, writer: "RegistryWriter", run_id: str | None = None, token: int = 0, *, replaced: Iterable[Path] = ()
    ) -> int:
        """Commit records; for a run the one moment at which it comes to be.

        Args:
            writer: the records, already on disk; a run may have none.
            run_id: the run, whose id is committed once and for all; None for other changes.
            token: which of the run's attempts this is.
            replaced: data files whose records the writer holds instead; they are no longer part of the registry.

        Returns:
            The registry's version after the commit.

        Raises:
            RegistryConflict: another writer was first.
            Fault: the store failed.
        """
        counter = self._table.transaction_version(WRITER) or 0
        nights = (self._table.transaction_version(_NIGHTS) or 0) + 1
        of_run = [Transaction(f"run:{run_id}", token), Transaction(_NIGHTS, nights)] if run_id else []
        own = [Transaction(_KEEPS_REQUESTS, 1)] if run_id or writer.holds_requests else []
        properties = CommitProperties(
            app_transactions=[*of_run, *own, Transaction(WRITER, counter + 1)], max_commit_retries=0
        )
        version = self.version + 1
        actions: list[AddAction | RemoveAction] = [*writer.hand_over(), *(_removal(file) for file in replaced)]
        try:
            self._table.create_write_transaction(actions, "append", self._table.schema(), commit_properties=properties)
        except CommitFailedError as error:
            if run_id is None or self.reopened().committed(run_id) != token:
                raise self._conflict(writer) from error
        except BaseException as error:
            if not isinstance(error, DeltaError) and not is_panic(error):
                raise
            message = f"registry {self.folder}: the commit failed ({error}); nothing was published, start the run again"
            raise Fault(message) from error
        sync_folder(self.folder)
        sync(self.folder / "_delta_log" / f"{version:020}.json")
        if self._mirror:
            try:
                self._mirror.push(version, writer.files())
            except TakenError as error:
                raise self._conflict(writer) from error
        return version

    def _conflict(self, writer: "RegistryWriter") -> RegistryConflict:
        writer.discard()
        return RegistryConflict(f"registry {self.name}: was changed by another command meanwhile; start again")

    def writer(self) -> "RegistryWriter":
        """A new file of records for this registry; it counts for nothing until it is committed."""
        return RegistryWriter(self.folder, self.version + 1)


def _contents(table: DeltaTable) -> list[tuple[str, int]]:
    """Path and number of records of each data file."""
    return list(pl.DataFrame(table.get_add_actions()).select("path", "num_records").iter_rows())


def _read(files: list[Path], places: pl.DataFrame) -> pl.DataFrame:
    """Records of files, taken as one, `at` given places; whole columns are read."""
    rows = scan_records(files).with_row_index("at").select("at", *lookup.COLUMNS)
    return rows.join(places.lazy(), on="at", how="inner").collect(engine="streaming")


def _removal(file: Path) -> RemoveAction:
    return RemoveAction(
        path=file.name, data_change=False, deletion_timestamp=int(time.time() * 1_000), size=file.stat().st_size
    )


def _create(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)  # it holds hashes and users; who else may look is the operator's to say
    try:
        DeltaTable.create(folder, ARROW_SCHEMA, mode="ignore", name="registry", description=FORMAT)
    except CommitFailedError:
        # Another process created it in the same moment; opening it tells whether that went well.
        return
    sync_folder(folder / "_delta_log")
    sync_folder(folder)
