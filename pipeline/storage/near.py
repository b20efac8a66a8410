"""A local folder with objects of a store's folder, under their names: what is worked on instead of the store.

It is of one process alone and gone with it. Objects come to it through a cache, where there is one; those that were
found damaged here come once more from the store, for whichever process finds it: the folder says where it is from.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pipeline.errors import Fault
from pipeline.storage.cache import Cache, key_of
from pipeline.storage.locations import Location, is_uri
from pipeline.storage.objects import Entry, Prefix
from pipeline.storage.scratch import Scratch, is_scratch

_ORIGIN, _FILES = "origin.json", "files"


class Near:
    """Such a folder.

    Attributes:
        prefix: the store's folder.
        folder: the local one.
        is_cached: whether it has a cache.
    """

    def __init__(self, prefix: Prefix, cache: Path | None) -> None:
        cache = cache.absolute() if cache else None
        self.prefix, self._cache = prefix, Cache(cache) if cache else None
        self._scratch = Scratch(cache)
        self.folder, self.is_cached = self._scratch.path / _FILES, cache is not None
        self.folder.mkdir()
        origin = {"uri": prefix.uri, "cache": str(cache) if cache else None}
        (self._scratch.path / _ORIGIN).write_text(json.dumps(origin), encoding="utf-8")
        self._here: dict[str, str] = {}

    def close(self) -> None:
        """Remove it."""
        self._scratch.close()

    def bring(self, wanted: dict[str, Entry], check: Callable[[Path], None] | None = None) -> None:
        """Have objects here as a listing told of them, with the age that they have there; one that has gone is not.

        Args:
            wanted: by name.
            check: of those whose readers check what they read, looks at one that came from the store.
        """
        lacking = {
            name: entry
            for name, entry in wanted.items()
            if self._here.get(name) != entry.version or not (self.folder / name).exists()
        }
        placed = self._placed(lacking)
        came = self.prefix.fetch([name for name in lacking if name not in placed], self.folder)
        fresh = {name: version for name, version in came.items() if version is not None}
        for name in fresh:
            os.utime(self.folder / name, (lacking[name].modified.timestamp(),) * 2)
            if check:
                check(self.folder / name)
        self._here |= {name: lacking[name].version for name in placed} | fresh
        self._keep(fresh, vouched=check is not None)

    def _placed(self, wanted: dict[str, Entry]) -> set[str]:
        if self._cache is None:
            return set()
        names = {self._key(name, entry.version): name for name, entry in wanted.items()}
        paths = {key: self.folder / name for key, name in names.items()}
        sizes = {key: wanted[name].size for key, name in names.items()}
        return {names[key] for key in self._cache.place(paths, sizes)}

    def send(self, names: Iterable[str], *, vouched: bool = False) -> None:
        """Take files that were made here to the store; the argument is that of `Cache.keep`."""
        self.sent(self.prefix.upload({name: self.folder / name for name in names}), vouched=vouched)

    def sent(self, versions: dict[str, str | None], *, vouched: bool = False) -> None:
        """Objects that were made of files here are what the store has now, which need not come here again.

        Args:
            versions: what the store tells the bytes of each by; None where it tells nothing.
            vouched: as in `Cache.keep`.
        """
        told = {name: version for name, version in versions.items() if version is not None}
        self._here |= told
        self._keep(told, vouched=vouched)

    def _keep(self, versions: dict[str, str], *, vouched: bool) -> None:
        here = {name: version for name, version in versions.items() if (self.folder / name).exists()}
        if self._cache and here:
            files = {self._key(name, version): self.folder / name for name, version in here.items()}
            self._cache.keep(files, vouched=vouched)

    def _key(self, name: str, version: str) -> str:
        return key_of(f"{self.prefix.uri}/{name}", version)


@contextmanager
def at_hand(location: Location, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """A local folder with what is wanted of a location: itself where it is local, else for as long as it is used."""
    if not is_uri(location):
        yield Path(location)
        return
    prefix = Prefix(str(location))
    with closing(Near(prefix, None)) as near:
        there = {name: entry for name, entry in prefix.names().items() if wanted(name)}
        near.bring(there)
        for name in there:
            # A reference table less would be a check that is not made.
            if not (near.folder / name).exists():
                message = f"{prefix.uri}/{name}: was listed and is gone; start again"
                raise Fault(message)
        yield near.folder


def brought_anew(path: Path) -> bool:
    """Bring an object that is damaged here once more from the store, and keep it instead; False where there is none.

    Raises:
        Fault: the store failed.
    """
    scratch = next((folder for folder in path.parents if is_scratch(folder) and (folder / _ORIGIN).exists()), None)
    if scratch is None:
        return False
    origin = json.loads((scratch / _ORIGIN).read_text(encoding="utf-8"))
    prefix, name = Prefix(origin["uri"]), path.relative_to(scratch / _FILES).as_posix()
    version = prefix.fetch_to({name: path})[name]
    if version is None:
        return False
    if origin["cache"]:
        cache, key = Cache(Path(origin["cache"])), key_of(f"{prefix.uri}/{name}", version)
        cache.forget(key)
        cache.keep({key: path}, vouched=True)
    return True
