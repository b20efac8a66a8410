"""Folders to manifests: which files are read, and whose they are."""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import Fault, UsageError
from pipeline.ingest.names import fault_of, is_left_alone, is_manifest_name, likeness, mistaken_folder, printable
from pipeline.ingest.opening import open_regular
from pipeline.ingest.states import State, state_of
from pipeline.ingest.workbook import is_workbook, sheet_names
from pipeline.storage.locations import Location, is_uri
from pipeline.storage.objects import Prefix, markers_of
from pipeline.storage.places import StoredFile, in_turn
from schemas.kinds import REGISTRATION, kind_of_folder

_UNREADABLE, _NO_MANIFEST = "FILE_UNREADABLE", "FILE_TYPE_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One file of an inbox; a folder that cannot be read stands for what it holds.

    Attributes:
        path: where it lies; of a file in a store no more than its name counts.
        source_file: its path relative to the inbox, with `/`; bytes that are no UTF-8 are shown escaped.
        partner_id: the first folder, byte for byte; None for a file directly in the inbox.
        tenant_folder: the second folder, or the one below the partner's folder of a kind; None where there is none.
        kind: of manifest (`schemas.kinds`), by the folder that it lies in.
        root: the folder below which no link is followed on the way to it; None for its own.
        refused: the code of why it is not even opened; None for one that is to be read.
        mark: what a store's listing tells its bytes by; None where it tells none, or the file lies here.
        listed_size: its bytes where a store's listing told them.
        stored: where it is to be read, in a store.
        sheet: which sheet of a workbook it is; None for any other file, and for a workbook that cannot be read.
    """

    path: Path
    source_file: str
    partner_id: str | None
    tenant_folder: str | None
    root: Path | None = None
    refused: str | None = None
    mark: str | None = None
    listed_size: int | None = None
    stored: StoredFile | None = None
    sheet: str | None = None
    kind: str = REGISTRATION

    def state(self) -> State:
        """The file as the system knows it now, or as its store's listing told."""
        return state_of(self.path) if self.listed_size is None else State(self.listed_size, 0, 0, 0)

    def open(self) -> BinaryIO:
        """Open it to be read.

        Raises:
            OSError: it is no regular file any more, is reached by a link, or cannot be opened.
        """
        return self.stored.open() if self.stored else open_regular(self.path, self.root)


def with_sheets(manifests: Iterable[Manifest], known: Callable[[Manifest], tuple[str, ...]]) -> list[Manifest]:
    """The manifests, in the place of each workbook its sheets.

    Args:
        manifests: ordered by `source_file`.
        known: gives the names of a workbook's sheets where it need not be opened, else nothing.
    """
    found: dict[str, Manifest] = {}
    taken = set[str]()
    named = [(manifest, known(manifest) if _is_book(manifest) else None) for manifest in manifests]
    for manifest, sheets in in_turn(named, lambda one: one[0].stored if one[1] == () else None):
        taken.add(manifest.source_file)
        names = () if sheets is None else sheets or sheet_names(manifest.open)
        for name in names:
            place = f"{manifest.source_file}#{printable(name)}"
            while place in found or place in taken:
                place += "~"
            found[place] = replace(manifest, source_file=place, sheet=name)
        if not names:
            found[manifest.source_file] = manifest
    return [found[name] for name in sorted(found)]


def _is_book(manifest: Manifest) -> bool:
    return manifest.refused is None and is_workbook(manifest.path)


