"""Where runs are published: a local folder, or one of an object store, of which what runs need is near.

In an object store a run lies below `.staging/` before its commit, whole; after it, it is copied to its place, its
`run.json` last.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from pipeline.config import DRY_RUNS
from pipeline.errors import Fault
from pipeline.registry import Registry
from pipeline.runs.restored import NOTE
from pipeline.runs.workspace import (
    ATTEMPTS,
    MANIFEST,
    NAME,
    OWNER,
    PENDING,
    PLACE_TAKEN,
    STAGING,
    Workspace,
    is_owner,
)
from pipeline.runs.workspace import recover as recover_here
from pipeline.storage.locations import Location, below, is_uri
from pipeline.storage.near import Near
from pipeline.storage.objects import Prefix
from schemas.outcome import CARRIED_OUT_SETS

_SETS = (*CARRIED_OUT_SETS, "rejected")

_NEEDED = (MANIFEST, "files.parquet")
"""What later runs read of every published one; what else they need of some is brought when it is."""

_SURELY_DEAD = timedelta(hours=24)
"""How long after its last write a run that was not committed cannot be at work any more."""


class Output(Protocol):
    """Where runs are published.

    Attributes:
        folder: a local folder that is it, or has what runs need of it.
    """

    folder: Path

    def recover(self, registry: Registry) -> list[str]:
        """Finish what interrupted runs left; what was done, in sentences."""
        ...

    def staged(self) -> list[tuple[str, int]]:
        """Ids and tokens of the runs that are prepared."""
        ...

    def sets(self, place: Workspace) -> Location:
        """Where the sets of a run are prepared, empty."""
        ...

    def stage(self, place: Workspace, run_id: str) -> None:
        """Take a prepared run to where it will be published from, before its commit.

        Raises:
            Fault: it could not be published after it; nothing was registered.
        """
        ...

    def publish(self, place: Workspace, run_id: str) -> None:
        """Show a committed run that was staged, with its `run.json` as it is now."""
        ...

    def show(self, *names: str) -> None:
        """Show files and folders that no commit stands for: dry runs, pages."""
        ...

    def bring(self, folder: str, ending: str) -> None:
        """Have the files below a folder at hand whose names end so."""
        ...

    def remove(self, folder: str) -> None:
        """Remove a published run that is gone here also from where it is published."""
        ...


class _Here:
    """A local folder: a prepared run is in its place by a rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def recover(self, registry: Registry) -> list[str]:
        return recover_here(self.folder, registry)

    def staged(self) -> list[tuple[str, int]]:
        return _attempts(path.name for path in (self.folder / STAGING).glob("*"))

    def sets(self, place: Workspace) -> Location:
        return place.publication

    def stage(self, place: Workspace, run_id: str) -> None:
        place.require_way_to(self.folder / run_id)

    def publish(self, place: Workspace, run_id: str) -> None:
        """Nothing to do."""

    def show(self, *names: str) -> None:
        """Nothing to do."""

    def bring(self, folder: str, ending: str) -> None:
        """Nothing to do."""

    def remove(self, folder: str) -> None:
        """Nothing to do."""


