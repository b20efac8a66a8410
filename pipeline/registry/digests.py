"""Digests of data files, by which a flipped bit is found before what it changed is believed.

The footer of a data file holds a CRC-32 of each block before it, and the file's name, which the table's log holds, that
of the footer. So whoever reads a column checks only the blocks that it lies in, and a file needs nothing beside it.
"""

import base64
import re
import zlib
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.arrays import Ints
from pipeline.errors import RegistryError
from pipeline.storage.near import brought_anew

_NAME = re.compile(r"(?:part|requests)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-(?P<footer>[0-9a-f]{8})\.parquet")
_KEY = b"autopilot-intake digests"

_BLOCK = 1 << 16
"""Bytes of a block: a column of a large file is read with little around it, and a GB has 64 KB of digests."""

_TAIL = 8
"""Bytes at the end of a Parquet file: the footer's size and a magic number."""

_MOST_FOOTERS = 64
"""Footers kept in memory; only large files have large ones."""


class DigestingFile:
    """A new data file, and the digests of what is written to it so far; pyarrow writes to it as to any file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._digests: list[int] = []
        self._unfinished, self._room = 0, _BLOCK
        self._footer: int | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Write bytes."""
        if self._footer is not None:
            self._footer = zlib.crc32(data, self._footer)
            return self._file.write(data)
        rest = memoryview(data)
        while len(rest) >= self._room:
            self._digests.append(zlib.crc32(rest[: self._room], self._unfinished))
            rest = rest[self._room :]
            self._unfinished, self._room = 0, _BLOCK
        self._unfinished, self._room = zlib.crc32(rest, self._unfinished), self._room - len(rest)
        return self._file.write(data)

    def flush(self) -> None:
        """Hand what is written to the system."""
        self._file.flush()

    def close(self) -> None:
        """No more bytes."""
        self._file.close()

    def seal(self) -> dict[bytes, bytes]:
        """End of the records; what the footer, which is all that follows, has to hold."""
        digests = [*self._digests, self._unfinished] if self._room < _BLOCK else self._digests
        self._footer = 0
        return {_KEY: base64.b64encode(np.asarray(digests, "<u4").tobytes())}

    def named(self, path: Path) -> Path:
        """The name that vouches for the file: the one that it was begun under, and the digest of its footer."""
        return path.with_name(f"{path.stem}-{self._footer:08x}{path.suffix}")


class _Footer(NamedTuple):
    """What a footer says: the digest of each block before it, where it begins, and its row groups."""

    digests: Ints
    begin: int
    metadata: pq.FileMetaData


def vouches_for_itself(name: str) -> bool:
    """Whether a data file of this name has digests; one that was written before there were any has none."""
    return _NAME.fullmatch(name) is not None


def require_sound(file: Path, columns: Collection[str] | None = None) -> None:
    """Refuse a data file of which a bit changed since it was written, in some columns or anywhere.

    One that has no digests is taken as it is; one that is only near, and in a store, comes from there anew first.

    Raises:
        RegistryError: it did.
    """
    name = _NAME.fullmatch(file.name)
    if name is None:
        return
    try:
        _require_sound(file, name["footer"], columns)
    except RegistryError:
        if not brought_anew(file):
            raise
        _require_sound(file, name["footer"], columns)


def _require_sound(file: Path, digest: str, columns: Collection[str] | None) -> None:
    footer = _footer_of(file, digest)
    blocks = np.arange(len(footer.digests)) if columns is None else _blocks_of(footer, columns)
    with file.open("rb") as opened:
        for block in blocks.tolist():
            first = block * _BLOCK
            opened.seek(first)
            if zlib.crc32(opened.read(min(_BLOCK, footer.begin - first))) != footer.digests[block]:
                raise _damage(file)


def holds_only(file: Path, column: str, value: str) -> bool:
    """Whether a data file says of every group of its records that they have this value, and no other, in a column.

    Raises:
        RegistryError: what it says of them is damaged.
    """
    name = _NAME.fullmatch(file.name)
    metadata = _footer_of(file, name["footer"]).metadata if name else pq.read_metadata(file)
    at = next(at for at in range(metadata.num_columns) if _column(metadata, at) == column)
    told = (metadata.row_group(number).column(at).statistics for number in range(metadata.num_row_groups))
    return all(one is not None and one.null_count == 0 and one.min == one.max == value for one in told)


def _damage(file: Path) -> RegistryError:
    return RegistryError(f"registry file {file}: is damaged, its digest does not fit; restore it from a backup")


def _footer_of(file: Path, digest: str) -> _Footer:
    try:
        return _footer_at(file, digest)
    except RegistryError:
        if not brought_anew(file):
            raise
        return _footer_at(file, digest)


def _footer_at(file: Path, digest: str) -> _Footer:
    status = file.stat()
    return _footer(file, int(digest, 16), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(_MOST_FOOTERS)
def _footer(file: Path, digest: int, size: int, _changed: int, _inode: int) -> _Footer:
    """The footer of a file of this size and time of change."""
    with file.open("rb") as opened:
        opened.seek(max(0, size - _TAIL))
        begin = size - _TAIL - int.from_bytes(opened.read(_TAIL)[:4], "little")
        opened.seek(max(0, begin))
        raw = opened.read()
    if zlib.crc32(raw) != digest:
        raise _damage(file)
    metadata = pq.read_metadata(pa.BufferReader(b"PAR1" + raw))
    digests = np.frombuffer(base64.b64decode(metadata.metadata[_KEY]), "<u4").astype(np.int64)
    return _Footer(digests, begin, metadata)


def _blocks_of(footer: _Footer, columns: Collection[str]) -> Ints:
    """Numbers of the blocks that some columns lie in."""
    places = [at for at in range(footer.metadata.num_columns) if _column(footer.metadata, at) in columns]
    groups = [footer.metadata.row_group(number) for number in range(footer.metadata.num_row_groups)]
    chunks = [group.column(at) for group in groups for at in places]
    touched = np.zeros(len(footer.digests), bool)
    for chunk in chunks:
        first = chunk.dictionary_page_offset or chunk.data_page_offset
        touched[first // _BLOCK : (first + chunk.total_compressed_size - 1) // _BLOCK + 1] = True
    return np.flatnonzero(touched)


def _column(metadata: pq.FileMetaData, at: int) -> str:
    path: str = metadata.schema.column(at).path
    return path.split(".", maxsplit=1)[0]
