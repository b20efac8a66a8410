"""Text to records: one physical line each, with its number, and the header that it is read by.

The lines of a batch lie in one flat array of bytes and are found, numbered and judged all at once; only lines that are
no text, and headers, are looked at one by one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.arrays import Bytes, Ints, Mask
from pipeline.ingest.fields import TRIMMED
from pipeline.ingest.layout import DELIMITERS, HEADER_HINTS, Header, guess_delimiter, is_blank, parse_header

RECORD_LIMIT = 1 << 20
"""Bytes of the longest record: 250 times a usual one. A longer one has lost its line end."""

NEWLINE = b"\n"
"""What ends a line here; `pipeline.ingest.encoding` makes it so."""

_KEPT = RECORD_LIMIT + 64
"""What is kept of a longer record: enough to find a product key that begins within the limit."""

BLOCK_BYTES = 12 << 20
"""Text handled at once, about 2,000 rows."""

_LONGEST_HEADER = 3_000
"""Bytes of the longest line that is looked at as a repeated header; a row with a hash is longer."""

_LONGEST_OPENING = 16 << 20
"""Bytes of lines of delimiters alone that a file may begin with; one with more of them has no header."""

_INSIGNIFICANT = re.compile(rb"(?:(?:[ \t,;]|\xc2\xa0)*+\r?\n)*+")
"""Lines that are blank under some delimiter."""

_LF, _CR, _NUL = 10, 13, 0
_FIRST_OF_BLANK = np.frombuffer((TRIMMED + "".join(DELIMITERS)).encode(), np.uint8)

_TOO_LARGE, _NOT_TEXT, _HEADER, _OPENING = 1, 2, 3, 4
_FAULTS = pl.Series([None, "RECORD_TOO_LARGE", "RECORD_NOT_TEXT", "RECORD_REPEATED_HEADER", None])

FindHeader = Callable[[str], Header | None]


class Forms:
    """The different headers of many files, each with a number of its own."""

    def __init__(self, find_header: FindHeader = parse_header, hints: tuple[str, ...] = HEADER_HINTS) -> None:
        self.headers: list[Header] = []
        self.hints = list(hints)
        self.find_header = lru_cache(maxsize=1_024)(find_header)
        self._numbers: dict[Header, int] = {}

    def number(self, header: Header) -> int:
        """The header's number."""
        if header not in self._numbers:
            self._numbers[header] = len(self.headers)
            self.headers.append(header)
        return self._numbers[header]

    def with_column(self, name: str) -> list[int]:
        """Numbers of the headers that have a column."""
        return [number for number, header in enumerate(self.headers) if name in header.columns]


@dataclass(slots=True)
class Course:
    """What is known of one file while its lines go by.

    Attributes:
        headers: the different header lines met, in order; a record's `header_no` is the position here of its own.
        header_no: that of the records from here on.
        delimiter: that of the first header, or the guessed one; None before the first record.
        opened: the first record was found, or there is none to be found.
        lines_read: lines so far.
        rows_read: records so far.
    """

    headers: list[Header] = field(default_factory=list)
    header_no: int = 0
    delimiter: str | None = None
    opened: bool = False
    lines_read: int = 0
    rows_read: int = 0
    header_line: int | None = None

    def sections(self, blocks: Iterable[bytes], forms: Forms) -> Iterator[bytes]:
        """The same text in blocks of whole lines, the first of them long enough to hold the first record."""
        held = b""
        for block in blocks:
            if self.opened:
                yield block
                continue
            held += block
            if self._open(held, forms) or len(held) >= _LONGEST_OPENING:
                self.opened = True
                yield held
        if not self.opened and held:
            self.opened = True
            yield held

    def _open(self, text: bytes, forms: Forms) -> bool:
        """Look for the first line that is a record, whatever the delimiter turns out to be: it should be a header."""
        leading = _INSIGNIFICANT.match(text)
        at = leading.end() if leading else 0
        before = text[:at].decode()
        if at == len(text):
            undecided = next((line for line in before.split("\n") if line.rstrip("\r").strip(TRIMMED)), None)
            self.delimiter = guess_delimiter(undecided) if undecided else None
            return False
        line = _as_line(text[at : text.index(NEWLINE, at)])
        header = forms.find_header(line) if line else None
        if header and is_blank(before.replace("\r\n", "\n").replace("\n", ""), header.delimiter):
            self.headers.append(header)
            self.header_line = before.count("\n")
        self.delimiter = header.delimiter if header else guess_delimiter(line or "")
        return True

    def read_by(self, header: Header) -> None:
        """Let a header count from here on."""
        if header not in self.headers:
            self.headers.append(header)
        self.header_no = self.headers.index(header)


