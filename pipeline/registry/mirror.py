"""A registry in an object store: its log and files are near for a while, and a commit is one object made there.

The name of a commit is its version. Of several writers that make the same version one succeeds, which is all that a
compare-and-swap needs; the others match again. With a cache only what is new comes through the network.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import IntakeError
from pipeline.registry.digests import require_sound, vouches_for_itself
from pipeline.registry.sidecars import FOLDER
from pipeline.storage.near import Near
from pipeline.storage.objects import Entry, Prefix, TakenError

_LOG = "_delta_log/"
_SIDECARS = f"{FOLDER}/"
_LAID_OUT = frozenset({".parquet", ".arrow"})


class Mirror:
    """The local copy of a registry in an object store; it belongs to this object alone and is gone with it."""

    def __init__(self, uri: str, cache: Path | None) -> None:
        self._prefix = Prefix(uri)
        self._near = Near(self._prefix, cache)
        self.uri, self.folder = self._prefix.uri, self._near.folder
        self._there: dict[str, Entry] = {}

    def pull_log(self) -> None:
        """Bring the log up to date; what a commit of ours left that was not the first is gone."""
        self._there = self._prefix.names()
        there = {name: entry for name, entry in self._there.items() if name.startswith(_LOG)}
        for path in (self.folder / _LOG).glob("*"):
            if f"{_LOG}{path.name}" not in there:
                path.unlink()
        self._near.bring(there)

    def pull(self, files: list[Path]) -> None:
        """Bring data files; one that is here already never changes. With a cache, their sidecars, too.

        Raises:
            RegistryError: one of them is damaged.
        """
        missing = [file.name for file in files if not file.exists() and file.name in self._there]
        sound = {name: self._there[name] for name in missing if vouches_for_itself(name)}
        self._near.bring(sound, require_sound)
        self._near.bring({name: self._there[name] for name in missing if name not in sound})
        if self._near.is_cached:
            self.pull_sidecars(files)

    def pull_sidecars(self, files: list[Path]) -> None:
        """Bring the sidecars of data files, those that there are."""
        stems = {file.stem for file in files}
        beside = {name: entry for name, entry in self._there.items() if name.startswith(_SIDECARS)}
        own = {name: entry for name, entry in beside.items() if name.removeprefix(_SIDECARS).split(".")[0] in stems}
        self._near.bring(own, lambda _: None)

    def push_sidecars(self, sidecars: list[Path]) -> None:
        """Take sidecars that were made here to the store."""
        self._near.send([f"{_SIDECARS}{sidecar.name}" for sidecar in sidecars], vouched=True)

    @contextmanager
    def laid_out(self) -> Iterator[None]:
        """For a while, let a file of the same size and age, all holes, stand here for each that is only there."""
        there = {self.folder / name: entry for name, entry in self._prefix.names().items()}
        holes = {path: entry for path, entry in there.items() if path.suffix in _LAID_OUT and not path.exists()}
        try:
            for path, entry in holes.items():
                path.parent.mkdir(exist_ok=True)
                path.touch()
                os.truncate(path, entry.size)
                os.utime(path, (entry.modified.timestamp(),) * 2)
            yield
        finally:  # they must not be taken for what they stand for
            for path in holes:
                path.unlink(missing_ok=True)

    def delete(self, files: list[Path]) -> None:
        """Delete files, here and there."""
        self._prefix.delete([file.relative_to(self.folder).as_posix() for file in files])
        for file in files:
            file.unlink(missing_ok=True)

    def push(self, version: int, files: list[Path], sent: dict[str, str | None]) -> None:
        """Take a commit that was made here to the store, its data files first, but for those that were sent.

        Raises:
            TakenError: another writer made this version; the data files are gone there.
        """
        self._near.sent(sent, vouched=True)
        self._near.send([file.name for file in files if file.name not in sent], vouched=True)
        try:
            self._claim(version)
        except TakenError:
            self._prefix.delete([file.name for file in files])
            raise

    def push_checkpoint(self, version: int) -> None:
        """Take the checkpoint of a version to the store, if one was made."""
        checkpoints = list((self.folder / _LOG).glob(f"{version:020}.checkpoint*"))
        last = self.folder / _LOG / "_last_checkpoint"
        self._near.send([f"{_LOG}{path.name}" for path in checkpoints])
        if checkpoints and last.exists():
            self._near.send([f"{_LOG}{last.name}"])

    def push_creation(self) -> None:
        """Take a registry that was made here to the store; if another was made there meanwhile, that is the one."""
        try:
            self._claim(0)
        except TakenError:
            self.pull_log()

    def _claim(self, version: int) -> None:
        path = self.folder / _LOG / f"{version:020}.json"
        try:
            told = self._prefix.claim(f"{_LOG}{path.name}", path.read_bytes())
        except TakenError:
            path.unlink()
            raise
        self._near.sent({f"{_LOG}{path.name}": told})

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors name the registry where it is, not where its mirror lies."""
        try:
            yield
        except IntakeError as error:
            raise type(error)(str(error).replace(str(self.folder), self.uri)) from error
