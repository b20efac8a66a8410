"""Folders for what is brought near from object stores: of one process alone, and gone with it, however it ends."""

import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path

_PREFIX = "autopilot-intake-near-"


class Scratch:
    """An empty folder that only its owner may look into; it goes when it is closed, or with this object.

    Its lock tells others that its process lives: what a killed one left is removed by the next that needs a folder.

    Attributes:
        path: the folder.
    """

    def __init__(self) -> None:
        _remove_abandoned()
        lock = None
        while lock is None:  # another process may take a folder for abandoned before it is locked
            path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            lock = _locked(path)
        self.path = path
        self.close = weakref.finalize(self, _remove, path, lock)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        lock = _locked(folder)
        if lock is not None:
            _remove(folder, lock)


def _locked(folder: Path) -> int | None:
    """The lock of a folder of this user's; None where another process holds it, or the folder is gone."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_uid == os.getuid() and folder.exists():
            return handle
    except BlockingIOError:
        pass
    os.close(handle)
    return None


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
