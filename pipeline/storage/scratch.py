"""Folders for what is brought near from object stores: of one process alone, and gone with it, however it ends."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path

from pipeline.errors import Fault

_PREFIX = "autopilot-intake-near-"

_MOST_TRIES = 10
"""Another process may take a new folder for an abandoned one before it is locked, hardly twice."""


class Scratch:
    """An empty folder that only its owner may look into; it goes when it is closed, or with this object.

    Its lock tells others that its process lives: what a killed one left is removed by the next that needs a folder.

    Attributes:
        path: the folder.

    Raises:
        Fault: the place for temporary files has no locks.
    """

    def __init__(self) -> None:
        _remove_abandoned()
        self.path, lock = _made()
        self.close = weakref.finalize(self, _remove, self.path, lock)


def _made() -> tuple[Path, int]:
    for _ in range(_MOST_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _locked(path)
        if lock is not None:
            return path, lock
        shutil.rmtree(path, ignore_errors=True)
    message = (
        f"{tempfile.gettempdir()}: folders cannot be locked there; let TMPDIR name one on a local disk, and use "
        "Linux or macOS"
    )
    raise Fault(message)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        lock = _locked(folder)
        if lock is not None:
            _remove(folder, lock)


def _locked(folder: Path) -> int | None:
    """The lock of a folder of this user's; None where another process holds it, it is gone, or there are no locks."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none, and nothing else here needs it
    except ImportError:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_uid == os.getuid() and folder.exists():
            return handle
    except OSError:  # somebody else's, or a file system that has no locks
        pass
    os.close(handle)
    return None


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
