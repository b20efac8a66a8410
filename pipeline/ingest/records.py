"""Text to records: one physical line each, with its number, and the header that it is read by.

The lines of a batch lie in one flat array of bytes and are found, numbered and judged all at once; only lines that are
no text, and headers, are looked at one by one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.arrays import Bytes, Ints, Mask
from pipeline.ingest.fields import TRIMMED
from pipeline.ingest.joining import join_lines
from pipeline.ingest.layout import DELIMITERS, Forms, Header
from pipeline.ingest.lines import BLOCK_BYTES, HEADER, NEWLINE, NO_RECORD, ROW_BEFORE, SOUND, TITLE, Lines, find_lines
from pipeline.ingest.preamble import Opening, find_opening, guessed_from_blank
from pipeline.ingest.unheaded import misnamed
from schemas.kinds import REGISTRATION

_LONGEST_HEADER = 3_000
"""Bytes of the longest line that is looked at as a repeated header; a row with a hash is longer."""

MOST_COLUMNS = 1_000
"""Columns of the widest header; a manifest has eight, and what exports add to them is counted in dozens."""

_MOST_HEADERS = 100
"""Different headers of one file: it was put together from others, of which hardly two programs' have their own."""

_LONGEST_OPENING = 16 << 20
"""Bytes of lines of delimiters alone that a file may begin with; one with more of them has no header."""

_FIRST_OF_BLANK = np.frombuffer((TRIMMED + "".join(DELIMITERS)).encode(), np.uint8)

