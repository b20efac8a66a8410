"""Opens the files of people who can put anything in their place: nothing but the file that was meant is ever read."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe is not waited for


def open_regular(path: Path, root: Path | None) -> BinaryIO:
    """Open a regular file that is reached without a link.

    Args:
        path: the file.
        root: the folder below which no link is followed; None for the file's own.

    Raises:
        OSError: it is something else, or cannot be opened.
    """
    home = root or path.parent
    *folders, name = path.relative_to(home).parts
    folder = os.open(home, _FOLDER)
    try:
        for inner in folders:
            below = os.open(inner, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        handle = os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        message = f"{path}: no regular file"
        raise OSError(message)
    return os.fdopen(handle, "rb")
