"""Objects of stores that are kept on this machine between runs, so that what does not change comes here once.

A kept object is a file under a name made of where it lies and what the store tells its bytes by, so that another under
the same name is another file. Whoever uses one has it linked into a folder of its own: what is removed here meanwhile
stays there, and how often a file is linked says whether anybody uses it. A file appears here whole or not at all.
"""

import errno
import hashlib
import os
import secrets
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path

from pipeline.errors import UsageError

_KEPT = "kept"
_UNVOUCHED = "-"
"""Stands for the digest of a file whose readers check what they read."""

_SHARE = 0.5
"""Of the room on its disk, free or its own, that a cache takes: what else is there grows, too."""

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_ABANDONED_SECONDS = 3_600
"""After which an unfinished copy is nobody's any more."""


class Cache:
    """A cache in a folder, for any number of processes at once.

    Args:
        folder: where it is; made where there is none, for its owner alone.
        limit: most bytes that it takes; None for half of what its disk has room for.

    Raises:
        UsageError: others may write to it.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder, self._limit = folder, limit
        self._kept = folder / _KEPT
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(folder)
        self._kept.mkdir(mode=0o700, exist_ok=True)

    def place(self, wanted: dict[str, Path], sizes: dict[str, int]) -> set[str]:
        """Let kept objects stand at some paths, those that are whole; one that is not is forgotten.

        Args:
            wanted: paths, by `key_of` their objects.
            sizes: bytes that each has.

        Returns:
            Keys of those that do.
        """
        kept = self._names()
        return {key for key, path in wanted.items() if key in kept and self._place(kept[key], path, sizes[key])}

    def _place(self, name: str, path: Path, size: int) -> bool:
        kept, linked = self._kept / name, path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.utime(kept, ns=(time.time_ns(), kept.stat().st_mtime_ns))
            _link(kept, linked)
        except FileNotFoundError:  # removed by another process since it was seen
            return False
        told = name.partition(".")[2]
        if linked.stat().st_size == size and (told == _UNVOUCHED or told == _digest(linked)):
            linked.replace(path)
            return True
        kept.unlink(missing_ok=True)
        linked.unlink()
        return False

    def keep(self, files: dict[str, Path], *, vouched: bool) -> None:
        """Keep files, as far as there is room; what was used least recently, and by nobody now, makes some.

        Args:
            files: by `key_of` their objects; they never change.
            vouched: whether their readers check what they read, so that they need no digest here.
        """
        room = self._room_for(sum(path.stat().st_size for path in files.values()))
        for key, path in files.items():
            room -= path.stat().st_size
            if room < 0:
                return
            name = f"{key}.{_UNVOUCHED if vouched else _digest(path)}"
            unfinished = self._kept / f".{secrets.token_hex(8)}"
            with suppress(OSError):  # what cannot be kept, on a full disk, comes anew the next time
                _link(path, unfinished)
                unfinished.replace(self._kept / name)
            unfinished.unlink(missing_ok=True)  # the same file under both names is not renamed, either

    def forget(self, key: str) -> None:
        """Keep an object no longer."""
        name = self._names().get(key)
        if name:
            (self._kept / name).unlink(missing_ok=True)

    def _names(self) -> dict[str, str]:
        """Names of the kept files, by their objects' keys."""
        return {path.stem: path.name for path in self._kept.iterdir() if not path.name.startswith(".")}

    def _room_for(self, size: int) -> int:
        """Make room for so many bytes; the bytes that there is room for now."""
        files = []
        for path in self._kept.iterdir():
            with suppress(FileNotFoundError):  # removed by another process since it was seen
                files.append((path.stat(), path))
        taken = sum(status.st_size for status, _ in files)
        room = self._most(taken) - taken
        for status, path in sorted(files, key=lambda file: file[0].st_atime_ns):
            if room >= size:
                break
            is_copy = path.name.startswith(".")
            is_used = status.st_nlink > 1 or (is_copy and time.time() - status.st_atime < _ABANDONED_SECONDS)
            if not is_used:
                path.unlink(missing_ok=True)
                room += status.st_size
        return room

    def _most(self, taken: int) -> int:
        return int((shutil.disk_usage(self._kept).free + taken) * _SHARE) if self._limit is None else self._limit


def _require_own(folder: Path) -> None:
    """What is kept is believed, so nobody else may have put it there."""
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & _OTHERS_WRITE:
        message = f"--cache {folder}: others may write to it; name a folder of this user's, or `chmod go-w` this one"
        raise UsageError(message)


def key_of(uri: str, version: str) -> str:
    """What an object is kept by.

    Args:
        uri: of the object.
        version: what the store tells its bytes by.
    """
    return hashlib.sha256(f"{uri}\0{version}".encode()).hexdigest()


def _link(path: Path, other: Path) -> None:
    """Let a file stand under another name as well; where that cannot be, a copy of it."""
    try:
        os.link(path, other)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
            raise
        shutil.copy2(path, other)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
