"""Folders for what is brought near from object stores: of one process alone, and gone with it, however it ends."""

import os
import platform
import re
import shutil
import tempfile
import weakref
from pathlib import Path

from pipeline.errors import Fault

_NAME = "autopilot-intake-near-"
_OWN = f"{_NAME}{re.sub('[^A-Za-z0-9]', '-', platform.node())}-"
"""Whose name has another machine in it is not looked at: on a shared disk its lock may say nothing here."""

_MOST_TRIES = 10
"""Another process may take a new folder for an abandoned one before it is locked, hardly twice."""


class Scratch:
    """An empty folder that only its owner may look into; it goes when it is closed, or with this object.

    Its lock tells others that its process lives: what a killed one left is removed by the next that needs a folder.

    Attributes:
        path: the folder.

    Raises:
        Fault: the place has no locks.
    """

    def __init__(self, place: Path | None = None) -> None:
        """Make it in a place; None for that of temporary files."""
        place = place or Path(tempfile.gettempdir())
        _remove_abandoned(place)
        self.path, lock = _made(place)
        self.close = weakref.finalize(self, _remove, self.path, lock)


def is_scratch(folder: Path) -> bool:
    """Whether a folder is one of these by its name."""
    return folder.name.startswith(_NAME)


def _made(place: Path) -> tuple[Path, int]:
    for _ in range(_MOST_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_OWN, dir=place))
        lock = _locked(path)
        if lock is not None:
            return path, lock
        shutil.rmtree(path, ignore_errors=True)
    message = (
        f"{place}: folders cannot be locked there; let TMPDIR, or --cache where it is given, name one on a local disk, "
        "and use Linux or macOS"
    )
    raise Fault(message)


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{_OWN}*"):
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
