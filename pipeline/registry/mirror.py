"""A registry in an object store: its log and files are mirrored locally, and a commit is one object made there.

The name of a commit is its version. Of several writers that make the same version one succeeds, which is all that a
compare-and-swap needs; the others match again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import IntakeError
from pipeline.registry.digests import require_sound
from pipeline.storage.objects import Prefix, TakenError
from pipeline.storage.scratch import Scratch

_LOG = "_delta_log/"


class Mirror:
    """The local copy of a registry in an object store; it belongs to this object alone and is gone with it."""

    def __init__(self, uri: str) -> None:
        self._prefix = Prefix(uri)
        self.uri = self._prefix.uri
        self._near = Scratch()
        self.folder = self._near.path

    def pull_log(self) -> None:
        """Bring the log up to date; what a commit of ours left that was not the first is gone."""
        there = self._prefix.names(_LOG)
        here = {f"{_LOG}{path.name}" for path in (self.folder / _LOG).glob("*")}
        for name in here - set(there):
            (self.folder / name).unlink()
        new = [name for name in there if name not in here or name.endswith("_last_checkpoint")]
        self._prefix.fetch(new, self.folder)

    def pull(self, files: list[Path]) -> None:
        """Bring data files; one that is here already never changes.

        Raises:
            RegistryError: one of them is damaged.
        """
        missing = [file for file in files if not file.exists()]
        self._prefix.fetch([file.name for file in missing], self.folder)
        for file in missing:
            if file.exists():
                require_sound(file)

    @contextmanager
    def laid_out(self) -> Iterator[None]:
        """For a while, let a file of the same size and age, all holes, stand here for each that is only there."""
        there = {self.folder / name: entry for name, entry in self._prefix.names().items() if name.endswith(".parquet")}
        holes = {path: entry for path, entry in there.items() if not path.exists()}
        try:
            for path, entry in holes.items():
                path.touch()
                os.truncate(path, entry.size)
                os.utime(path, (entry.modified.timestamp(),) * 2)
            yield
        finally:  # they must not be taken for what they stand for
            for path in holes:
                path.unlink(missing_ok=True)

    def delete(self, files: list[Path]) -> None:
        """Delete files, here and there."""
        self._prefix.delete([file.name for file in files])
        for file in files:
            file.unlink(missing_ok=True)

    def push(self, version: int, files: list[Path]) -> None:
        """Take a commit that was made here to the store, its data files first.

        Raises:
            TakenError: another writer made this version.
        """
        self._prefix.upload({file.name: file for file in files})
        self._claim(version)

    def push_checkpoint(self, version: int) -> None:
        """Take the checkpoint of a version to the store, if one was made."""
        checkpoints = list((self.folder / _LOG).glob(f"{version:020}.checkpoint*"))
        last = self.folder / _LOG / "_last_checkpoint"
        self._prefix.upload({f"{_LOG}{path.name}": path for path in checkpoints})
        if checkpoints and last.exists():
            self._prefix.upload({f"{_LOG}{last.name}": last})

    def push_creation(self) -> None:
        """Take a registry that was made here to the store; if another was made there meanwhile, that is the one."""
        try:
            self._claim(0)
        except TakenError:
            self.pull_log()

    def _claim(self, version: int) -> None:
        path = self.folder / _LOG / f"{version:020}.json"
        try:
            self._prefix.claim(f"{_LOG}{path.name}", path.read_bytes())
        except TakenError:
            path.unlink()
            raise

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors name the registry where it is, not where its mirror lies."""
        try:
            yield
        except IntakeError as error:
            raise type(error)(str(error).replace(str(self.folder), self.uri)) from error
