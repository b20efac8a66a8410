"""Folders of the output: where a run is prepared, how it is published, and what an interrupted one left."""

import fcntl
import json
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import Fault
from pipeline.registry import Registry
from pipeline.storage.durable import keep_private, make_folder, sync, sync_folder, sync_tree
from schemas.run import RunManifest

MANIFEST = "run.json"
"""A run is published when this file exists, and only then."""

STAGING = ".staging"
PENDING = "run.json.pending"
OWNER = "registry"
"""File of a prepared run that names the registry."""

ATTEMPTS = "attempts"
"""Folder beside the sets where each attempt at a bundle writes files of its own; those count that a task then names."""

_BEGUN, _ENDED = ".begun", ".ended"
"""Endings of the names of a workspace that is not whole."""

_SURELY_DEAD = 3_600
"""Seconds after which a process that began a workspace has died; that takes it a moment."""

_OWNER_ONLY = 0o700
"""What is prepared holds hashes and users; nobody else may look into it, nor into the run that it becomes."""

_TOKEN_BITS = 63
"""A token is stored as the version of a transaction, a signed 64-bit integer."""

PLACE_TAKEN = (
    "run {} was committed and is not published, since a run of another registry has its place; move that away, then "
    "start again"
)

NAME = re.compile(r"(?P<run_id>.+)-(?P<token>[0-9a-f]{16})")


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

    def seal(self, manifest: RunManifest, *, private: bool) -> None:
        """Write `run.json`, not yet under its name, and make all of the publication durable.

        A private one can be read by its owner alone.
        """
        (self.publication / PENDING).write_text(_text(manifest), encoding="utf-8")
        if private:
            keep_private(self.publication)
        sync_tree(self.publication)
        # A commit must not outlive what it stands for, nor the folders that this lies in.
        sync(_owner_file(self.folder))
        for folder in (self.folder, *self.folder.parents[:2]):
            sync_folder(folder.parent)

    def renew(self, manifest: RunManifest) -> None:
        """Write anew what `run.json` of a sealed publication will hold; where that cannot be, it holds what was sealed.

        It is written outside the publication, which a process that dies here leaves as it was.
        """
        renewed, sealed = self.folder / PENDING, self.publication / PENDING
        with suppress(OSError):
            renewed.write_text(_text(manifest), encoding="utf-8")
            shutil.copymode(sealed, renewed)
            sync(renewed)
            renewed.rename(sealed)
            sync_folder(self.publication)

    def require_way_to(self, destination: Path) -> None:
        """Learn before the commit that the publication can be moved to its place after it.

        Raises:
            Fault: it cannot; nothing was registered.
        """
        if destination.exists():
            message = f"output {destination}: was made meanwhile; nothing was registered, use another --run-id"
            raise Fault(message)
        tried, there = self.folder / "tried", destination.with_name(f".{self.folder.name}")
        try:
            tried.mkdir()
            tried.rename(there)
            there.rmdir()
        except OSError as error:
            message = (
                f"output {destination.parent}: {error.strerror}; nothing was registered, name a folder that this user "
                "may write to"
            )
            raise Fault(message) from error

    def publish(self, destination: Path) -> None:
        """Move the publication to its place, its `run.json` last. Begun before, it goes on where it stopped."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        if self.publication.exists():
            self.publication.rename(destination)
            sync_folder(destination.parent)
        if (destination / PENDING).exists():
            (destination / PENDING).rename(destination / MANIFEST)
            sync_folder(destination)


def _text(manifest: RunManifest) -> str:
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


@contextmanager
def workspace(output: Path, run_id: str, registry: Registry) -> Iterator[Workspace]:
    """A folder of this process alone, gone at the end; the lock in it tells others that its owner lives.

    It gets its name once it is whole and loses it before it is taken apart, so that no half of one is ever met.
    `registry` is the one that the run will commit to.

    Raises:
        Fault: the output cannot be written to.
    """
    token = secrets.randbits(_TOKEN_BITS)
    folder = output / STAGING / f"{run_id}-{token:016x}"
    unnamed = folder.with_name(f"{folder.name}{_BEGUN}")
    try:
        make_folder(unnamed.parent)
        unnamed.mkdir(mode=_OWNER_ONLY)
    except OSError as error:
        message = f"output {output}: {error.strerror}; name a folder that this user may write to"
        raise Fault(message) from error
    place = Workspace(folder, token)
    with _lock_file(unnamed).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _owner_file(unnamed).write_text(owner_text(registry), encoding="utf-8")
        unnamed.rename(folder)
        try:
            yield place
        finally:
            if not place.in_doubt:
                _remove(folder)


def recover(output: Path, registry: Registry) -> list[str]:
    """Finish what interrupted runs left: publish what this registry committed, remove what it did not.

    Of another registry's runs nothing is touched, nor of one that has been moved here since: that it did not commit
    them may be because it is a copy.

    Returns:
        What was done, in sentences.
    """
    notices = []
    staging = output / STAGING
    for folder in sorted(staging.iterdir()) if staging.is_dir() else ():
        if _is_rubbish(folder):
            shutil.rmtree(folder, ignore_errors=True)
        elif name := NAME.fullmatch(folder.name):
            with _taken_over(folder) as owner:
                if owner is not None:
                    left = Workspace(folder, int(name["token"], 16))
                    notices += _recover(left, name["run_id"], owner, output, registry)
    return notices


def abandoned(output: Path) -> list[str]:
    """What processes that are dead prepared here, committed or not, by the names of its folders."""
    staging = output / STAGING
    return [folder.name for folder in sorted(staging.glob("*")) if _is_rubbish(folder) or _is_ownerless(folder)]


def _is_ownerless(folder: Path) -> bool:
    if not NAME.fullmatch(folder.name):
        return False
    with _taken_over(folder) as owner:
        return owner is not None


def _recover(left: Workspace, run_id: str, owner: str, output: Path, registry: Registry) -> list[str]:
    told = []
    if registry.committed(run_id) != left.token:
        if not is_owner(owner, registry):
            return []
        told.append(f"run {run_id} was abandoned before its commit; what it left is removed")
    elif not (output / run_id / MANIFEST).exists():
        left.publish(output / run_id)
        told.append(f"run {run_id} was committed and not published; it is published now")
    elif left.publication.exists():  # its own would have been moved there
        return [PLACE_TAKEN.format(run_id)]
    _remove(left.folder)
    return told


def _remove(folder: Path) -> None:
    """Take a workspace apart, which is none from the first moment on."""
    ended = folder.with_name(f"{folder.name}{_ENDED}")
    try:
        folder.rename(ended)
    except FileNotFoundError:  # another process looks after it
        return
    shutil.rmtree(ended, ignore_errors=True)


def _is_rubbish(folder: Path) -> bool:
    """Whether a process died while it made or removed a workspace here."""
    try:
        age = time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return False
    return folder.name.endswith(_ENDED) or (folder.name.endswith(_BEGUN) and age > _SURELY_DEAD)


def _lock_file(folder: Path) -> Path:
    return folder / "lock"


def _owner_file(folder: Path) -> Path:
    return folder / OWNER


def owner_text(registry: Registry) -> str:
    """What a prepared run says of the registry that it will commit to: what that is, and where."""
    return f"{registry.identity}\n{registry.name}\n"


def is_owner(owner: str, registry: Registry) -> bool:
    """Whether a prepared run is of this registry, and that has not been moved since; older runs name its place only."""
    return owner in (owner_text(registry), registry.name)


@contextmanager
def _taken_over(folder: Path) -> Iterator[str | None]:
    """Of which registry a process that is dead prepared a run here; nobody else takes it over meanwhile.

    None where it lives, or another process looks after it.
    """
    try:
        owner = _owner_file(folder).read_text(encoding="utf-8")
        lock = _lock_file(folder).open("r")
    except FileNotFoundError:  # its owner has just cleaned up
        yield None
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield owner if folder.exists() else None
