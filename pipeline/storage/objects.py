"""Folders of object stores: Azure and S3, with credentials from the environment variables of those clouds.

Their objects are brought to a local folder, worked on there, and what is new is taken back. Nothing ever holds a
credential: neither a command line, nor a log, nor a message.
"""

import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import Fault, UsageError
from pipeline.storage.locations import NO_NAMES, require_plain

_AT_ONCE = 16
"""Objects moved at once: enough to fill a line, few enough for any store."""

_MOST_RETRIES, _LONGEST_RETRYING = 6, timedelta(seconds=90)
"""How often, and how long, a store that fails for a moment is asked again."""

_QUOTE = '"'

_T = TypeVar("_T")
_R = TypeVar("_R")


class TakenError(Exception):
    """An object that was to be made is there already, and is another's."""


class UnusableNameError(Fault):
    """The name of an object is no path."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a listing says of an object; `mark` is another once its bytes are, and None where the store has none."""

    size: int
    modified: datetime
    mark: str | None

    @property
    def version(self) -> str:
        """What its bytes are told by."""
        return _version(self.size, self.mark) or f"{self.size}:{self.modified.isoformat()}"


class Prefix:
    """A folder of an object store. Names are relative to it.

    Raises:
        UsageError: the URI, or what the environment says of the store, cannot be used.
    """

    def __init__(self, uri: str) -> None:
        import obstore  # noqa: PLC0415 - loaded only where it is used
        from obstore.store import from_url  # noqa: PLC0415

        self.uri = uri.rstrip("/")
        require_plain(self.uri)
        self._obstore: Any = obstore
        try:
            self._store = from_url(
                self.uri, retry_config={"max_retries": _MOST_RETRIES, "retry_timeout": _LONGEST_RETRYING}
            )
        except (obstore.exceptions.BaseError, ValueError) as error:
            message = f"{self.uri}: {_brief(error)}; check the URI and the cloud's environment variables"
            raise UsageError(message) from error

    def names(self, under: str = "") -> dict[str, Entry]:
        """Every object below a folder of it, by name."""
        with self._told(under):
            listed = [entry for batch in self._obstore.list(self._store, under or None) for entry in batch]
        return _by_name(listed)

    def listing(self) -> tuple[dict[str, Entry], list[str]]:
        """Every object below it by name, and the folders that cannot be listed since a name in them is no path.

        Raises:
            Fault: the store failed, or such a name lies directly in it.
        """
        try:
            return self.names(), []
        except UnusableNameError:
            return self._listing_by_folder()

    def _listing_by_folder(self) -> tuple[dict[str, Entry], list[str]]:
        objects: dict[str, Entry] = {}
        unlisted: list[str] = []
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with self._told(folder):
                    found = self._obstore.list_with_delimiter(self._store, folder or None)
            except UnusableNameError:
                if not folder:
                    raise
                unlisted.append(folder)
                continue
            objects |= _by_name(found["objects"])
            folders += [path.rstrip("/") for path in found["common_prefixes"]]
        return objects, unlisted

    def folders(self, under: str = "") -> list[str]:
        """Names of the folders directly below it, or below a folder of it."""
        with self._told(under):
            found = self._obstore.list_with_delimiter(self._store, under or None)["common_prefixes"]
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in found)

    def read(self, name: str) -> bytes | None:
        """The content of an object; None where there is none of this name."""
        try:
            with self._told(name):
                return bytes(self._obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None

    def read_range(self, name: str, begin: int, end: int, mark: str | None) -> bytes:
        """Some bytes of an object, as long as it is what a listing told of.

        Raises:
            FileNotFoundError: it is gone.
            FileExistsError: it is another by now, with another `mark`.
        """
        options: dict[str, Any] = {"range": (begin, end)}
        if mark:
            options["if_match"] = f"{_QUOTE}{mark.strip(_QUOTE)}{_QUOTE}"
        with self._told(name):
            return bytes(self._obstore.get(self._store, name, options=options).bytes())

    def fetch(self, names: list[str], folder: Path) -> dict[str, str | None]:
        """Bring objects to a local folder, those that there are; each appears there at once.

        Returns:
            The `version` of what came of each; None where there is none of this name.

        Raises:
            Fault: the store failed, or a name would lead out of the folder.
        """
        for name in names:
            if any(part in NO_NAMES for part in name.split("/")):
                message = f"{self.uri}/{name}: cannot be the name of a file; rename the object"
                raise Fault(message)
        return self.fetch_to({name: folder / name for name in names})

    def fetch_to(self, paths: dict[str, Path]) -> dict[str, str | None]:
        """Bring objects, by their names, to local paths, as `fetch` does."""
        return dict(zip(paths, _each(lambda name: self._fetch(name, paths[name]), list(paths)), strict=True))

    def _fetch(self, name: str, path: Path) -> str | None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        try:
            with self._told(name), unfinished.open("wb") as file:
                found = self._obstore.get(self._store, name)
                for chunk in found:
                    file.write(chunk)
        except FileNotFoundError:
            unfinished.unlink()
            return None
        unfinished.rename(path)
        return _entry(found.meta).version

    @contextmanager
    def writing(self, name: str, piece: int, at_once: int) -> Iterator[Any]:
        """A new object, to be written in pieces of so many bytes; one that is not written to its end never is there."""
        open_writer = self._obstore.open_writer
        with self._told(name), open_writer(self._store, name, buffer_size=piece, max_concurrency=at_once) as writer:
            yield writer

    def upload(self, files: dict[str, Path]) -> dict[str, str | None]:
        """Write local files under these names.

        Returns:
            The `version` that each object has then; None where the store does not say.
        """
        return dict(zip(files, _each(lambda name: self._put(name, files[name]), list(files)), strict=True))

    def _put(self, name: str, path: Path) -> str | None:
        with self._told(name):
            return _version(path.stat().st_size, self._obstore.put(self._store, name, path)["e_tag"])

    def claim(self, name: str, content: bytes) -> str | None:
        """Make an object that is not there; of several that try at once one succeeds.

        A store whose answer was lost is asked again, and then says that the object is there: if it holds what it
        should, it is ours.

        Returns:
            The `version` that it has then; None where the store does not say.

        Raises:
            TakenError: it is another's.
        """
        try:
            with self._told(name):
                made = self._obstore.put(self._store, name, content, mode="create")
                return _version(len(content), made["e_tag"])
        except FileExistsError as error:
            if self.read(name) != content:
                raise TakenError from error
            return None

    def copy(self, names: dict[str, str]) -> None:
        """Copy objects, by their names, to others, within the store."""

        def copy(name: str) -> None:
            with self._told(name):
                self._obstore.copy(self._store, name, names[name])

        _each(copy, list(names))

    def delete(self, names: list[str]) -> None:
        """Delete objects; one that is gone already is no matter."""

        def delete(name: str) -> None:
            try:
                with self._told(name):
                    self._obstore.delete(self._store, name)
            except FileNotFoundError:
                return

        _each(delete, names)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Faults of the store in our words; that something is there, or is not, is left to the caller."""
        errors = self._obstore.exceptions
        try:
            yield
        except (errors.AlreadyExistsError, errors.PreconditionError) as error:
            raise FileExistsError(name) from error
        except (errors.NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(name) from error
        except errors.InvalidPathError as error:
            message = f"{self.uri}/{name}: holds a name with an empty part, or one that means another folder; rename it"
            raise UnusableNameError(message) from error
        except errors.BaseError as error:
            message = f"{self.uri}/{name}: {_brief(error)}; check the store and its credentials, then start again"
            raise Fault(message) from error


def markers_of(objects: dict[str, Entry]) -> set[str]:
    """Objects of no bytes that stand for a folder: something lies below it, or it has no ending, as files have."""
    names = sorted(objects)

    def is_folder(name: str) -> bool:
        at = bisect_left(names, f"{name}/")
        return at < len(names) and names[at].startswith(f"{name}/")

    empty = [name for name, entry in objects.items() if entry.size == 0]
    return {name for name in empty if not Path(name).suffix or is_folder(name)}


def _by_name(listed: Iterable[dict[str, Any]]) -> dict[str, Entry]:
    """What is listed, by name. A folder's marker, of no bytes, is told by the name of what lies beside the folder."""
    return {one["path"]: _entry(one) for one in sorted(listed, key=lambda one: (one["path"], one["size"]))}


def _entry(listed: dict[str, Any]) -> Entry:
    return Entry(listed["size"], listed["last_modified"], listed.get("e_tag"))


def _version(size: int, mark: str | None) -> str | None:
    return f"{size}:{mark.strip(_QUOTE)}" if mark else None  # which some stores put marks in, here or there


def _each(do: Callable[[_T], _R], items: list[_T]) -> list[_R]:
    """Do something with each of many, some at once, and give what comes of each; the first fault ends it."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only stores need it, and help loads this module

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(do, items))


def _brief(error: Exception) -> str:
    """What went wrong, without the address that it went wrong at: that may hold a signature."""
    return type(error).__name__.removesuffix("Error") or "failed"
