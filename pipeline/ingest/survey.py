"""What must be known of a whole file before its first line can be read, from one pass over it."""

import codecs
import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline.ingest.encoding import CHUNK, MARKS, UNREADABLE, Transcoder, chunks, compression
from pipeline.ingest.lines import NEWLINE
from pipeline.ingest.mixture import ends_otherwise, may_be_mixed
from pipeline.ingest.states import State, state_of_open
from pipeline.ingest.wrapping import Wrapping

PART_BYTES = 62 << 20
"""Bytes of the parts of a large file that are read apart: four blocks, without a remainder that costs like a third."""

_UNITS = {"utf-16-le": np.dtype("<u2"), "utf-16-be": np.dtype(">u2")}
"""Code units of the encodings whose line feed is more than a byte."""

_MULTI_BYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_LEAST_LEAD, _LONGEST_SEQUENCE = 0xC2, 4
_SAMPLE = 4_096
"""Bytes in which the NUL pattern of UTF-16 is looked for: a header line is plain ASCII and within them."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A line end at which a file may be cut.

    Attributes:
        at: bytes before it.
        lines: lines before it.
    """

    at: int
    lines: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What must be known of a whole file before its first line can be read.

    Attributes:
        encoding: `utf-8`, `utf-8-sig`, `utf-16-le`, `utf-16-be` or `cp1252`; None where it holds nothing.
        ansi: whether an ANSI reader would see the same text.
        newline: what ends a line.
        readable: whether it could be read to its end.
        sha256: hex digest of the file as delivered; None where it cannot be read.
        state: that of the file before it was read.
        cuts: where the parts of a large file end, but the last.
        mixed: lines of it may be in another encoding.
        wrapped: each of its lines is one quoted cell that holds a line.
        too_large: it has more text than is read.
        what: what it is, where it is known to be something that is not read.
    """

    encoding: str | None
    ansi: bool
    newline: bytes
    readable: bool
    sha256: str | None
    state: State
    cuts: tuple[Cut, ...] = ()
    mixed: bool = False
    wrapped: bool = False
    too_large: bool = False
    what: str | None = None


def survey(
    path: Path, limit: int, opened: Callable[[], BinaryIO] | None = None, most_lines: int = sys.maxsize
) -> Survey:
    """Read a file through once. Never raises for what the file is at fault for.

    Args:
        path: the file.
        opened: opens it; None for a file that the user named.
        most_lines: most lines; of a file with more of them nothing is read either.
        limit: most bytes of text; of a file with more of them, once decompressed, nothing is read.
    """
    observed, digest = _Observation(), hashlib.sha256()
    state = State(0, 0, 0, 0)
    readable = complete = False
    try:
        with opened() if opened else path.open("rb") as file:
            # Of the file that is open, not of what its name may have come to stand for since.
            state = state_of_open(file)
            source = _Digested(file, digest)
            readable = _observe(chunks(source, path), observed, limit, most_lines)
            if not observed.exceeds(limit, most_lines):
                source.finish()
                complete = True
    except OSError:
        readable = complete = False
    observed.close()
    if observed.exceeds(limit, most_lines):
        return unread(state, too_large=True)
    newline = b"\r" if observed.has_cr and not observed.has_lf else NEWLINE
    plain = compression(path) is None and newline == NEWLINE
    return Survey(
        encoding=observed.encoding,
        ansi=observed.ansi,
        newline=newline,
        readable=readable,
        sha256=digest.hexdigest() if complete else None,
        state=state,
        cuts=tuple(observed.cuts) if plain and readable and not observed.mixed else (),
        mixed=observed.mixed and newline == NEWLINE,
        wrapped=observed.wrapping.holds,
    )


def unread(state: State, *, too_large: bool = False) -> Survey:
    """The survey of a file that is not looked into."""
    return Survey(None, ansi=True, newline=NEWLINE, readable=False, sha256=None, state=state, too_large=too_large)


def known_survey(state: State, sha256: str) -> Survey:
    """What is known of a file that is not read again, since it is what it was."""
    return Survey(None, ansi=True, newline=NEWLINE, readable=True, sha256=sha256, state=state)


def _observe(chunks: Iterator[bytes], observed: "_Observation", limit: int, most_lines: int) -> bool:
    """Look at chunks up to a limit; whether all could be read."""
    try:
        for chunk in _with_whole_head(chunks):
            observed.add(chunk)
            if observed.exceeds(limit, most_lines):
                return False
    except UNREADABLE:
        return False
    return True


def can_be_cut(path: Path) -> bool:
    """Whether a file's lines lie in it as they are, so that it can be read in parts."""
    return compression(path) is None


