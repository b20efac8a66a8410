"""Opens the registry, looks records up in it, and commits to it by compare-and-swap."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from deltalake import DeltaTable

from pipeline.errors import Fault, NoRegistryError, RegistryConflict, RegistryError
from pipeline.registry import log
from pipeline.registry.files import holds_requests
from pipeline.registry.mirror import Mirror
from pipeline.registry.opening import (
    FORMAT,
    damage_told,
    has_log,
    require_format,
    require_own_commits,
    require_vacant,
    require_whole_log,
)
from pipeline.registry.records import Records
from pipeline.registry.requests import Requests, carried_out_for, carried_out_ids, read_requests, steps_done
from pipeline.registry.writer import ARROW_SCHEMA, RegistryWriter
from pipeline.storage.durable import make_folder, sync_folder
from pipeline.storage.locations import Location, is_uri
from pipeline.storage.objects import TakenError
from schemas.requests import REQUEST_TYPES

_NIGHTS = "nights"
"""Application transaction that counts the runs that were committed."""

_KEEPS_REQUESTS = "requests"
"""Application transaction of every commit since the registry keeps requests."""


class Registry(Records):
    """The registry as of one version; what is looked up and what is committed both refer to it.

    Attributes:
        folder: where its files are; of a registry in an object store, their copies.
        notices: what was done to open it, in sentences.
    """

    def __init__(self, folder: Path, table: DeltaTable, mirror: Mirror | None, notices: Iterable[str] = ()) -> None:
        self.notices = tuple(notices)
        self._table, self._mirror = table, mirror
        contents = sorted(_contents(table))
        super().__init__({folder / path: records for path, records in contents if not holds_requests(path)}, folder)
        self._requests = {folder / path: events for path, events in contents if holds_requests(path)}

    @classmethod
    def open(
        cls, location: Location, *, create: bool, published: int | None = None, cache: Path | None = None
    ) -> "Registry":
        """Open the registry, or create it where there is none and `create` is set.

        Args:
            location: where it is.
            create: whether to create it.
            published: the newest version of which a published run tells; a newest commit that a power cut emptied
                before that is set aside then. None where nobody has looked: it is a damage.
            cache: where what comes from an object store is kept between runs; None for nowhere.

        Raises:
            NoRegistryError: there is none and it shall not be created.
            RegistryError: what is there is no registry, or is damaged.
            Fault: the object store that it is in cannot be reached.
        """
        if not is_uri(location):
            return cls._open(Path(location), None, create=create, published=published)
        return cls._open_mirrored(Mirror(str(location), cache), create=create)

    @classmethod
    def _open_mirrored(cls, mirror: Mirror, *, create: bool) -> "Registry":
        mirror.pull_log()
        with mirror.named():
            return cls._open(mirror.folder, mirror, create=create)

    @classmethod
    def _open(cls, folder: Path, mirror: Mirror | None, *, create: bool, published: int | None = None) -> "Registry":
        notices = [] if published is None else log.set_torn_aside(folder, published)
        if not has_log(folder):
            require_vacant(folder)
            if not create:
                message = f"registry {folder}: not found; check the path; a new one is made by `run --create-registry`"
                raise NoRegistryError(message)
            with damage_told(folder):
                _create(folder)
            if mirror:
                mirror.push_creation()
        with damage_told(folder):
            require_whole_log(folder)
            table = DeltaTable(folder)
            require_format(folder, table)
            require_own_commits(folder, table)
            registry = cls(folder, table, mirror, notices)
            if mirror:
                mirror.pull([*registry.data_files(), *registry.request_files()])
            registry._require_files()
        return registry

    @property
    def name(self) -> str:
        """What tells this registry from others: its URI, or its path in full."""
        return self._mirror.uri if self._mirror else str(self.folder.resolve())

    @property
    def identity(self) -> str:
        """What it keeps wherever it is moved to."""
        return str(self._table.metadata().id)

    @property
    def version(self) -> int:
        """The table version that this is."""
        return self._table.version()

    def reopened(self) -> "Registry":
        """The registry as of now."""
        if self._mirror:
            return self._open_mirrored(self._mirror, create=False).looked_through_by(self._looking)
        return self.open(self.folder, create=False).looked_through_by(self._looking)

    def committed(self, run_id: str) -> int | None:
        """The token under which a run of this id was committed; None where none was."""
        return self._table.transaction_version(f"run:{run_id}")

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
            One row an identity of which no such registration is live: `tenant_id`, `identity_key`, `device_ids`.
        """
        ended = self.removed_ids()
        if ended.is_empty():
            names = {name: REQUEST_TYPES[name] for name in ("tenant_id", "identity_key")}
            return pl.DataFrame(schema={**names, "device_ids": pl.List(pl.String)})
        asked = pl.concat(self._looking.through(self._requests, carried_out_for, identities)).unique()
        is_over = pl.col("device_id").is_in(ended.implode())
        over = asked.with_columns(is_over.all().over("tenant_id", "identity_key").alias("over")).filter("over")
        return over.group_by("tenant_id", "identity_key").agg(device_ids=pl.col("device_id").sort())

    def carried_out(self) -> pl.Series:
        """Ids of all requests that were carried out."""
        return pl.concat(self._looking.through(self._requests, carried_out_ids, None))["request_id"].unique()

    def steps_done(self) -> pl.DataFrame:
        """What people have said of the steps of departures (`pipeline.registry.requests.steps_done`)."""
        return steps_done(list(self._requests))

    def laid_out(self) -> AbstractContextManager[None]:
        """For a while all its files, those that nothing names included, seem to be at hand: names, sizes and ages."""
        return self._mirror.laid_out() if self._mirror else nullcontext()

    def unnamed_files(self, hours: int) -> dict[Path, int]:
        """Data files that neither this version names nor one of so many hours ago did, and their bytes.

        They have to be laid out.
        """
        listed = self._table.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
        files = [self.folder / path for path in sorted(listed) if path.endswith(".parquet")]
        return {file: file.stat().st_size for file in files}

    def bring_sidecars(self) -> None:
        """Have the sidecars of all data files at hand that there are; with a cache, or on disk, they are already."""
        if self._mirror:
            self._mirror.pull_sidecars(list(self._records))

    def send_sidecars(self, sidecars: list[Path]) -> None:
        """Take sidecars that were made here to where the registry is."""
        if self._mirror:
            self._mirror.push_sidecars(sidecars)

    def remove_files(self, files: list[Path]) -> None:
        """Remove files that are not needed."""
        if self._mirror:
            self._mirror.delete(files)
            return
        for file in files:
            file.unlink(missing_ok=True)

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
        version = self.version + 1
        try:
            log.commit(self.folder, version, self._said(writer, version, run_id, token, replaced))
        except FileExistsError as error:
            # A network's file system may do what it then says has failed.
            if run_id is None or self.reopened().committed(run_id) != token:
                raise self._conflict(writer) from error
        except OSError as error:
            message = f"registry {self.name}: the commit failed ({error}); nothing was published, start the run again"
            raise Fault(message) from error
        if self._mirror:
            try:
                self._mirror.push(version, writer.files(), writer.sent)
            except TakenError as error:
                raise self._conflict(writer) from error
        log.checkpoint(self.folder, version)
        if self._mirror:
            self._mirror.push_checkpoint(version)
        elif run_id is None:
            self.settle(version)
        return version

    def _said(
        self, writer: "RegistryWriter", version: int, run_id: str | None, token: int, replaced: Iterable[Path]
    ) -> list[log.Action]:
        """What a commit says, the writer's transaction last."""
        nights = (self._table.transaction_version(_NIGHTS) or 0) + 1
        return [
            *log.widened(self._table, ARROW_SCHEMA),
            *writer.hand_over(),
            *(log.remove(file) for file in replaced),
            *([log.transaction(f"run:{run_id}", token), log.transaction(_NIGHTS, nights)] if run_id else []),
            *([log.transaction(_KEEPS_REQUESTS, 1)] if run_id or writer.holds_requests else []),
            log.transaction(log.WRITER, version),
        ]

    def settle(self, version: int) -> None:
        """Note that all that a version stands for is done; a run's is once the run is published."""
        if not self._mirror:  # what is in a store is there whole
            log.settle(self.folder, version)

    def _conflict(self, writer: "RegistryWriter") -> RegistryConflict:
        writer.discard()
        return RegistryConflict(f"registry {self.name}: was changed by another command meanwhile; start again")

    def writer(self) -> "RegistryWriter":
        """A new file of records for this registry; it counts for nothing until it is committed."""
        return RegistryWriter(self.folder, self.version + 1)

    def copier(self, files: Iterable[Path]) -> "RegistryWriter":
        """A new file for the records of some others; what a later version of the program added to them is kept."""
        known = set(ARROW_SCHEMA.names)
        added = {field.name: field for file in files for field in pq.read_schema(file) if field.name not in known}
        return RegistryWriter(self.folder, self.version + 1, added.values())


def _contents(table: DeltaTable) -> list[tuple[str, int]]:
    """Path and number of records of each data file."""
    return list(pl.DataFrame(table.get_add_actions()).select("path", "num_records").iter_rows())


def _create(folder: Path) -> None:
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)  # it holds hashes and users; who else may look is the operator's to say
    make_folder(folder / log.LOG)
    with suppress(FileExistsError):  # another process made it in the same moment; opening it tells how that went
        log.commit(folder, 0, log.creation(ARROW_SCHEMA, FORMAT))
    sync_folder(folder)
    sync_folder(folder.parent)
