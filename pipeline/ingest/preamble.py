"""How a file begins: what stands before its header, and which line that is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile

from pipeline.ingest.fields import TRIMMED
from pipeline.ingest.layout import (
    SEPARATOR,
    Forms,
    Header,
    assumed_header,
    guess_delimiter,
    is_blank,
    is_remark,
    may_be_row,
    parse_names,
)
from pipeline.ingest.lines import NEWLINE, RECORD_LIMIT
from pipeline.ingest.unheaded import likeliest_header

_MOST_BEFORE = 19
"""Records before the last line in which a header is looked for."""

_INSIGNIFICANT = re.compile(rb"(?:(?:[ \t,;]|\xc2\xa0)*+\r*+\n)*+")
"""Lines that are blank under some delimiter."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a file begins.

    Attributes:
        header: its header, or the one that a list without any is read by; None where it has none.
        delimiter: that of the header, or the guessed one.
        line: which line is the header, or the first record where there is none; the first is 0.
        remarks: lines before the header that are no records.
        titles: lines before the header that are records, and no rows.
        rows: lines before the header that may be rows.
        meant: where there is no header, the line that is likest to one, product keys masked.
    """

    header: Header | None
    delimiter: str
    line: int
    remarks: tuple[int, ...] = ()
    titles: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    meant: str | None = None


_Line = tuple[int, bytes]
"""A line's number, and its bytes."""


def find_opening(text: bytes, forms: Forms, kind: str, *, is_whole: bool) -> Opening | None:
    """Look for the header among the first records.

    Args:
        text: whole lines that a file begins with.
        forms: knows what is a header.
        kind: of the manifest.
        is_whole: nothing follows.

    Returns:
        How the file begins; None where more of it must be seen, or nothing of it is a record.
    """
    before: list[_Line] = []
    blank: list[_Line] = []
    for number, raw in _lines(text):
        if raw.endswith(NEWLINE):
            blank.append((number, raw))
            continue
        line = _as_line(raw)
        header = forms.find_header(line, kind) if line else None
        if header:
            opening = _opened(header, number, before, blank)
            if opening:
                return opening
        before.append((number, raw))
        if sum(1 for _, one in before if not is_remark(_shown(one))) > _MOST_BEFORE:
            break
    else:
        if not is_whole:
            return None
    if not before:
        return None
    return _without_header(before, kind)


def _without_header(before: list[_Line], kind: str) -> Opening:
    """How a file begins that has none: a list may begin with remarks."""
    remarks = list(takewhile(lambda line: is_remark(_shown(line[1])), before))
    first, raw = before[min(len(remarks), len(before) - 1)]
    told = [found[1] for _, line in remarks if (found := SEPARATOR.fullmatch(_shown(line)))]
    delimiter = told[-1] if told else guess_delimiter(_shown(raw))
    header = assumed_header(kind, delimiter)
    named = parse_names(_shown(raw), delimiter, kind)
    if header and (named is None or len(named.cells) == 1):  # what names columns, and no device's, begins no list
        return Opening(header, delimiter, first, tuple(at for at, _ in remarks))
    lines = [_shown(raw[:RECORD_LIMIT]) for _, raw in before]
    meant = likeliest_header([line for line in lines if not is_remark(line)] or lines)
    return Opening(None, guess_delimiter(lines[0]), before[0][0], meant=meant)


def _lines(text: bytes) -> Iterator[_Line]:
    """Lines, those between them that may be blank all together with their line ends."""
    at = number = 0
    while at < len(text):
        blank = _INSIGNIFICANT.match(text, at)
        if blank and blank[0]:
            yield number, blank[0]
            number += blank[0].count(NEWLINE)
            at = blank.end()
            continue
        end = text.index(NEWLINE, at)
        yield number, text[at:end].rstrip(b"\r")
        at, number = end + 1, number + 1


def _opened(header: Header, number: int, before: list[_Line], blank: list[_Line]) -> Opening | None:
    """How a file begins whose header was found; None where too many records come before it."""
    told = [found[1] for _, raw in before if (found := SEPARATOR.fullmatch(_shown(raw)))]
    if told and len(header.cells) == 1:
        header = header.separated_by(told[-1])
    odd = (
        (first + at, line)
        for first, run in blank
        if not is_blank(run.decode().replace("\r", "").replace("\n", ""), header.delimiter)
        for at, line in enumerate(run.split(NEWLINE))
        if not is_blank(line.rstrip(b"\r").decode(), header.delimiter)
    )
    lines = {at: _shown(raw) for at, raw in sorted([*before, *islice(odd, _MOST_BEFORE + 1)])}
    remarks = tuple(at for at, line in lines.items() if is_remark(line))
    rows = tuple(at for at, line in lines.items() if at not in remarks and may_be_row(line, header))
    titles = tuple(at for at in lines if at not in remarks and at not in rows)
    if len(rows) + len(titles) > _MOST_BEFORE:
        return None
    return Opening(header, header.delimiter, number, remarks, titles, rows)


def guessed_from_blank(text: bytes) -> str | None:
    """The delimiter of a file of lines that hold nothing else; None where it has none."""
    lines = (line.rstrip("\r") for line in text.decode().split("\n"))
    undecided = next((line for line in lines if line.strip(TRIMMED)), None)
    return guess_delimiter(undecided) if undecided else None


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _as_line(raw: bytes) -> str | None:
    """A line that could be a header, as text."""
    if len(raw) > RECORD_LIMIT or b"\0" in raw:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