@dataclass(frozen=True, slots=True)
class Inbox:
    """What all inboxes hold.

    Attributes:
        manifests: every file but those left alone, by name.
        ignored: how many entries were left alone.
        notices: what could not be read, and why, in sentences.
    """

    manifests: tuple[Manifest, ...]
    ignored: int
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry that is told of: its path below the inbox, as the system has it, and what it is.

    Attributes:
        name: parts separated by `/`.
        path: where it lies, or will.
        root: the inbox.
        fault: why it cannot be read, as a clause; None where nothing is known against it.
        is_folder: it is a folder.
        mark: as in `Manifest`.
        size: its bytes.
        stored: as in `Manifest`.
    """

    name: str
    path: Path
    root: Path
    fault: str | None
    is_folder: bool = False
    mark: str | None = None
    size: int | None = None
    stored: StoredFile | None = None


@dataclass(slots=True)
class _Listing:
    """What listings found so far."""

    entries: list[_Entry] = field(default_factory=list)
    ignored: int = 0


def find_manifests(inboxes: tuple[Path, ...]) -> Inbox:
    """List the manifests of one or more local inboxes, ordered by relative path.

    Raises:
        UsageError: an inbox is no folder.
        Fault: an inbox itself cannot be read.
    """
    found = _Listing()
    for inbox in inboxes:
        _list_folder(inbox, found)
    return _inbox(found)


def inbox_at(*locations: Location) -> Inbox:
    """What one or more inboxes hold, wherever they are.

    Raises:
        UsageError: an inbox is no folder.
        Fault: an inbox itself cannot be read.
    """
    found = _Listing()
    for location in locations:
        if is_uri(location):
            _list_objects(Prefix(str(location)), found)
        else:
            _list_folder(Path(location), found)
    return _inbox(found)


def _list_folder(inbox: Path, found: _Listing) -> None:
    """Everything below a folder but what lies in hidden folders; links are told of and never followed."""
    if not inbox.is_dir():
        message = f"inbox {inbox}: not a folder; name the folder that holds <partner_id>/ folders"
        raise UsageError(message)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(inbox / folder) as scan:
                entries = list(scan)
        except OSError as error:
            if not folder:
                message = f"inbox {inbox}: {error.strerror}; give this user the right to read it"
                raise Fault(message) from error
            fault = f"the folder cannot be read ({error.strerror}); give this user the right to read it"
            found.entries.append(_Entry(folder, inbox / folder, inbox, fault, is_folder=True))
            continue
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if is_left_alone(entry.name):
                found.ignored += 1
            elif not entry.is_dir(follow_symlinks=False):
                found.entries.append(_local(entry, name, inbox))
            elif wrong := fault_of(name):
                found.entries.append(_Entry(name, Path(entry.path), inbox, wrong, is_folder=True))
            else:
                folders.append(name)


def _local(entry: os.DirEntry[str], name: str, inbox: Path) -> _Entry:
    path = Path(entry.path)
    try:
        told = entry.stat(follow_symlinks=False)
    except OSError as error:
        return _Entry(name, path, inbox, f"it cannot be looked at ({error.strerror})")
    if not stat.S_ISREG(told.st_mode):
        return _Entry(name, path, inbox, "it is a link or another special file; deliver the file itself")
    return _Entry(name, path, inbox, fault_of(name))


def _list_objects(prefix: Prefix, found: _Listing) -> None:
    """The objects of a store's folder, as if each lay under a number, since any name may be its own."""
    objects, unlisted = prefix.listing()
    root = Path(prefix.uri)
    hidden: set[str] = set()
    markers = markers_of(objects)
    for number, (name, entry) in enumerate(objects.items()):
        parts = name.split("/")
        above = next((at for at, part in enumerate(parts[:-1], 1) if is_left_alone(part)), None)
        if above is not None:
            hidden.add("/".join(parts[:above]))
        elif is_left_alone(parts[-1]) or name in markers:
            found.ignored += 1
        else:
            ending = "".join(Path(parts[-1].lower()).suffixes[-2:])[-8:]
            path = root / f"{number}{ending if is_manifest_name(name) else ''}"
            mark = f"{entry.size}:{entry.mark}" if entry.mark else None
            stored = StoredFile(prefix.uri, name, entry.size, entry.mark)
            found.entries.append(_Entry(name, path, root, fault_of(name), mark=mark, size=entry.size, stored=stored))
    found.ignored += len(hidden)
    for name in unlisted:
        fault = "the folder holds a name with an empty part, or one that means another folder; rename that"
        found.entries.append(_Entry(name, root / "unlisted", root, fault, is_folder=True))


def _inbox(found: _Listing) -> Inbox:
    alike: dict[str, int] = {}
    for entry in found.entries:
        key = likeness(entry.name)
        alike[key] = alike.get(key, 0) + 1
    manifests: dict[str, Manifest] = {}
    faults: dict[str, list[str]] = {}
    names: set[str] = set()
    for entry in sorted(found.entries, key=lambda entry: entry.name):
        fault = entry.fault or mistaken_folder(_folders(entry))
        if alike[likeness(entry.name)] > 1:
            fault = "it is in two inboxes, or beside one alike but for case or normalisation; rename one"
        if entry.name in names:  # in two inboxes: one row stands for both
            continue
        names.add(entry.name)
        manifest = _describe(entry, fault)
        while manifest.source_file in manifests:  # shown escaped it looks like another
            manifest = replace(manifest, source_file=f"{manifest.source_file}~")
        manifests[manifest.source_file] = manifest
        if fault:
            faults.setdefault(fault, []).append(manifest.source_file)
    notices = tuple(
        f"{files[0]}{f' and {len(files) - 1:,} more' if len(files) > 1 else ''}: not read: {fault}"
        for fault, files in sorted(faults.items())
    )
    return Inbox(tuple(manifests[name] for name in sorted(manifests)), found.ignored, notices)


def _folders(entry: _Entry) -> list[str]:
    parts = [printable(part) for part in entry.name.split("/")]
    return parts if entry.is_folder else parts[:-1]


def whose(folders: list[str]) -> tuple[str | None, str | None, str]:
    """Partner, tenant folder and kind of a file by the folders that it lies in, from the partner's on."""
    kinds = [kind_of_folder(name) for name in folders[1:3]]
    kind = next((kind for kind in kinds if kind), REGISTRATION)
    tenants = folders[2:] if kinds and kinds[0] else folders[1:]
    return folders[0] if folders else None, tenants[0] if tenants else None, kind


def _describe(entry: _Entry, fault: str | None) -> Manifest:
    parts = [printable(part) for part in entry.name.split("/")]
    partner, tenant, kind = whose(_folders(entry))
    refused = _UNREADABLE if fault else None if is_manifest_name(entry.name) else _NO_MANIFEST
    return Manifest(
        path=entry.path,
        source_file="/".join(parts),
        partner_id=partner,
        tenant_folder=tenant,
        root=entry.root,
        refused=refused,
        mark=entry.mark,
        listed_size=0 if entry.is_folder else entry.size,
        stored=entry.stored,
        kind=kind,
    )
