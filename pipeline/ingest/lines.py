"""Bytes to lines: whole ones, block by block, and where each stands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.arrays import Bytes, Ints

RECORD_LIMIT = 1 << 20
"""Bytes of the longest record: 250 times a usual one. A longer one has lost its line end."""

BLOCK_BYTES = 16 << 20
"""Text handled at once, about 4,000 rows: with a quarter of it each row cost half as much again."""

NEWLINE = b"\n"
"""What ends a line here; `pipeline.ingest.encoding` makes it so."""

_KEPT = RECORD_LIMIT + 64
"""What is kept of a longer record: enough to find a product key that begins within the limit."""

_LF, _CR, _NUL = 10, 13, 0

SOUND, TOO_LARGE, NOT_TEXT, HEADER, NO_RECORD, TITLE, ROW_BEFORE = range(7)
"""What is wrong with a line: nothing; by itself; as one that is read by its header."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one batch.

    Attributes:
        text: theirs, UTF-8.
        start: where each begins in the text.
        stop: where it ends, without its line end.
        section: the section that it belongs to.
        first: by section, its first line; and the number of lines.
        fault: by line, what is wrong with it as such.
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


def find_lines(texts: list[bytes]) -> Lines:
    """Where the lines of some texts stand, each of whole lines; bytes that are no UTF-8 make a line that is no text."""
    text = texts[0] if len(texts) == 1 else b"".join(texts)
    flat = np.frombuffer(text, np.uint8)
    start, stop, ends = _bounds(flat)
    first = np.searchsorted(ends, np.cumsum([0, *map(len, texts)]))
    fault = np.zeros(len(ends), np.uint8)
    if b"\0" in text:
        fault[np.searchsorted(ends, np.flatnonzero(flat == _NUL))] = NOT_TEXT
    too_large = stop - start > RECORD_LIMIT
    if too_large.any():
        text = NEWLINE.join(line[:_KEPT] for line in text.split(NEWLINE))
    if not text.isascii():
        text, not_text = _as_utf8(text)
        fault[not_text] = NOT_TEXT
    fault[too_large] = TOO_LARGE
    if len(text) != len(flat):
        start, stop, _ = _bounds(np.frombuffer(text, np.uint8))
    section = np.repeat(np.arange(len(texts)), np.diff(first))
    return Lines(text, start, stop, section, first, fault)


def _bounds(flat: Bytes) -> tuple[Ints, Ints, Ints]:
    """Where each line begins, where it ends without its line end, and where that ends."""
    ends = arrays.places(flat, _LF)
    start = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    stop = ends - ((ends > start) & (flat[ends - 1] == _CR))
    more = np.flatnonzero((stop > start) & (flat[stop - 1] == _CR))
    if more.size:
        stop[more] = np.maximum(_before_returns(flat, stop[more]), start[more])
    return start, stop, ends


def _before_returns(flat: Bytes, stop: Ints) -> Ints:
    """Where the carriage returns begin that end at each place."""
    returns = arrays.places(flat, _CR)
    begins = np.concatenate([np.ones(1, bool), np.diff(returns) != 1])
    first = np.maximum.accumulate(np.where(begins, np.arange(len(returns)), 0))
    return np.asarray(returns[first[np.searchsorted(returns, stop - 1)]], np.int64)


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
            rest = text[cut : cut + _KEPT]
            discarding = len(text) - cut > len(rest)
            pending, size = [rest], len(rest)
            text = text[:cut]  # nothing else is held while others work on it
            if text:
                yield text
    text = b"".join(pending)
    if text:
        yield text if text.endswith(NEWLINE) else text + NEWLINE
