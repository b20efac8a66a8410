"""The program as one file, for processes on machines that have not installed it."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pipeline.storage.scratch import Scratch

_PACKAGES = ("pipeline", "schemas")
_LEFT_OUT = ("__pycache__", ".md")
"""Endings of what no process needs."""

_SCRATCH = cache(Scratch)
"""A folder of this process, once one is needed."""

_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The earliest that an archive can tell: the same program makes the same bytes."""


@cache
def archive() -> Path:
    """All modules of the program and what lies beside them, as Python imports them from a zip archive.

    Its name tells its bytes, so that no two programs are taken for one. It lies at one place as long as this process
    lives: an executor may come at any time, and a session that stays knows it by its path.
    """
    return write_archive(_SCRATCH().path)


def write_archive(folder: Path) -> Path:
    """Write the archive into a folder."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as filled:
        for package in _PACKAGES:
            for name, content in _contents(files(package), package):
                filled.writestr(zipfile.ZipInfo(name, _MOMENT), content, zipfile.ZIP_DEFLATED)
    path = folder / f"autopilot_intake-{hashlib.sha256(made.getvalue()).hexdigest()[:16]}.zip"
    path.write_bytes(made.getvalue())
    return path


def _contents(place: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(place.iterdir(), key=lambda one: one.name):
        if entry.name.endswith(_LEFT_OUT):
            continue
        if entry.is_dir():
            yield from _contents(entry, f"{name}/{entry.name}")
        else:
            yield f"{name}/{entry.name}", entry.read_bytes()
