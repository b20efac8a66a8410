"""Text to records: one physical line each, with its number, and the header that it is read by.

The lines of a batch lie in one flat array of bytes and are found, numbered and judged all at once; only lines that are
no text, and headers, are looked at one by one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.arrays import Bytes, Ints, Mask
from pipeline.ingest.fields import TRIMMED
from pipeline.ingest.layout import DELIMITERS, Forms, Header, guess_delimiter, is_blank
from pipeline.ingest.lines import BLOCK_BYTES, NEWLINE, RECORD_LIMIT, SOUND, Lines, find_lines

_LONGEST_HEADER = 3_000
"""Bytes of the longest line that is looked at as a repeated header; a row with a hash is longer."""

MOST_COLUMNS = 1_000
"""Columns of the widest header; a manifest has eight, and what exports add to them is counted in dozens."""

_MOST_HEADERS = 100
"""Different headers of one file: it was put together from others, of which hardly two programs' have their own."""

_LONGEST_OPENING = 16 << 20
"""Bytes of lines of delimiters alone that a file may begin with; one with more of them has no header."""

_INSIGNIFICANT = re.compile(rb"(?:(?:[ \t,;]|\xc2\xa0)*+\r?\n)*+")
"""Lines that are blank under some delimiter."""

_FIRST_OF_BLANK = np.frombuffer((TRIMMED + "".join(DELIMITERS)).encode(), np.uint8)

_HEADER, _OPENING = 3, 4
_FAULTS = pl.Series([None, "RECORD_TOO_LARGE", "RECORD_NOT_TEXT", "RECORD_REPEATED_HEADER", None])
"""Codes by what is wrong with a line; the header that a file begins with is no record."""


@dataclass(slots=True)
class Course:
    """What is known of one file while its lines go by.

    Attributes:
        headers: the different header lines met, in order; a record's `header_no` is the position here of its own.
        header_no: that of the records from here on.
        delimiter: that of the first header, or the guessed one; None before the first record.
        opened: the first record was found, or there is none to be found.
        lines_before: lines before the first record, or the header in its place.
        lines_read: lines so far.
        rows_read: records so far.
        too_large: it has more columns, or more different headers, than are read; nothing follows.
        header_line: which line of the next section is the header that the file begins with; None once that was read.
    """

    headers: list[Header] = field(default_factory=list)
    header_no: int = 0
    delimiter: str | None = None
    opened: bool = False
    lines_before: int = 0
    lines_read: int = 0
    rows_read: int = 0
    header_line: int | None = None
    too_large: bool = False
    _numbers: dict[Header, int] = field(default_factory=dict)

    def sections(self, blocks: Iterable[bytes], forms: Forms) -> Iterator[bytes]:
        """The same text in blocks of whole lines, the first of them long enough to hold the first record.

        A file of lines of delimiters alone holds none, and gives nothing.
        """
        held = b""
        for block in blocks:
            if self.too_large:
                return
            if self.opened:
                yield block
                continue
            held += block
            if self._open(held, forms) or len(held) >= _LONGEST_OPENING:
                self.opened = True
                if not self.too_large:
                    yield held
        if not self.opened:
            self.delimiter = None

    def _open(self, text: bytes, forms: Forms) -> bool:
        """Look for the first line that is a record, whatever the delimiter turns out to be: it should be a header."""
        leading = _INSIGNIFICANT.match(text)
        at = leading.end() if leading else 0
        before = text[:at].decode()
        if at == len(text):
            undecided = next((line for line in before.split("\n") if line.rstrip("\r").strip(TRIMMED)), None)
            self.delimiter = guess_delimiter(undecided) if undecided else None
            return False
        self.lines_before = before.count("\n")
        raw = text[at : text.index(NEWLINE, at)]
        line = _as_line(raw)
        header = forms.find_header(line) if line else None
        self.too_large = header is not None and len(header.cells) > MOST_COLUMNS
        if header and is_blank(before.replace("\r\n", "\n").replace("\n", ""), header.delimiter):
            self.headers.append(header)
            self.header_line = self.lines_before
        self.delimiter = header.delimiter if header else guess_delimiter(raw.decode("utf-8", "backslashreplace"))
        return True

    def read_by(self, header: Header) -> None:
        """Let a header count from here on."""
        if len(self._numbers) != len(self.headers):
            self._numbers = {known: number for number, known in enumerate(self.headers)}
        if header not in self._numbers:
            if len(self.headers) == _MOST_HEADERS or len(header.cells) > MOST_COLUMNS:
                self.too_large = True
                return
            self._numbers[header] = len(self.headers)
            self.headers.append(header)
        self.header_no = self._numbers[header]


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


def find_records(sections: list[Section], forms: Forms) -> Records:
    """Find the records of a batch.

    Args:
        sections: whole lines, and the file whose next ones they are; bytes that are no UTF-8 make a bad record.
        forms: takes the headers met.
    """
    courses = [course for _, course, _ in sections]
    lines = find_lines([text for _, _, text in sections])
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


def _headers(lines: Lines, courses: list[Course], forms: Forms) -> tuple[Ints, Ints]:
    """By line, the number of its header in its file and among all forms; -1 where there is none.

    Lines that are headers are marked.
    """
    places, numbers = [], []

    def read_on(line: int, course: Course) -> None:
        places.append(line)
        header = course.headers[course.header_no] if course.headers else None
        numbers.append((course.header_no, forms.number(header)) if header else (-1, -1))

    for course, begin in zip(courses, lines.first, strict=False):
        if course.header_line is not None:
            lines.fault[begin + course.header_line] = _OPENING
            course.header_line = None
    found = iter([*_repeated_headers(lines, forms), (len(lines.section), None)])
    line, header = next(found)
    for course, begin, end in zip(courses, lines.first[:-1].tolist(), lines.first[1:].tolist(), strict=True):
        read_on(begin, course)
        while line < end:
            if course.headers and header:
                lines.fault[line] = _HEADER
                course.read_by(header)
                read_on(line, course)
            line, header = next(found)
    spans = np.diff([*places, len(lines.section)])
    header_no, form = np.repeat(np.asarray(numbers, np.int64).reshape(-1, 2), spans, axis=0).T
    return header_no, form


def _repeated_headers(lines: Lines, forms: Forms) -> Iterator[tuple[int, Header]]:
    """The lines that are headers, but for those that files begin with, and what they are."""
    likely = np.flatnonzero((lines.stop - lines.start < _LONGEST_HEADER) & (lines.fault == SOUND))
    if not likely.size:
        return
    texts = lines.texts(likely)
    hinted = texts.str.contains_any(forms.hints, ascii_case_insensitive=True)
    for line, text in zip(likely[hinted.to_numpy()].tolist(), texts.filter(hinted), strict=True):
        header = forms.find_header(text)
        if header:
            yield line, header


def _blank(lines: Lines, delimiter: Ints) -> Mask:
    """Which lines hold no more than delimiters and blanks."""
    first = np.frombuffer(lines.text, np.uint8)[lines.start]
    likely = np.flatnonzero((lines.stop == lines.start) | np.isin(first, _FIRST_OF_BLANK))
    blank = np.zeros(len(lines.section), bool)
    for number in np.unique(delimiter[likely]):
        own = likely[delimiter[likely] == number]
        blank[own] = (lines.texts(own).str.strip_chars(TRIMMED + DELIMITERS[number]) == "").to_numpy()
    return blank


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
