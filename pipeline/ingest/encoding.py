"""Bytes of a file to UTF-8 text, whatever it was: compression, byte order marks, UTF-16, cp1252."""

import codecs
import gzip
import sys
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import numpy as np
import pyarrow as pa

from pipeline.ingest.lines import BLOCK_BYTES, NEWLINE
from pipeline.ingest.mixture import told_apart

UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException)
"""What reading or decompressing a file raises when the file is at fault."""

CHUNK = 1 << 20
_COMPRESSED_CHUNK = 1 << 16
"""What a failed read of a compressed stream loses, so it is small."""

_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# cp1252 leaves five bytes undefined; they stay the control characters of the same number, which are findings.
_FIRST_OTHER, _OTHERS = np.uint8(0x80), 0x20
_CP1252 = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}


class Source(Protocol):
    """A file as far as it is needed here."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        ...


class Transcoder:
    """Turns the chunks of a file into UTF-8.

    What is no text in the encoding stays no text: it comes out as bytes that are not UTF-8.
    """

    def __init__(self, encoding: str, *, marked: bool = True) -> None:
        self._decoder = (
            codecs.getincrementaldecoder(encoding)("surrogatepass") if encoding.startswith("utf-16") else None
        )
        self._from_cp1252 = encoding == "cp1252"
        self._mark = next((mark for mark, name in MARKS if name == encoding), b"") if marked else b""

    def feed(self, chunk: bytes) -> bytes:
        """UTF-8 for the next chunk."""
        if self._mark:
            chunk, self._mark = chunk.removeprefix(self._mark), b""
        if self._decoder:
            return self._decoder.decode(chunk).encode("utf-8", "surrogatepass")
        if self._from_cp1252 and not chunk.isascii():
            # Nearly always nothing stands where cp1252 differs from Latin-1, which is decoded ten times as fast.
            decoded = chunk.decode("latin-1")
            differs = (np.frombuffer(chunk, np.uint8) - _FIRST_OTHER < _OTHERS).any()
            return (decoded.translate(_CP1252) if differs else decoded).encode("utf-8")
        return chunk

    def close(self) -> bytes:
        """What an incomplete last character of UTF-16 leaves: one byte that is no UTF-8."""
        if self._decoder and self._decoder.getstate()[0]:
            return b"\xff"
        return b""


def read_text(path: Path, encoding: str | None, newline: bytes) -> Iterator[bytes]:
    """The text of a file that the user named, as `read_open` gives it; none where it has no encoding."""
    if encoding is not None:
        with path.open("rb") as file:
            yield from read_open(file, path, encoding, newline)


def read_open(
    file: BinaryIO, path: Path, encoding: str, newline: bytes, begin: int = 0, end: int | None = None
) -> Iterator[bytes]:
    """A file's text as UTF-8 with lines that end in line feeds, chunk by chunk.

    Args:
        file: the file, open.
        path: its name, which tells how it is compressed.
        encoding: its own.
        newline: what ends its lines.
        begin: bytes before the part that is wanted.
        end: bytes before what follows that part; None where nothing does.

    Raises:
        OSError: (or another of `UNREADABLE`) the file cannot be read on.
    """
    transcoder = Transcoder(encoding, marked=begin == 0)
    at_once = BLOCK_BYTES if encoding.startswith("utf-8") else None  # what need not be changed need not be joined
    file.seek(begin)
    for chunk in chunks(file, path, None if end is None else end - begin, at_once):
        text = transcoder.feed(chunk)
        yield text.replace(newline, NEWLINE) if newline != NEWLINE else text
    yield transcoder.close()


def read_mixed(file: BinaryIO, path: Path, encoding: str, other_lines: list[int]) -> Iterator[bytes]:
    """A file's text as UTF-8, each line in one encoding or another; `other_lines` takes those not in its own.

    Raises:
        OSError: (or another of `UNREADABLE`) the file cannot be read on.
    """
    mark = next((mark for mark, name in MARKS if name == encoding), b"")
    pieces = chunks(file, path)
    head = next(pieces, b"")
    yield from told_apart(chain([head.removeprefix(mark)], pieces), encoding, other_lines)


def compression(path: Path) -> str | None:
    """How a file is compressed, by its name."""
    return _COMPRESSION.get(path.suffix.lower())


def chunks(file: Source, path: Path, size: int | None = None, at_once: int | None = None) -> Iterator[bytes]:
    """The bytes of a file, decompressed; of a plain one, `size` of them from where it stands, so many `at_once`."""
    at_once = at_once or CHUNK
    codec = compression(path)
    if codec is None:
        left = size if size is not None else sys.maxsize
        while chunk := file.read(min(at_once, left)):
            left -= len(chunk)
            yield chunk
        return
    if codec == "gzip":
        # Zeros behind it, which tapes and transfers add, end it as well.
        with gzip.GzipFile(fileobj=cast("BinaryIO", file)) as packed:
            while chunk := packed.read1(_COMPRESSED_CHUNK):
                yield chunk
        return
    with pa.CompressedInputStream(pa.PythonFile(file, "r"), codec) as stream:
        while chunk := stream.read(_COMPRESSED_CHUNK):
            yield chunk
