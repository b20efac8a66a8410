"""Opens the files of people who can put anything in their place: nothing but the file that was meant is ever read."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path, root: Path | None) -> BinaryIO:
    """Open a regular file that is reached without a link.

    Args:
        path: the file.
        root: the folder below which no link is followed; None for the file's own.

    Raises:
        OSError: it is something else, or cannot be opened.
    """
    home = root or path.parent
    parts = path.relative_to(home).parts
    file = _opened(home, parts) if os.open in os.supports_dir_fd else _looked_at(home, parts)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _no_file(path)
    return file


def _opened(home: Path, parts: tuple[str, ...]) -> BinaryIO:
    """The file, each folder opened in the one before."""
    *folders, name = parts
    in_folder = os.O_RDONLY | os.O_DIRECTORY
    folder = os.open(home, in_folder)
    try:
        for inner in folders:
            below = os.open(inner, in_folder | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        # A pipe is not waited for.
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    return os.fdopen(handle, "rb")


def _looked_at(home: Path, parts: tuple[str, ...]) -> BinaryIO:
    """The same where a system cannot open one thing in another: what was opened must be what was looked at."""
    path = home
    for name in parts:
        path /= name
        found = path.lstat()
        is_link = stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) in _LINKS
        if is_link or not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
            raise _no_file(path)
    file = path.open("rb")
    if not os.path.samestat(found, os.fstat(file.fileno())):
        file.close()
        raise _no_file(path)
    return file


_LINKS = frozenset({0xA0000003, 0xA000000C})
"""Tags of what leads elsewhere on NTFS: mount points and symbolic links."""


def _no_file(path: Path) -> OSError:
    return OSError(f"{path}: no regular file")
