"""What a file is taken for the same by, from one look to the next."""

import os
from io import UnsupportedOperation
from pathlib import Path
from typing import BinaryIO, NamedTuple


class State(NamedTuple):
    """What changes when a file does: its size in bytes, when its content and its entry changed, its number.

    Of a file in a store only the size counts, since nothing but what was listed is ever read of it.
    """

    size: int
    changed: int
    entry_changed: int
    number: int


def state_of(path: Path) -> State:
    """The file as the system knows it now; zeros where it cannot be found."""
    try:
        return _state(path.lstat())
    except OSError:
        return State(0, 0, 0, 0)


def state_of_open(file: BinaryIO) -> State:
    """The file that is open, whatever its name has come to stand for."""
    try:
        handle = file.fileno()
    except UnsupportedOperation:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return State(size, 0, 0, 0)
    return _state(os.fstat(handle))


def _state(stat: os.stat_result) -> State:
    return State(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
