"""Folders of the output: where a run is prepared, how it is published, and what an interrupted one left."""

import fcntl
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.durable import sync_folder, sync_tree
from pipeline.errors import Fault
from pipeline.registry import Registry
from schemas.run import RunManifest

MANIFEST = "run.json"
"""A run is published when this file exists, and only then."""

_STAGING = ".staging"
_PENDING = "run.json.pending"
_TOKEN_BITS = 63
"""A token is stored as the version of a transaction, a signed 64-bit integer."""

_NAME = re.compile(r"(?P<run_id>.+)-(?P<token>[0-9a-f]{16})")


class Workspace:
    """Where one process prepares one run: `<output>/.staging/<run_id>-<token>/`.

    Attributes:
        token: tells this attempt from all others; the registry's commit names it.
        in_doubt: the commit was begun and the publication not finished, so that the next start must look after it.
    """

    def __init__(self, folder: Path, token: int) -> None:
        self.folder, self.token = folder, token
        self.in_doubt = False

    @property
    def publication(self) -> Path:
        """What will be moved to `<output>/<run_id>/`."""
        return self.folder / "publication"

    @property
    def rows(self) -> Path:
        """Folder of staged rows."""
        return self.folder / "rows"

    def begin_publication(self) -> Path:
        """An empty folder to publish; what an earlier try of this process left in it is gone."""
        shutil.rmtree(self.publication, ignore_errors=True)
        self.publication.mkdir()
        return self.publication

    def seal(self, manifest: RunManifest) -> None:
        """Write `run.json`, not yet under its name, and make all of the publication durable."""
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        (self.publication / _PENDING).write_text(text + "\n", encoding="utf-8")
        sync_tree(self.publication)

    def publish(self, destination: Path) -> None:
        """Move the publication to its place, its `run.json` last. Begun before, it goes on where it stopped."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        if self.publication.exists():
            self.publication.rename(destination)
            sync_folder(destination.parent)
        if (destination / _PENDING).exists():
            (destination / _PENDING).rename(destination / MANIFEST)
            sync_folder(destination)


@contextmanager
def workspace(output: Path, run_id: str, registry: Path) -> Iterator[Workspace]:
    """A folder of this process alone, gone at the end; the lock in it tells others that its owner lives.

    Raises:
        Fault: the output cannot be written to.
    """
    token = secrets.randbits(_TOKEN_BITS)
    folder = output / _STAGING / f"{run_id}-{token:016x}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        message = f"output {output}: {error.strerror}; name a folder that this user may write to"
        raise Fault(message) from error
    place = Workspace(folder, token)
    with _lock_file(folder).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _owner_file(folder).write_text(str(registry.resolve()), encoding="utf-8")
        try:
            yield place
        finally:
            if not place.in_doubt:
                shutil.rmtree(folder, ignore_errors=True)


def recover(output: Path, registry: Registry) -> list[str]:
    """Finish what interrupted runs of this registry left: publish what was committed, remove what was not.

    Returns:
        What was done, in sentences.
    """
    notices = []
    staging = output / _STAGING
    for folder in sorted(staging.iterdir()) if staging.is_dir() else ():
        name = _NAME.fullmatch(folder.name)
        if name is None or not _is_left(folder, registry):
            continue
        run_id, left = name["run_id"], Workspace(folder, int(name["token"], 16))
        if registry.committed(run_id) == left.token:
            left.publish(output / run_id)
            notices.append(f"run {run_id} was committed and not published; it is published now")
        else:
            notices.append(f"run {run_id} was abandoned before its commit; what it left is removed")
        shutil.rmtree(folder, ignore_errors=True)
    return notices


def _lock_file(folder: Path) -> Path:
    return folder / "lock"


def _owner_file(folder: Path) -> Path:
    return folder / "registry"


def _is_left(folder: Path, registry: Registry) -> bool:
    """Whether a run of this registry was prepared here by a process that is dead."""
    try:
        if _owner_file(folder).read_text(encoding="utf-8") != str(registry.folder.resolve()):
            return False
        with _lock_file(folder).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        # Its owner has just begun, is at work, or has just cleaned up.
        return False
    return True
