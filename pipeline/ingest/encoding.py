"""Bytes of a file to UTF-8 text, whatever it was: compression, byte order marks, UTF-16, cp1252."""

import codecs
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

UNREADABLE = (OSError, pa.ArrowException)
"""What reading or decompressing a file raises when the file is at fault."""

_CHUNK = 1 << 20
_COMPRESSED_CHUNK = 1 << 16
"""What a failed read of a compressed stream loses, so it is small."""

_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MULTI_BYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_LONGEST_SEQUENCE = 4
_SAMPLE = 4_096
"""Bytes in which the NUL pattern of UTF-16 is looked for: a header line is plain ASCII and within them."""

# cp1252 leaves five bytes undefined; they become the control characters of the same number, which are findings.
_CP1252 = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Survey:
    """What must be known of a whole file before its first line can be read.

    Attributes:
        encoding: `utf-8`, `utf-8-sig`, `utf-16-le`, `utf-16-be` or `cp1252`; None where it holds nothing.
        ansi: whether an ANSI reader would see the same text.
        newline: what ends a line.
        readable: whether it could be read to its end.
    """

    encoding: str | None
    ansi: bool
    newline: bytes
    readable: bool


def survey(path: Path) -> Survey:
    """Read a file through once. Never raises for what the file is at fault for."""
    observed = _Observation()
    readable = True
    try:
        with path.open("rb") as file:
            for chunk in _with_whole_head(_chunks(file, path.suffix)):
                observed.add(chunk)
    except UNREADABLE:
        readable = False
    observed.close()
    newline = b"\r" if observed.has_cr and not observed.has_lf else b"\n"
    return Survey(observed.encoding, observed.ansi, newline, readable)


def digest(path: Path) -> str | None:
    """Hex SHA-256 of a file's bytes as delivered; None where they cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _with_whole_head(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, the first chunk long enough to tell the encoding by, however they were read."""
    head = b""
    try:
        for chunk in chunks:
            head += chunk
            if len(head) >= _SAMPLE:
                break
    except UNREADABLE:
        if head:
            yield head
        raise
    if head:
        yield head
    yield from chunks


class _Observation:
    """What the chunks of a file show, taken together."""

    def __init__(self) -> None:
        self.encoding: str | None = None
        self.has_lf = self.has_cr = False
        self._transcoder: Transcoder | None = None
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._valid, self._ascii, self._multi_byte = True, True, False
        self._tail = b""

    @property
    def ansi(self) -> bool:
        return self.encoding in {None, "cp1252"} or (self.encoding == "utf-8" and self._ascii)

    def add(self, chunk: bytes) -> None:
        if self.encoding is None:
            self.encoding = _marked(chunk) or _patterned(chunk) or "utf-8"
            self._transcoder = Transcoder(self.encoding)
        if not self.encoding.startswith("utf-16"):
            self._add_bytes(chunk)
        if not self.has_lf and self._transcoder:
            text = self._transcoder.feed(chunk)
            self.has_lf = b"\n" in text
            self.has_cr = self.has_cr or b"\r" in text

    def _add_bytes(self, chunk: bytes) -> None:
        if chunk.isascii() and not self._tail:
            return
        self._ascii = False
        if self._valid:
            try:
                self._utf8.decode(chunk)
            except UnicodeDecodeError:
                self._valid = False
        self._multi_byte = self._multi_byte or bool(_MULTI_BYTE.search(self._tail + chunk))
        self._tail = chunk[1 - _LONGEST_SEQUENCE :]
        if self._tail.isascii():
            self._tail = b""

    def close(self) -> None:
        if self._valid:
            try:
                self._utf8.decode(b"", final=True)
            except UnicodeDecodeError:
                self._valid = False
        if self.encoding == "utf-8" and not self._valid and not self._multi_byte:
            self.encoding = "cp1252"


def _marked(chunk: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if chunk.startswith(mark)), None)


def _patterned(chunk: bytes) -> str | None:
    """UTF-16 of mostly ASCII text has a NUL in every other place, and hardly any in the others."""
    sample = chunk[:_SAMPLE]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    most, least = len(sample) // 2 * 0.5, len(sample) // 2 * 0.1
    if odd > most and even <= least:
        return "utf-16-le"
    return "utf-16-be" if even > most and odd <= least else None


class Transcoder:
    """Turns the chunks of a file into UTF-8.

    What is no text in the encoding stays no text: it comes out as bytes that are not UTF-8.
    """

    def __init__(self, encoding: str) -> None:
        self._decoder = (
            codecs.getincrementaldecoder(encoding)("surrogatepass") if encoding.startswith("utf-16") else None
        )
        self._from_cp1252 = encoding == "cp1252"
        self._mark = next((mark for mark, name in _MARKS if name == encoding), b"")

    def feed(self, chunk: bytes) -> bytes:
        """UTF-8 for the next chunk."""
        if self._mark:
            chunk, self._mark = chunk.removeprefix(self._mark), b""
        if self._decoder:
            return self._decoder.decode(chunk).encode("utf-8", "surrogatepass")
        if self._from_cp1252 and not chunk.isascii():
            return codecs.charmap_decode(chunk, "strict", _CP1252)[0].encode("utf-8")
        return chunk

    def close(self) -> bytes:
        """What an incomplete last character of UTF-16 leaves: one byte that is no UTF-8."""
        if self._decoder and self._decoder.getstate()[0]:
            return b"\xff"
        return b""


def read_text(path: Path, encoding: str) -> Iterator[bytes]:
    """The file's text as UTF-8, chunk by chunk.

    Raises:
        OSError: (or another of `UNREADABLE`) the file cannot be read on.
    """
    transcoder = Transcoder(encoding)
    with path.open("rb") as file:
        for chunk in _chunks(file, path.suffix):
            yield transcoder.feed(chunk)
    yield transcoder.close()


def _chunks(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    compression = _COMPRESSION.get(suffix.lower())
    if compression is None:
        while chunk := file.read(_CHUNK):
            yield chunk
        return
    if os.fstat(file.fileno()).st_size == 0:
        return
    with pa.CompressedInputStream(pa.PythonFile(file, "r"), compression) as stream:
        while chunk := stream.read(_COMPRESSED_CHUNK):
            yield chunk