class _Store:
    """A folder of an object store, and what is near of it."""

    def __init__(self, near: Near) -> None:
        self._near, self._prefix, self.folder = near, near.prefix, near.folder
        there, _ = self._prefix.listing()
        self._near.bring({name: entry for name, entry in there.items() if name == NOTE or _is_needed(name)})

    def recover(self, registry: Registry) -> list[str]:
        notices = []
        for run_id, token in self.staged():
            attempt = f"{run_id}-{token:016x}"
            staged = self._prefix.names(f"{STAGING}/{attempt}")
            if not staged:  # its owner, or another process, has just moved it
                continue
            last = max(entry.modified for entry in staged.values())
            if registry.committed(run_id) == token:
                if f"{STAGING}/{attempt}/{PENDING}" not in staged:  # published by one that died as it cleared away
                    self._prefix.delete(list(staged))
                    continue
                if self._is_taken(attempt, run_id):
                    notices.append(PLACE_TAKEN.format(run_id))
                    continue
                self._move(attempt, run_id)
                self._prefix.fetch([f"{run_id}/{needed}" for needed in _NEEDED], self.folder)
                notices.append(f"run {run_id} was committed and not published; it is published now")
            elif datetime.now(UTC) - last > _SURELY_DEAD and self._is_of(attempt, registry):
                self._prefix.delete(list(staged))
                notices.append(f"run {run_id} was abandoned before its commit; what it left is removed")
        return notices

    def _is_of(self, attempt: str, registry: Registry) -> bool:
        """Whether a prepared run says that it is of this registry; another's may be committed there."""
        owner = self._prefix.read(f"{STAGING}/{attempt}/{OWNER}")
        return owner is not None and is_owner(owner.decode("utf-8", "replace"), registry)

    def _is_taken(self, attempt: str, run_id: str) -> bool:
        """Whether what is published in the place of a prepared run is another, which began at another moment."""
        told = [self._prefix.read(name) for name in (f"{run_id}/{MANIFEST}", f"{STAGING}/{attempt}/{PENDING}")]
        there, own = (json.loads(text)["started_at"] if text else None for text in told)
        return None not in (there, own) and there != own

    def staged(self) -> list[tuple[str, int]]:
        return _attempts(self._prefix.folders(STAGING))

    def sets(self, place: Workspace) -> Location:
        attempt = f"{STAGING}/{place.folder.name}"
        self._prefix.upload({f"{attempt}/{OWNER}": place.folder / OWNER})
        left = [name for name in self._prefix.names(attempt) if name != f"{attempt}/{OWNER}"]
        self._prefix.delete(left)  # of a try that another writer came before
        return below(self._prefix.uri, attempt)

    def stage(self, place: Workspace, run_id: str) -> None:
        if self._prefix.names(run_id):
            message = f"output {self._prefix.uri}/{run_id}: was made meanwhile; nothing was registered, use another id"
            raise Fault(message)
        home, attempt = place.publication, f"{STAGING}/{place.folder.name}"
        self._prefix.upload({f"{attempt}/{path.relative_to(home).as_posix()}": path for path in _files(home)})
        there = self._prefix.names(attempt)
        if lacking := [of for of in _SETS if not any(name.startswith(f"{attempt}/{of}/") for name in there)]:
            message = f"output {self._prefix.uri}/{attempt}: {lacking[0]} is gone; nothing was registered, start again"
            raise Fault(message)

    def publish(self, place: Workspace, run_id: str) -> None:
        attempt = place.folder.name
        self._prefix.upload({f"{STAGING}/{attempt}/{PENDING}": place.publication / PENDING})
        self._move(attempt, run_id)

    def _move(self, attempt: str, run_id: str) -> None:
        """Bring a staged run to its place, wherever an earlier try stopped; several may be at it at once."""
        home = f"{STAGING}/{attempt}/"
        pending, owner = home + PENDING, home + OWNER
        others = [name for name in self._prefix.names(home.rstrip("/")) if name not in (pending, owner)]
        named = [name for name in others if not name.startswith(f"{home}{ATTEMPTS}/")]
        try:
            self._prefix.copy({name: f"{run_id}/{name.removeprefix(home)}" for name in named})
            self._prefix.copy({pending: f"{run_id}/{MANIFEST}"})
        except FileNotFoundError:
            # Only what is in its place already is ever taken away here, so somebody else has brought it there.
            return
        self._prefix.delete([*others, owner])
        self._prefix.delete([pending])

    def show(self, *names: str) -> None:
        files = [path for name in names for path in _files(self.folder / name)]
        self._prefix.upload({path.relative_to(self.folder).as_posix(): path for path in files})

    def bring(self, folder: str, ending: str) -> None:
        self._near.bring({name: entry for name, entry in self._prefix.names(folder).items() if name.endswith(ending)})

    def remove(self, folder: str) -> None:
        names = sorted(self._prefix.names(folder), key=lambda name: name != f"{folder}/{MANIFEST}")
        self._prefix.delete(names[:1])
        self._prefix.delete(names[1:])


@contextmanager
def output_at(location: Location, cache: Path | None = None) -> Iterator[Output]:
    """The output at a location; what is near of it is gone at the end, but for what a cache keeps."""
    if not is_uri(location):
        yield _Here(Path(location))
        return
    with closing(Near(Prefix(str(location)), cache)) as near:
        yield _Store(near)


def _is_needed(name: str) -> bool:
    run, _, needed = name.partition("/")
    return needed in _NEEDED and not run.startswith(".") and run != DRY_RUNS


def _attempts(folders: Iterable[str]) -> list[tuple[str, int]]:
    names = [name for folder in sorted(folders) if (name := NAME.fullmatch(folder))]
    return [(name["run_id"], int(name["token"], 16)) for name in names]


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
