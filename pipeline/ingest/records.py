"""Text to records: one physical line each, with its number, its raw text, and the header that it is read by."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.ingest.fields import TRIMMED
from pipeline.ingest.layout import DELIMITERS, HEADER_HINTS, Header, guess_delimiter, is_blank, parse_header

RECORD_LIMIT = 1 << 20
"""Bytes of the longest record: 250 times a usual one. A longer one has lost its line end."""

BLOCK_BYTES = 16 << 20
"""Text handled at once, about 4,000 rows: larger blocks were no faster and cost memory."""

_KEPT = RECORD_LIMIT + 64
"""What is kept of a longer record: enough to find a product key that begins within the limit."""

_LONGEST_HEADER = 3_000
"""Bytes of the longest line that is looked at as a repeated header; a row with a hash is longer."""

_MOST_UNDECIDED = 100_000
"""Lines of delimiters alone that are kept at a file's beginning; a file with more of them has no header."""


class RecordReader:
    """Reads the records of one file.

    Attributes:
        headers: the different header lines met, in order; a record's `header_no` is the position here of its own.
        delimiter: that of the first header, or the guessed one; None before the first record.
    """

    def __init__(
        self,
        newline: bytes,
        find_header: Callable[[str], Header | None] = parse_header,
        hints: tuple[str, ...] = HEADER_HINTS,
    ) -> None:
        self.headers: list[Header] = []
        self.delimiter: str | None = None
        self._newline, self._find_header, self._hints = newline, find_header, hints
        self._lines_read = 0
        self._first_line = 0
        self._header_no = 0
        self._numbers: dict[Header, int] = {}
        self._undecided: list[pl.DataFrame] = []

    def read(self, chunks: Iterable[bytes]) -> Iterator[pl.DataFrame]:
        """Split text into records, block by block.

        Args:
            chunks: UTF-8; bytes that are not are the bytes of a bad record.

        Yields:
            One row for each record, in order: `source_line` (1-based), `raw_record`, `record_fault` (a reason code or
            null) and `header_no` (null in a file without a header).
        """
        for block in _blocks(chunks, self._newline):
            lines = self._number(_lines(block, self._newline))
            if self.delimiter is None:
                lines = self._begin(pl.concat([*self._undecided, lines]))
            if self.delimiter is not None:
                records = self._records(lines)
                if records.height:
                    yield records

    def _number(self, lines: pl.DataFrame) -> pl.DataFrame:
        numbered = lines.with_row_index("source_line", offset=self._lines_read + 1)
        self._lines_read += lines.height
        return numbered

    def _begin(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Find the header: the first line that is a record, whatever the delimiter turns out to be.

        Lines of delimiters alone are kept until it is known whether they are blank.
        """
        anything = lines.filter(pl.col("raw_record").str.strip_chars(TRIMMED + "".join(DELIMITERS)) != "")
        undecided = lines.filter(pl.col("raw_record").str.strip_chars(TRIMMED) != "")
        if anything.is_empty() and undecided.height <= _MOST_UNDECIDED:
            self._undecided = [undecided]
            return undecided
        first = (undecided if anything.is_empty() else anything).row(0, named=True)
        header = None if first["record_fault"] else self._find_header(first["raw_record"])
        leading = undecided.filter(pl.col("source_line") < first["source_line"])["raw_record"]
        if header and all(is_blank(line, header.delimiter) for line in leading):
            self.headers.append(header)
            self._numbers[header] = 0
        self.delimiter = header.delimiter if header else guess_delimiter(first["raw_record"])
        self._first_line = first["source_line"] if self.headers else 0
        return undecided

    def _records(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The lines that are records, each with the header that it is read by; repeated headers are named."""
        if not self.headers:
            return lines.filter(_is_record(self.delimiter or "")).with_columns(header_no=pl.lit(None, pl.UInt32))
        lines = lines.filter(pl.col("source_line") != self._first_line)
        places, numbers = [0], [self._header_no]
        found = self._header_lines(lines)
        for at, header in found:
            places.append(at)
            numbers.append(self._read_by(header))
        section = np.searchsorted(places, np.arange(lines.height), side="right") - 1
        again = pl.Series([at for at, _ in found], dtype=pl.UInt32)
        is_header = pl.int_range(pl.len(), dtype=pl.UInt32).is_in(again.implode())
        numbered = lines.with_columns(
            pl.Series("header_no", np.asarray(numbers)[section], dtype=pl.UInt32),
            record_fault=pl.when(is_header).then(pl.lit("RECORD_REPEATED_HEADER")).otherwise("record_fault"),
        )
        delimiters = [header.delimiter for header in self.headers]
        return numbered.filter(
            pl.any_horizontal(
                pl.col("header_no").is_in([at for at, own in enumerate(delimiters) if own == delimiter])
                & _is_record(delimiter)
                for delimiter in set(delimiters)
            )
        )

    def _read_by(self, header: Header) -> int:
        """Let a header count from here on; its number."""
        if header != self.headers[self._header_no]:
            if header not in self._numbers:
                self._numbers[header] = len(self.headers)
                self.headers.append(header)
            self._header_no = self._numbers[header]
        return self._header_no

    def _header_lines(self, lines: pl.DataFrame) -> list[tuple[int, Header]]:
        """Positions of the lines that are headers, and what they are."""
        short = pl.col("raw_record").str.len_bytes() < _LONGEST_HEADER
        likely = lines.with_row_index("at").filter(short & pl.col("record_fault").is_null())
        hinted = pl.col("raw_record").str.contains_any(list(self._hints), ascii_case_insensitive=True)
        found = [
            (at, self._find_header(line)) for at, line in likely.filter(hinted).select("at", "raw_record").iter_rows()
        ]
        return [(at, header) for at, header in found if header]


def _is_record(delimiter: str) -> pl.Expr:
    """Whether a line holds more than delimiters and blanks."""
    return pl.col("raw_record").str.strip_chars(TRIMMED + delimiter) != ""


def _blocks(chunks: Iterable[bytes], newline: bytes) -> Iterator[bytes]:
    """Whole lines, about `BLOCK_BYTES` at a time; of a line longer than `_KEPT` only its beginning."""
    pending: list[bytes] = []
    size = 0
    discarding = False
    for chunk in chunks:
        if discarding:
            end = chunk.find(newline)
            if end < 0:
                continue
            chunk, discarding = chunk[end:], False  # noqa: PLW2901 - the rest of the chunk
        pending.append(chunk)
        size += len(chunk)
        if size >= BLOCK_BYTES:
            text = b"".join(pending)
            cut = text.rfind(newline) + 1
            if cut:
                yield text[:cut]
            rest = text[cut : cut + _KEPT]
            discarding = len(text) - cut > len(rest)
            pending, size = [rest], len(rest)
    text = b"".join(pending)
    if text:
        yield text


def _lines(block: bytes, newline: bytes) -> pl.DataFrame:
    """`raw_record` and `record_fault` of each line of a block, without line ends."""
    flat = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(flat == newline[0]) + 1
    if not ends.size or ends[-1] != flat.size:
        ends = np.append(ends, flat.size)
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    array = pa.Array.from_buffers(pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block)])
    raw = pl.Series("raw", array, dtype=pl.Binary)
    if int(np.diff(offsets).max()) > RECORD_LIMIT:
        raw = raw.bin.head(_KEPT)
    text, is_text = _text(raw)
    text = text.str.strip_suffix(newline.decode())
    if newline == b"\n":
        text = text.str.strip_suffix("\r")
    has_nul = text.str.contains("\0", literal=True) if b"\0" in block else pl.lit(value=False)
    return pl.select(
        raw_record=text,
        record_fault=pl.when(raw.bin.size() > RECORD_LIMIT + _line_end(raw, newline))
        .then(pl.lit("RECORD_TOO_LARGE"))
        .when(has_nul | ~is_text)
        .then(pl.lit("RECORD_NOT_TEXT")),
    )


def _line_end(raw: pl.Series, newline: bytes) -> pl.Series:
    """Bytes of each line's end."""
    size = raw.bin.ends_with(newline).cast(pl.UInt32)
    return size + raw.bin.ends_with(b"\r\n").cast(pl.UInt32) if newline == b"\n" else size


def _text(raw: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The lines as text, bytes that are no text shown escaped, and which lines were text."""
    try:
        return raw.cast(pl.String), pl.repeat(value=True, n=len(raw), eager=True)
    except pl.exceptions.PolarsError:
        text = [value.decode("utf-8", "backslashreplace") for value in raw]
        encoded = pl.Series(text, dtype=pl.String)
        return encoded, encoded.cast(pl.Binary) == raw
