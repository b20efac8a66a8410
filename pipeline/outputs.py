"""Where runs are published: a local folder, or one of an object store, of which what runs need is mirrored locally.

In an object store a run lies below `.staging/` before its commit, whole; after it, it is copied to its place, its
`run.json` last.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from pipeline.config import DRY_RUNS
from pipeline.objects import Location, Prefix, is_uri
from pipeline.registry import Registry
from pipeline.scratch import Scratch
from pipeline.workspace import MANIFEST, NAME, PENDING, STAGING, Workspace
from pipeline.workspace import recover as recover_here

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

    def stage(self, place: Workspace) -> None:
        """Take a prepared run to where it will be published from, before its commit."""
        ...

    def publish(self, place: Workspace, run_id: str) -> None:
        """Show a committed run that was staged."""
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

    def stage(self, place: Workspace) -> None:
        """Nothing to do."""

    def publish(self, place: Workspace, run_id: str) -> None:
        """Nothing to do."""

    def show(self, *names: str) -> None:
        """Nothing to do."""

    def bring(self, folder: str, ending: str) -> None:
        """Nothing to do."""

    def remove(self, folder: str) -> None:
        """Nothing to do."""


class _Store:
    """A folder of an object store, and its local mirror."""

    def __init__(self, uri: str, folder: Path) -> None:
        self._prefix, self.folder = Prefix(uri), folder
        runs = [name for name in self._prefix.folders() if not name.startswith(".") and name != DRY_RUNS]
        self._prefix.fetch([f"{run}/{name}" for run in runs for name in _NEEDED], folder)

    def recover(self, registry: Registry) -> list[str]:
        notices = []
        for attempt in self._prefix.folders(STAGING):
            name = NAME.fullmatch(attempt)
            if name is None:
                continue
            staged = self._prefix.names(f"{STAGING}/{attempt}")
            if not staged:  # its owner, or another process, has just moved it
                continue
            run_id, last = name["run_id"], max(entry.modified for entry in staged.values())
            if registry.committed(run_id) == int(name["token"], 16):
                self._move(attempt, run_id)
                self._prefix.fetch([f"{run_id}/{needed}" for needed in _NEEDED], self.folder)
                notices.append(f"run {run_id} was committed and not published; it is published now")
            elif datetime.now(UTC) - last > _SURELY_DEAD:
                self._prefix.delete(list(staged))
                notices.append(f"run {run_id} was abandoned before its commit; what it left is removed")
        return notices

    def stage(self, place: Workspace) -> None:
        home = place.publication
        files = {f"{STAGING}/{place.folder.name}/{path.relative_to(home).as_posix()}": path for path in _files(home)}
        left = set(self._prefix.names(f"{STAGING}/{place.folder.name}")) - set(files)
        self._prefix.delete(sorted(left))  # of a try that another writer came before
        self._prefix.upload(files)

    def publish(self, place: Workspace, run_id: str) -> None:
        self._move(place.folder.name, run_id)

    def _move(self, attempt: str, run_id: str) -> None:
        """Bring a staged run to its place, wherever an earlier try stopped; several may be at it at once."""
        home = f"{STAGING}/{attempt}/"
        pending = home + PENDING
        others = [name for name in self._prefix.names(home.rstrip("/")) if name != pending]
        try:
            self._prefix.copy({name: f"{run_id}/{name.removeprefix(home)}" for name in others})
            self._prefix.copy({pending: f"{run_id}/{MANIFEST}"})
        except FileNotFoundError:
            # Only what is in its place already is ever taken away here, so somebody else has brought it there.
            return
        self._prefix.delete(others)
        self._prefix.delete([pending])

    def show(self, *names: str) -> None:
        files = [path for name in names for path in _files(self.folder / name)]
        self._prefix.upload({path.relative_to(self.folder).as_posix(): path for path in files})

    def bring(self, folder: str, ending: str) -> None:
        self._prefix.fetch([name for name in self._prefix.names(folder) if name.endswith(ending)], self.folder)

    def remove(self, folder: str) -> None:
        names = sorted(self._prefix.names(folder), key=lambda name: name != f"{folder}/{MANIFEST}")
        self._prefix.delete(names[:1])
        self._prefix.delete(names[1:])


@contextmanager
def output_at(location: Location) -> Iterator[Output]:
    """The output at a location; what is mirrored of it is gone at the end."""
    if not is_uri(location):
        yield _Here(Path(location))
        return
    with closing(Scratch()) as near:
        yield _Store(str(location), near.path)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