class _Digested:
    """A file whose bytes are digested as they are read."""

    def __init__(self, file: BinaryIO, digest: "hashlib._Hash") -> None:
        self._file, self._digest = file, digest
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._digest.update(chunk)
        return chunk

    def finish(self) -> None:
        """Digest what was not asked for."""
        while self.read(CHUNK):
            pass

    def close(self) -> None:
        """Leave the file open."""


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
        self._tail = self._rest = b""
        self._end = b""
        self.mixed = False
        self.wrapping = Wrapping()
        self.size = self._lines = self._returns = 0
        self.cuts: list[Cut] = []

    @property
    def ansi(self) -> bool:
        return self.encoding in {None, "cp1252"} or (self.encoding == "utf-8" and self._ascii)

    def exceeds(self, limit: int, most_lines: int) -> bool:
        """Whether that is too much, of bytes or of lines, whatever ends them."""
        return self.size > limit or (self._lines if self.has_lf else self._returns) > most_lines

    def add(self, chunk: bytes) -> None:
        if self.encoding is None:
            self.encoding = _marked(chunk) or _patterned(chunk) or "utf-8"
            self._transcoder = Transcoder(self.encoding)
        if not self.encoding.startswith("utf-16"):
            self._add_bytes(chunk)
        self.mixed = self.mixed or may_be_mixed(chunk, self.encoding)
        self._end = (self._end + chunk[-2:])[-2:]
        if (not self.has_lf or self.wrapping.possible) and self._transcoder:
            text = self._transcoder.feed(chunk)
            self.wrapping.add(text)
            self.has_lf = self.has_lf or NEWLINE in text
            self.has_cr = self.has_cr or b"\r" in text
            self._returns += text.count(b"\r")
        self._count(chunk)

    def _count(self, chunk: bytes) -> None:
        """Count lines, and note where the file may be cut."""
        unit = _UNITS.get(self.encoding or "")
        if unit:
            chunk = self._rest + chunk
            whole = len(chunk) // unit.itemsize * unit.itemsize
            chunk, self._rest = chunk[:whole], chunk[whole:]
        number, end = _line_ends(chunk, unit)
        self._lines += number
        if number and self._is_due(len(chunk)):
            self.cuts.append(Cut(self.size + end, self._lines))
        self.size += len(chunk)

    def _is_due(self, coming: int) -> bool:
        return self.size + coming - (self.cuts[-1].at if self.cuts else 0) >= PART_BYTES

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

    def close(self) -> None:
        self.wrapping.close()
        self.mixed = self.mixed or ends_otherwise(self._end, self.encoding)
        if self._valid:
            try:
                self._utf8.decode(b"", final=True)
            except UnicodeDecodeError:
                self._valid = False
        if self.encoding == "utf-8" and not self._valid and not self._multi_byte:
            self.encoding = "cp1252"


def _line_ends(chunk: bytes, unit: "np.dtype[np.unsignedinteger] | None") -> tuple[int, int]:
    """How many lines end in a chunk, and how many bytes come before the end of the last."""
    if unit is None:
        return chunk.count(NEWLINE), chunk.rfind(NEWLINE) + 1
    ends = np.flatnonzero(np.frombuffer(chunk, unit) == ord(NEWLINE))
    return ends.size, (int(ends[-1]) + 1) * unit.itemsize if ends.size else 0


def _holds_multi_byte(text: bytes) -> bool:
    """Whether a valid sequence of UTF-8 of more than a byte stands anywhere; only where one may begin is looked."""
    flat = np.frombuffer(text + bytes(_LONGEST_SEQUENCE), np.uint8)
    begins = np.flatnonzero(flat >= _LEAST_LEAD)
    windows = np.zeros((len(begins), _LONGEST_SEQUENCE + 1), np.uint8)
    windows[:, :-1] = flat[begins[:, None] + np.arange(_LONGEST_SEQUENCE)]
    return bool(_MULTI_BYTE.search(windows.tobytes()))


def _marked(chunk: bytes) -> str | None:
    return next((encoding for mark, encoding in MARKS if chunk.startswith(mark)), None)


def _patterned(chunk: bytes) -> str | None:
    """UTF-16 of mostly ASCII text has a NUL in every other place, and hardly any in the others."""
    sample = chunk[:_SAMPLE]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    most, least = len(sample) // 2 * 0.5, len(sample) // 2 * 0.1
    if odd > most and even <= least:
        return "utf-16-le"
    return "utf-16-be" if even > most and odd <= least else None