_FAULTS = pl.Series(
    [
        *(None, "RECORD_TOO_LARGE", "RECORD_NOT_TEXT", "RECORD_REPEATED_HEADER"),
        *(None, "RECORD_BEFORE_HEADER", "FILE_HEADER_UNKNOWN"),
    ]
)
"""Codes by what is wrong with a line; the header that a file begins with is no record, nor what goes on in a line."""


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
        opening: how the next section begins; None once that was read.
        ended: no section follows.
        carried: lines of the last section that may go on in the next.
        left_open: the last section ends in a value that may go on.
        too_large: it has more columns, or more different headers, than are read; nothing follows.
        kind: of the manifest.
        unheaded: of a file without a header what it is instead, or the line that was meant as one.
        is_sheet: it is a workbook's sheet, whose lines all have its width: an empty field at the end tells nothing.
    """

    headers: list[Header] = field(default_factory=list)
    header_no: int = 0
    delimiter: str | None = None
    opened: bool = False
    lines_before: int = 0
    lines_read: int = 0
    rows_read: int = 0
    opening: Opening | None = None
    ended: bool = False
    carried: bytes = b""
    left_open: bool = False
    too_large: bool = False
    kind: str = REGISTRATION
    unheaded: str | None = None
    is_sheet: bool = False
    _numbers: dict[Header, int] = field(default_factory=dict)

    def sections(self, blocks: Iterable[bytes], forms: Forms) -> Iterator[bytes]:
        """The same text in blocks of whole lines, the first of them long enough to hold the header, or show its want.

        A file of lines of delimiters alone holds none, and gives nothing. All but the last must be read by
        `find_records` before the one after the next is asked for.
        """
        held = b""
        for block in blocks:
            if self.too_large:
                return
            if self.opened:
                yield block
                continue
            held += block
            if misnamed(held):  # only its first line stands for it: each would be a finding
                break
            if self._open(held, forms, is_whole=len(held) >= _LONGEST_OPENING) and not self.too_large:
                yield held
        if not self.opened and (what := misnamed(held)):
            self.unheaded = what
            held = held.lstrip().partition(NEWLINE)[0] + NEWLINE
        if not self.opened and self._open(held, forms, is_whole=True) and not self.too_large:
            self.ended = True
            yield held
        self.ended = True

    def _open(self, text: bytes, forms: Forms, *, is_whole: bool) -> bool:
        """Look for the header; whether that is done, and the text may be read."""
        opening = find_opening(text, forms, self.kind, is_whole=is_whole)
        if opening and opening.header and opening.header.is_assumed and misnamed(text):
            opening = replace(opening, header=None, remarks=())
        if opening:
            self.opening, self.delimiter, self.lines_before = opening, opening.delimiter, opening.line
            self.unheaded = self.unheaded or opening.meant
            if opening.header:
                self.read_by(opening.header)
        elif len(text) >= _LONGEST_OPENING:
            self.delimiter = guessed_from_blank(text)
        self.opened = bool(opening) or len(text) >= _LONGEST_OPENING
        return self.opened

    def read_by(self, header: Header) -> None:
        """Let a header count from here on."""
        header = replace(header, spare=0) if self.is_sheet else header
        if len(self._numbers) != len(self.headers):
            self._numbers = {known: number for number, known in enumerate(self.headers)}
        if header not in self._numbers:
            if len(self.headers) == _MOST_HEADERS or len(header.cells) > MOST_COLUMNS:
                self.too_large = True
                return
            self._numbers[header] = len(self.headers)
            self.headers.append(header)
        self.header_no = self._numbers[header]


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
    lines = find_lines([course.carried + text if course.carried else text for _, course, text in sections])
    for course in courses:
        course.carried = b""
    header_no, form = _headers(lines, courses, forms)
    heights = np.diff(lines.first)
    for left_open in join_lines(lines, form, forms.headers):
        section = lines.section[left_open]
        heights[section] -= _carry(lines, left_open, courses[section])
    guessed = np.asarray([_number(course.delimiter) for course in courses])
    by_form = np.asarray([*(_number(header.delimiter) for header in forms.headers), 0])
    blank = _blank(lines, np.where(form < 0, guessed[lines.section], by_form[form]))
    kept = np.flatnonzero(~blank & (lines.fault != NO_RECORD))
    read = np.asarray([course.lines_read for course in courses])
    line = np.arange(len(blank)) + (read - lines.first[:-1] + 1)[lines.section]
    rows = np.bincount(lines.section[kept], minlength=len(courses))
    for course, height, own in zip(courses, heights.tolist(), rows.tolist(), strict=True):
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


def _carry(lines: Lines, line: int, course: Course) -> int:
    """Leave the lines from one on to the next section, if there is one; how many they are."""
    end = int(lines.first[lines.section[line] + 1])
    course.left_open = course.ended
    if course.ended:
        return 0
    stop = lines.start[end] if end < len(lines.start) else len(lines.text)
    course.carried = lines.text[lines.start[line] : stop]
    lines.fault[line:end] = NO_RECORD
    return end - line


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

    for course, begin in zip(courses, lines.first.tolist(), strict=False):
        _mark_opening(lines, begin, course)
    found = iter([*_likely_headers(lines, forms), (len(lines.section), "")])
    line, text = next(found)
    for course, begin, end in zip(courses, lines.first[:-1].tolist(), lines.first[1:].tolist(), strict=True):
        read_on(begin, course)
        while line < end:
            header = forms.find_again(text, course.headers[course.header_no]) if course.headers else None
            if header:
                lines.fault[line] = HEADER
                course.read_by(header)
                read_on(line, course)
            line, text = next(found)
    spans = np.diff([*places, len(lines.section)])
    header_no, form = np.repeat(np.asarray(numbers, np.int64).reshape(-1, 2), spans, axis=0).T
    return header_no, form


def _mark_opening(lines: Lines, begin: int, course: Course) -> None:
    """Mark the header that a file begins with, and what stands before it."""
    opening, course.opening = course.opening, None
    if opening is None or opening.header is None:
        return
    own = [] if opening.header.is_assumed else [opening.line]
    lines.fault[begin + np.asarray([*own, *opening.remarks], np.int64)] = NO_RECORD
    for places, fault in ((opening.titles, TITLE), (opening.rows, ROW_BEFORE)):
        at = begin + np.asarray(places, np.int64)
        lines.fault[at[lines.fault[at] == SOUND]] = fault


def _likely_headers(lines: Lines, forms: Forms) -> Iterator[tuple[int, str]]:
    """The lines that may be headers, but for those that files begin with, and their text."""
    likely = np.flatnonzero((lines.stop - lines.start < _LONGEST_HEADER) & (lines.fault == SOUND))
    if not likely.size:
        return
    texts = lines.texts(likely)
    hinted = texts.str.contains_any(forms.hints, ascii_case_insensitive=True)
    yield from zip(likely[hinted.to_numpy()].tolist(), texts.filter(hinted), strict=True)


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
