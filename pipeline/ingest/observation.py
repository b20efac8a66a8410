"""What the bytes of a file show of its form, from one pass over all of it or over a piece of it."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipeline.ingest.encoding import MARKS, UNREADABLE, Transcoder
from pipeline.ingest.lines import NEWLINE
from pipeline.ingest.mixture import ends_otherwise, may_be_mixed
from pipeline.ingest.wrapping import Wrapping

UNITS = {"utf-16-le": np.dtype("<u2"), "utf-16-be": np.dtype(">u2")}
"""Code units of the encodings whose line feed is more than a byte."""

_MULTI_BYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_LEAST_LEAD, _LONGEST_SEQUENCE = 0xC2, 4
SAMPLE = 4_096
"""Bytes in which the NUL pattern of UTF-16 is looked for: a header line is plain ASCII and within them."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a piece of a file shows, which begins with a line; so does what follows it.

    Attributes:
        encoding: what the file begins as: UTF-8 may turn out to be cp1252; None where it holds nothing.
        size: bytes of its text.
        lines: line feeds.
        returns: carriage returns of a piece without line feeds.
        valid: it may be UTF-8.
        ascii: it holds nothing else.
        multi_byte: a character of UTF-8 of more than a byte stands in it.
        mixed: some of its lines may be in another encoding.
        may_be_wrapped: each of its lines is one quoted cell, or empty.
        holds_fields: some of those cells hold several fields.
    """

    encoding: str | None
    size: int
    lines: int
    returns: int
    valid: bool
    ascii: bool
    multi_byte: bool
    mixed: bool
    may_be_wrapped: bool
    holds_fields: bool


class Observation:
    """Looks at the chunks of a piece.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, encoding: str | None = None) -> None:
        """Begin with a file's first chunk; or, where its encoding is known, behind any of its lines."""
        self._encoding = encoding
        self._transcoder = Transcoder(encoding, marked=False) if encoding else None
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._valid, self._ascii, self._multi_byte, self._mixed = True, True, False, False
        self._tail = self._rest = self._end = b""
        self._wrapping = Wrapping()
        self.size = self._lines = self._returns = 0

    def exceeds(self, limit: int, most_lines: int) -> bool:
        """Whether that is too much, of bytes or of lines, whatever ends them."""
        return self.size > limit or (self._lines or self._returns) > most_lines

    def add(self, chunk: bytes) -> None:
        """Look at more of it."""
        if self._encoding is None:
            self._encoding = begins_as(chunk)
            self._transcoder = Transcoder(self._encoding)
        if self._encoding not in UNITS:
            self._add_bytes(chunk)
        self._mixed = self._mixed or may_be_mixed(chunk, self._encoding)
        self._end = (self._end + chunk[-2:])[-2:]
        self._count(chunk)
        if (not self._lines or self._wrapping.possible) and self._transcoder:
            text = self._transcoder.feed(chunk)
            self._wrapping.add(text)
            self._returns += text.count(b"\r")

    def _count(self, chunk: bytes) -> None:
        self.size += len(chunk)
        unit = UNITS.get(self._encoding or "")
        if unit is None:
            self._lines += chunk.count(NEWLINE)
            return
        chunk = self._rest + chunk
        whole = len(chunk) // unit.itemsize * unit.itemsize
        self._lines += int((np.frombuffer(chunk[:whole], unit) == ord(NEWLINE)).sum())
        self._rest = chunk[whole:]

    def _add_bytes(self, chunk: bytes) -> None:
        if chunk.isascii() and not self._tail:
            return
        self._ascii = False
        if self._valid:
            try:
                self._utf8.decode(chunk)
            except UnicodeDecodeError:
                self._valid = False
        self._multi_byte = self._multi_byte or _holds_multi_byte(self._tail + chunk)
        self._tail = chunk[1 - _LONGEST_SEQUENCE :]
        if self._tail.isascii():
            self._tail = b""

    def observed(self) -> Observed:
        """What all of it shows."""
        self._wrapping.close()
        if self._valid:
            try:
                self._utf8.decode(b"", final=True)
            except UnicodeDecodeError:
                self._valid = False
        return Observed(
            self._encoding,
            self.size,
            self._lines,
            self._returns,
            self._valid,
            self._ascii,
            self._multi_byte,
            self._mixed or ends_otherwise(self._end, self._encoding),
            self._wrapping.possible,
            self._wrapping.holds,
        )


def encoding_of(file: BinaryIO) -> str:
    """The encoding that a file, open at its beginning, begins as."""
    return begins_as(file.read(SAMPLE))


def begins_as(head: bytes) -> str:
    """The encoding that the first bytes of a file speak for."""
    return next((encoding for mark, encoding in MARKS if head.startswith(mark)), None) or _patterned(head) or "utf-8"


def _patterned(head: bytes) -> str | None:
    """UTF-16 of mostly ASCII text has a NUL in every other place, and hardly any in the others."""
    sample = head[:SAMPLE]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    most, least = len(sample) // 2 * 0.5, len(sample) // 2 * 0.1
    if odd > most and even <= least:
        return "utf-16-le"
    return "utf-16-be" if even > most and odd <= least else None


def with_whole_head(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, the first chunk long enough to tell the encoding by, however they were read."""
    head = b""
    try:
        for chunk in chunks:
            head += chunk
            if len(head) >= SAMPLE:
                break
    except UNREADABLE:
        if head:
            yield head
        raise
    if head:
        yield head
    yield from chunks


def _holds_multi_byte(text: bytes) -> bool:
    """Whether a valid sequence of UTF-8 of more than a byte stands anywhere; only where one may begin is looked."""
    flat = np.frombuffer(text + bytes(_LONGEST_SEQUENCE), np.uint8)
    begins = np.flatnonzero(flat >= _LEAST_LEAD)
    windows = np.zeros((len(begins), _LONGEST_SEQUENCE + 1), np.uint8)
    windows[:, :-1] = flat[begins[:, None] + np.arange(_LONGEST_SEQUENCE)]
    return bool(_MULTI_BYTE.search(windows.tobytes()))
