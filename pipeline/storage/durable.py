"""Makes files last through a power cut, appear at once, and belong to their owner alone."""

import os
import shutil
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file, and the entry that names it, to the disk."""
    _sync(path)
    _sync(path.parent)


def sync_folder(folder: Path) -> None:
    """Force the entries of a folder to the disk."""
    _sync(folder)


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, where there is none; what is made lasts."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def keep_private(folder: Path) -> None:
    """Let nobody but the owner read or enter what is below a folder."""
    for place, _, files in os.walk(folder):
        Path(place).chmod(0o700)
        for name in files:
            Path(place, name).chmod(0o600)


def sync_tree(folder: Path) -> None:
    """Force everything below a folder, and the folder's own entry, to the disk."""
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(place, name))
        _sync(Path(place))
    _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_text(path: Path, text: str) -> None:
    """Write a file that others may read meanwhile: they see the old one or the new one, never half of either.

    Who may read the old one may read the new one.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    if path.exists():
        shutil.copymode(path, unfinished)
    unfinished.replace(path)
