"""Folders to manifests: which files are read, and whose they are."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Fault, UsageError
from pipeline.ingest.secrets import mask_in_name
from pipeline.ingest.survey import State, state_of

_MOST_MANIFESTS = 500_000
"""More files than that are no night but an accident, and what is known of each fills memory (about 3 KB)."""

_ENDINGS = (".csv", ".csv.gz", ".csv.zst")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One file of an inbox.

    Attributes:
        path: where it lies.
        source_file: its path relative to the inbox, with `/`; bytes that are no UTF-8 are shown escaped.
        partner_id: the first folder, byte for byte; None for a file directly in the inbox.
        tenant_folder: the second folder, None where there is none.
    """

    path: Path
    source_file: str
    partner_id: str | None
    tenant_folder: str | None

    def state(self) -> State:
        """The file as the system knows it now."""
        return state_of(self.path)


@dataclass(frozen=True, slots=True)
class Inbox:
    """The manifests of all inboxes by name, and how many entries were left alone."""

    manifests: tuple[Manifest, ...]
    ignored: int


def find_manifests(inboxes: tuple[Path, ...]) -> Inbox:
    """List the manifests of one or more inboxes, ordered by relative path.

    Raises:
        UsageError: an inbox is no folder, two inboxes hold the same relative path, or there are too many manifests.
        Fault: a folder cannot be read, so that rows might be missed.
    """
    manifests: dict[str, Manifest] = {}
    ignored = 0
    for inbox in inboxes:
        if not inbox.is_dir():
            message = f"inbox {inbox}: not a folder; name the folder that holds <partner_id>/ folders"
            raise UsageError(message)
        for entry in _entries(inbox):
            if not _is_manifest(entry):
                ignored += 1
                continue
            if len(manifests) == _MOST_MANIFESTS:
                message = f"inbox {inbox}: more than {_MOST_MANIFESTS:,} manifests; run its folders one after the other"
                raise UsageError(message)
            manifest = _describe(Path(entry.path), inbox)
            other = manifests.setdefault(manifest.source_file, manifest)
            if other is not manifest:
                message = (
                    f"{manifest.source_file}: is in two inboxes, {other.path} and {manifest.path}; "
                    "rename one, or run the inboxes one after the other"
                )
                raise UsageError(message)
    return Inbox(tuple(manifests[name] for name in sorted(manifests)), ignored)


def _entries(inbox: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder but what lies in hidden folders; links are listed and never followed."""
    folders = [os.fspath(inbox)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as error:
            message = f"inbox folder {folder}: {error.strerror}; give this user the right to read it"
            raise Fault(message) from error
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                folders.append(entry.path)
            else:
                yield entry


def _is_manifest(entry: os.DirEntry[str]) -> bool:
    return is_manifest_name(entry.name) and entry.is_file(follow_symlinks=False)


def is_manifest_name(name: str) -> bool:
    """Whether a file of this name, or path, is a manifest: by its ending, and nothing of it hidden."""
    hidden = any(part.startswith(".") for part in name.split("/"))
    return name.lower().endswith(_ENDINGS) and not hidden


def _describe(path: Path, inbox: Path) -> Manifest:
    folders = [printable(part) for part in path.relative_to(inbox).parts]
    return Manifest(
        path=path,
        source_file="/".join(folders),
        partner_id=folders[0] if len(folders) > 1 else None,
        tenant_folder=folders[1] if len(folders) > 2 else None,  # noqa: PLR2004 - partner/tenant/file
    )


def printable(name: str) -> str:
    """A name as text: product keys are masked, bytes that are no UTF-8 shown escaped; no two names look alike."""
    return mask_in_name(os.fsencode(name).decode("utf-8", "backslashreplace"))