def _as_line(raw: bytes) -> str | None:
    """A line that could be a header, as text."""
    raw = raw.removesuffix(b"\r")
    if len(raw) > RECORD_LIMIT or b"\0" in raw:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


Section: TypeAlias = tuple[int, Course, bytes]
"""Whole lines of a file: its number, its course so far, and the text."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one batch.

    Attributes:
        text: that of the batch, UTF-8.
        frame: one row a record, in order: `section`, `source_line` (1-based), `header_no` and `form` (both null in a
            file without a header), `record_fault` (a reason code or null).
        start: where each record begins in the text.
        stop: where it ends, without its line end.
    """

    text: bytes
    frame: pl.DataFrame
    start: Ints
    stop: Ints

    @property
    def flat(self) -> Bytes:
        """The text as numbers."""
        return np.frombuffer(self.text, np.uint8)

    def raw(self, rows: Ints) -> pl.Series:
        """The text of some records."""
        return arrays.slices(self.flat, self.start[rows], (self.stop - self.start)[rows], pl.String)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines of one batch.

    Attributes:
        text: theirs, UTF-8.
        start: where each begins in the text.
        stop: where it ends, without its line end.
        section: the section that it belongs to.
        first: by section, its first line; and the number of lines.
        fault: by line, a position in `_FAULTS`.
    """

    text: bytes
    start: Ints
    stop: Ints
    section: Ints
    first: Ints
    fault: Bytes

    def texts(self, rows: Ints) -> pl.Series:
        """The text of some lines."""
        flat = np.frombuffer(self.text, np.uint8)
        return arrays.slices(flat, self.start[rows], (self.stop - self.start)[rows], pl.String)


def find_records(sections: list[Section], forms: Forms) -> Records:
    """Find the records of a batch.

    Args:
        sections: whole lines, and the file whose next ones they are; bytes that are no UTF-8 make a bad record.
        forms: takes the headers met.
    """
    courses = [course for _, course, _ in sections]
    lines = _lines([text for _, _, text in sections])
    header_no, form = _headers(lines, courses, forms)
    guessed = np.asarray([_number(course.delimiter) for course in courses])
    by_form = np.asarray([*(_number(header.delimiter) for header in forms.headers), 0])
    blank = _blank(lines, np.where(form < 0, guessed[lines.section], by_form[form]))
    kept = np.flatnonzero(~blank & (lines.fault != _OPENING))
    read = np.asarray([course.lines_read for course in courses])
    line = np.arange(len(blank)) + (read - lines.first[:-1] + 1)[lines.section]
    rows = np.bincount(lines.section[kept], minlength=len(courses))
    for course, height, own in zip(courses, np.diff(lines.first).tolist(), rows.tolist(), strict=True):
        course.lines_read += height
        course.rows_read += own
    frame = pl.DataFrame(
        {
            "section": pl.Series(lines.section[kept], dtype=pl.UInt32),
            "source_line": pl.Series(line[kept], dtype=pl.UInt32),
            "header_no": arrays.positions(header_no[kept]),
            "form": arrays.positions(form[kept]),
            "record_fault": _FAULTS.gather(pl.Series(lines.fault[kept])),
        }
    )
    return Records(lines.text, frame, lines.start[kept], lines.stop[kept])


def _number(delimiter: str | None) -> int:
    return DELIMITERS.index(delimiter or DELIMITERS[0])


def _lines(texts: list[bytes]) -> _Lines:
    text = texts[0] if len(texts) == 1 else b"".join(texts)
    flat = np.frombuffer(text, np.uint8)
    start, stop, ends = _bounds(flat)
    first = np.searchsorted(ends, np.cumsum([0, *map(len, texts)]))
    fault = np.zeros(len(ends), np.uint8)
    if b"\0" in text:
        fault[np.searchsorted(ends, np.flatnonzero(flat == _NUL))] = _NOT_TEXT
    too_large = stop - start > RECORD_LIMIT
    if too_large.any():
        text = NEWLINE.join(line[:_KEPT] for line in text.split(NEWLINE))
    if not text.isascii():
        text, not_text = _as_utf8(text)
        fault[not_text] = _NOT_TEXT
    fault[too_large] = _TOO_LARGE
    if len(text) != len(flat):
        start, stop, _ = _bounds(np.frombuffer(text, np.uint8))
    section = np.repeat(np.arange(len(texts)), np.diff(first))
    return _Lines(text, start, stop, section, first, fault)


def _bounds(flat: Bytes) -> tuple[Ints, Ints, Ints]:
    """Where each line begins, where it ends without its line end, and where that ends."""
    ends = np.flatnonzero(flat == _LF)
    start = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    return start, ends - ((ends > start) & (flat[ends - 1] == _CR)), ends


def _as_utf8(text: bytes) -> tuple[bytes, list[int]]:
    """The same lines, bytes that are no text shown escaped, and which lines hold some."""
    try:
        text.decode()
    except UnicodeDecodeError:
        pass
    else:
        return text, []
    lines = text.split(NEWLINE)
    not_text = []
    for at, line in enumerate(lines):
        if not line.isascii():
            escaped = line.decode("utf-8", "backslashreplace").encode()
            if escaped != line:
                not_text.append(at)
                lines[at] = escaped
    return NEWLINE.join(lines), not_text


def _headers(lines: _Lines, courses: list[Course], forms: Forms) -> tuple[Ints, Ints]:
    """By line, the number of its header in its file and among all forms; -1 where there is none.

    Lines that are headers are marked.
    """
    places, numbers = [], []

    def read_on(line: int, course: Course) -> None:
        places.append(line)
        header = course.headers[course.header_no] if course.headers else None
        numbers.append((course.header_no, forms.number(header)) if header else (-1, -1))

    found = iter([*_repeated_headers(lines, forms), (len(lines.section), None)])
    line, header = next(found)
    for course, begin, end in zip(courses, lines.first[:-1].tolist(), lines.first[1:].tolist(), strict=True):
        read_on(begin, course)
        opening = begin + course.header_line if course.header_line is not None else None
        course.header_line = None
        while line < end:
            if line == opening:
                lines.fault[line] = _OPENING
            elif course.headers and header:
                lines.fault[line] = _HEADER
                course.read_by(header)
                read_on(line, course)
            line, header = next(found)
    spans = np.diff([*places, len(lines.section)])
    header_no, form = np.repeat(np.asarray(numbers, np.int64).reshape(-1, 2), spans, axis=0).T
    return header_no, form


def _repeated_headers(lines: _Lines, forms: Forms) -> Iterator[tuple[int, Header]]:
    """The lines that are headers, the first of a file among them, and what they are."""
    likely = np.flatnonzero((lines.stop - lines.start < _LONGEST_HEADER) & (lines.fault == 0))
    texts = lines.texts(likely)
    hinted = texts.str.contains_any(forms.hints, ascii_case_insensitive=True)
    for line, text in zip(likely[hinted.to_numpy()].tolist(), texts.filter(hinted), strict=True):
        header = forms.find_header(text)
        if header:
            yield line, header


def _blank(lines: _Lines, delimiter: Ints) -> Mask:
    """Which lines hold no more than delimiters and blanks."""
    first = np.frombuffer(lines.text, np.uint8)[lines.start]
    likely = np.flatnonzero((lines.stop == lines.start) | np.isin(first, _FIRST_OF_BLANK))
    blank = np.zeros(len(lines.section), bool)
    for number in np.unique(delimiter[likely]):
        own = likely[delimiter[likely] == number]
        blank[own] = (lines.texts(own).str.strip_chars(TRIMMED + DELIMITERS[number]) == "").to_numpy()
    return blank


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same text in blocks of whole lines of about `BLOCK_BYTES`; of a line longer than `_KEPT` only its beginning.

    The last line gets an end where it has none.
    """
    pending: list[bytes] = []
    size = 0
    discarding = False
    for chunk in chunks:
        if discarding:
            end = chunk.find(NEWLINE)
            if end < 0:
                continue
            chunk, discarding = chunk[end:], False  # noqa: PLW2901 - the rest of the chunk
        pending.append(chunk)
        size += len(chunk)
        if size >= BLOCK_BYTES:
            text = b"".join(pending)
            cut = text.rfind(NEWLINE) + 1
            if cut:
                yield text[:cut]
            rest = text[cut : cut + _KEPT]
            discarding = len(text) - cut > len(rest)
            pending, size = [rest], len(rest)
    text = b"".join(pending)
    if text:
        yield text if text.endswith(NEWLINE) else text + NEWLINE


def blocks_of(sections: Iterable[Section]) -> Iterator[list[Section]]:
    """The same sections in groups of about `BLOCK_BYTES`, none of which holds two sections of one file."""
    group: list[Section] = []
    size = 0
    for section in sections:
        if group and (size >= BLOCK_BYTES or group[-1][0] == section[0]):
            yield group
            group, size = [], 0
        group.append(section)
        size += len(section[-1])
    if group:
        yield group
