"""What has to hold before a registry is believed: it is one, of this version, and nothing of its log is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from pipeline.errors import RegistryError, is_panic
from pipeline.registry.log import LOG, WRITER, is_whole

_FORMAT_NAME, _FORMAT_VERSION = "autopilot-intake registry, format", 1
FORMAT = f"{_FORMAT_NAME} {_FORMAT_VERSION}"
"""Stands in the table's description, so that a table of another program or format is refused."""


def has_log(folder: Path) -> bool:
    """Whether anything was ever committed; a creation that was cut short leaves an empty log."""
    log = folder / LOG
    return any(log.glob("*.json")) or any(log.glob("*.parquet"))


def require_vacant(folder: Path) -> None:
    """Refuse to make a registry where something else is.

    Raises:
        RegistryError: it is.
    """
    if folder.exists() and (not folder.is_dir() or any(path.name != LOG for path in folder.iterdir())):
        message = f"registry {folder}: holds something else and no registry; name another folder"
        raise RegistryError(message)


def require_whole_log(folder: Path) -> None:
    """A commit that lost its end, or all of it, is read as one that changed less, so it must be found here.

    Older ones count through the checkpoint, which cannot be cut off unnoticed.

    Raises:
        RegistryError: one was cut off, or a bit of it changed.
    """
    log = folder / LOG
    checkpoints = [int(path.name.split(".")[0]) for path in log.glob("*.checkpoint*.parquet")]
    for path in log.glob("*.json"):
        version = int(path.stem) if path.stem.isdigit() else 0
        if version > max(checkpoints, default=0) and not is_whole(path):
            message = f"registry log {path}: was cut off or changed; restore the registry from a backup"
            raise RegistryError(message)


def require_own_commits(folder: Path, table: DeltaTable) -> None:
    """Refuse a table to which another program has committed: what it added may lack what matching goes by.

    Each commit but the first raises a number by one, and a checkpoint keeps that.

    Raises:
        RegistryError: one has.
    """
    own = table.transaction_version(WRITER) or 0
    if own != table.version():
        message = (
            f"registry {folder}: of {table.version()} versions {own} are autopilot-intake's; another program has "
            "changed it; restore it from a backup"
        )
        raise RegistryError(message)


def require_format(folder: Path, table: DeltaTable) -> None:
    """Refuse a table of another program, or of a version of ours that this one does not know.

    Columns may be added without a new format: those that a file lacks are null, those that this program does not know
    are left alone.

    Raises:
        RegistryError: it is one; the message says what to do.
    """
    found = table.metadata().description or "a table of another program"
    if found == FORMAT:
        return
    ours, _, version = found.rpartition(" ")
    advice = "name another folder"
    if ours == _FORMAT_NAME and version.isdigit():
        newer = int(version) > _FORMAT_VERSION
        advice = (
            "it was written by a newer autopilot-intake; update this one"
            if newer
            else "it was written by an older autopilot-intake; open it with that one, or import its records anew"
        )
    message = f"registry {folder}: found {found!r}; expected {FORMAT!r}; {advice}"
    raise RegistryError(message)


@contextmanager
def damage_told(folder: Path) -> Iterator[None]:
    """Turn what libraries say of a store that cannot be read into an error of ours."""
    try:
        yield
    except (DeltaError, pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        message = f"registry {folder}: cannot be read ({first}); restore it from a backup"
        raise RegistryError(message) from error
    except BaseException as error:
        if not is_panic(error):
            raise
        message = f"registry {folder}: cannot be read (its library gave up); restore it from a backup"
        raise RegistryError(message) from error
