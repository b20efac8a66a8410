"""Files of object stores where they lie, for tasks in any process: read in ranges, written in pieces.

What is handed to a task is a name and what a listing told of it; credentials are those of the process that reads.
"""

import io
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from pipeline.storage.locations import Location, is_uri
from pipeline.storage.objects import Prefix
from pipeline.storage.scratch import Scratch

_T = TypeVar("_T")

_BUFFER = 4 << 20
"""Bytes asked for at once: enough for their way to cost more than the asking."""

_AHEAD, _BYTES_AHEAD = 16, 32 << 20
"""Files that come at once while another is read, and their bytes together."""

_WHOLE = 128 << 20
"""Bytes of the largest file that comes whole when its turn comes, and not in ranges each time that it is read: those
of the largest that is read by one task."""

_PIECE, _PIECES_AT_ONCE = 8 << 20, 2
"""Bytes of the pieces in which a file is written, and how many are on their way: what a task holds of it."""

store_at = lru_cache(maxsize=16)(Prefix)
"""The folder of a store, by its URI: a process keeps its connections."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object, as a listing told of it.

    Attributes:
        folder: URI of the store's folder.
        name: its name there.
        size: its bytes.
        mark: what the store tells its bytes by; None where it tells nothing.
    """

    folder: str
    name: str
    size: int
    mark: str | None

    def open(self) -> BinaryIO:
        """Open it to be read; it is the same object as long as it can be.

        Whoever reads may get:
            OSError: it is gone, or another by now.
            Fault: the store failed.
        """
        coming = _coming.get(self)
        return io.BytesIO(coming.result()) if coming else io.BufferedReader(_Ranges(self), min(_BUFFER, self.size + 1))

    def read(self, begin: int, end: int) -> bytes:
        """Some of its bytes; raises what a reader may get."""
        end = min(end, self.size)
        if begin >= end:
            return b""
        found = store_at(self.folder).read_range(self.name, begin, end, self.mark)
        if len(found) != end - begin:
            message = f"{self.folder}/{self.name}: is another by now"
            raise OSError(message)
        return found


_coming: dict[StoredFile, "Future[bytes]"] = {}
"""Small files that are read next in this process."""


def in_turn(items: Iterable[_T], file_of: Callable[[_T], StoredFile | None]) -> Iterator[_T]:
    """Give items one by one; small files of those that follow come meanwhile, and each once, however often it is read.

    Args:
        items: each is done with when the next is asked for.
        file_of: the file that an item is read from; None where it is not, or not in a store.
    """
    waiting: deque[tuple[_T, StoredFile | None]] = deque()
    left = iter(items)
    with ThreadPoolExecutor(_AHEAD) as pool:
        try:
            while True:
                while len(waiting) < _AHEAD and (found := next(((one, file_of(one)) for one in left), None)):
                    waiting.append(found)
                size = 0
                for at, (_, file) in enumerate(waiting):
                    size += file.size if file else 0
                    most = _BYTES_AHEAD if at else _WHOLE
                    if file and size <= most and file not in _coming:
                        _coming[file] = pool.submit(file.read, 0, file.size)
                if not waiting:
                    return
                yield waiting[0][0]
                _, file = waiting.popleft()
                if file and all(file != other for _, other in waiting):
                    _coming.pop(file, None)
        finally:
            for _, file in waiting:
                if file:
                    _coming.pop(file, None)
            pool.shutdown(cancel_futures=True)


@contextmanager
def writing(folder: Location, name: str) -> Iterator[BinaryIO]:
    """A new file of a folder, open to be written in one go; in a store it is there whole, or not at all."""
    if is_uri(folder):
        with store_at(str(folder)).writing(name, _PIECE, _PIECES_AT_ONCE) as writer:
            yield cast("BinaryIO", _Written(writer))
        return
    path = Path(folder) / name
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        yield file


def rename(folder: Location, names: dict[str, str]) -> None:
    """Give files of a folder other names; within a store that makes copies, all of them before any is gone."""
    if is_uri(folder):
        store = store_at(str(folder))
        store.copy(names)
        store.delete(list(names))
        return
    for name, other in names.items():
        path = Path(folder) / other
        path.parent.mkdir(exist_ok=True)
        (Path(folder) / name).rename(path)


def remove(folder: Location, name: str) -> None:
    """Remove what is below a folder of a folder."""
    if is_uri(folder):
        store = store_at(str(folder))
        store.delete(list(store.names(name)))
    else:
        shutil.rmtree(Path(folder) / name, ignore_errors=True)


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A folder to make files in that are sent elsewhere: this one where this machine has it, else one for a while."""
    if folder.exists():
        yield folder
        return
    with closing(Scratch()) as scratch:
        yield scratch.path


class _Written:
    """A writer as libraries know files: whether it is closed is no method, and its owner closes it."""

    closed = False

    def __init__(self, writer: Any) -> None:  # noqa: ANN401 - the library names no type
        self._writer = writer

    def write(self, data: bytes) -> int:
        return int(self._writer.write(data))

    def flush(self) -> None:
        """What is written goes when it is a piece, or all there is."""


class _Ranges(io.RawIOBase):
    """A stored file, of which each read asks for a range."""

    def __init__(self, file: StoredFile) -> None:
        super().__init__()
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what it is called with
        found = self._file.read(self._at, self._at + len(buffer))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)
