"""Lines to records where a quoted value stands in several of them, and nothing else can be meant."""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.arrays import Ints
from pipeline.ingest.fields import TRIMMED, goes_on, split_line
from pipeline.ingest.layout import Header
from pipeline.ingest.lines import NO_RECORD, RECORD_LIMIT, SOUND, Lines

_QUOTE = b'"'
_MOST_REOPENED = 20
"""Lines of one record in which a value ends and another begins that goes on; more are no record but an attack."""

_LEFT_OPEN = -1


def join_lines(lines: Lines, form: Ints, headers: Sequence[Header]) -> list[int]:
    """Join lines that are one record: the first is made to reach to the end of the last, the others are marked.

    Args:
        lines: of one batch.
        form: by line, the number of its header; -1 where there is none.
        headers: by number.

    Returns:
        Lines that begin a record which the end of their section leaves open.
    """
    left_open = []
    last = -1
    for line in _openers(lines, form, headers):
        if line <= last:
            continue
        found = _last_line(lines, line, form, headers[form[line]])
        if found == _LEFT_OPEN:
            left_open.append(line)
            last = int(lines.first[lines.section[line] + 1]) - 1
        elif found is not None:
            lines.stop[line] = lines.stop[found]
            lines.fault[line + 1 : found + 1] = NO_RECORD
            last = found
    return left_open


def _openers(lines: Lines, form: Ints, headers: Sequence[Header]) -> list[int]:
    """Lines whose last field begins with a quotation mark that has no pair."""
    if _QUOTE not in lines.text:
        return []
    flat = np.frombuffer(lines.text, np.uint8)
    quotes = arrays.places(flat, ord(_QUOTE))
    quoted = np.searchsorted(quotes, lines.start) < np.searchsorted(quotes, lines.stop)
    rows = np.flatnonzero(quoted & (lines.fault == SOUND) & (form >= 0))
    delimiters = np.asarray([ord(header.delimiter) for header in headers])[form[rows]]
    found = [arrays.no_ints()]
    for delimiter in np.unique(delimiters).tolist():
        own = rows[delimiters == delimiter]
        places = np.concatenate([[-1], arrays.places(flat, delimiter)])
        begin = np.maximum(places[np.searchsorted(places, lines.stop[own]) - 1] + 1, lines.start[own])
        fields = arrays.slices(flat, begin, lines.stop[own] - begin, pl.String)
        blanks = TRIMMED.replace(chr(delimiter), "")
        found.append(own[fields.str.contains(rf'^[{re.escape(blanks)}]*"(?:[^"]|"")*$').to_numpy()])
    return [int(line) for line in np.sort(np.concatenate(found))]


def _last_line(lines: Lines, line: int, form: Ints, header: Header) -> int | None:
    """The last line of the record that a line begins; None where it is a record, or none, by itself."""
    delimiter = header.delimiter
    if not goes_on(_text(lines, line, line), delimiter, inside=False):
        return None
    end = int(lines.first[lines.section[line] + 1])
    reopened = 0
    for at in range(line + 1, end):
        if lines.fault[at] != SOUND or form[at] != form[line] or lines.stop[at] - lines.start[line] > RECORD_LIMIT:
            return None
        text = _text(lines, at, at)
        goes = goes_on(text, delimiter, inside=True)
        reopened += goes is True and '"' in text
        if goes is None or reopened > _MOST_REOPENED or _has_width(text, header):
            return None
        if not goes:
            return at if _has_width(_text(lines, line, at), header) else None
    return _LEFT_OPEN


def _text(lines: Lines, first: int, last: int) -> str:
    return lines.text[lines.start[first] : lines.stop[last]].decode()


def _has_width(text: str, header: Header) -> bool:
    fields = split_line(text, header.delimiter)
    return fields is not None and len(header.columns) <= len(fields) <= header.most
