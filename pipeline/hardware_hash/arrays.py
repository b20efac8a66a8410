"""Small steps over arrays of bytes, for all rows at once: integers, windows, and columns made of them."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Bytes: TypeAlias = npt.NDArray[np.uint8]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

HEX = np.frombuffer(b"".join(b"%02x" % value for value in range(256)), np.uint8).reshape(256, 2)
"""The two digits of each byte."""


def u16(flat: Bytes, at: Ints) -> Ints:
    """Unsigned 16-bit little-endian integers."""
    return flat[at].astype(np.int64) | flat[at + 1].astype(np.int64) << 8


def u32(flat: Bytes, at: Ints) -> Ints:
    """Unsigned 32-bit little-endian integers."""
    return u16(flat, at) | u16(flat, at + 2) << 16


def equals(flat: Bytes, at: Ints, expected: bytes) -> Mask:
    """Whether the bytes at each position are the expected ones."""
    same = window(flat, at, len(expected)) == np.frombuffer(expected, np.uint8)
    return np.asarray(same.all(axis=1), bool)


def any_nonzero(flat: Bytes, start: Ints, end: Ints, rows: Mask) -> Mask:
    """Whether any byte of [start, end) is not zero, for the rows asked for."""
    found = np.zeros(len(start), bool)
    asked = np.flatnonzero(rows & (end > start))
    if asked.size:
        bounds = np.stack([start[asked], end[asked]], axis=1).ravel()
        found[asked] = np.maximum.reduceat(flat, bounds)[::2] > 0
    return found


def window(flat: Bytes, at: Ints, width: int) -> npt.NDArray[np.uint8]:
    """`width` bytes at each position, as rows of a matrix."""
    return np.asarray(flat[at[:, None] + np.arange(width)], np.uint8)


def binary(flat: Bytes, start: Ints, size: Ints) -> pl.Series:
    """The bytes [start, start + size) of each row, as one binary column."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
    gathered = flat[np.repeat(start - offsets[:-1], size) + np.arange(offsets[-1])]
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(gathered)]
    array = pa.Array.from_buffers(pa.large_binary(), len(size), buffers)
    return pl.Series(array, dtype=pl.Binary)


def slices(flat: Bytes, start: Ints, size: Ints) -> pl.Series:
    """The same for ascending ranges, without a copy: the column keeps all of `flat` in memory."""
    with_gaps = np.stack([start, start + size], axis=1).ravel()
    buffers = [None, pa.py_buffer(np.append(with_gaps, with_gaps[-1:])), pa.py_buffer(flat)]
    array = pa.Array.from_buffers(pa.large_binary(), len(with_gaps), buffers)
    return pl.Series(array, dtype=pl.Binary).gather_every(2)


def text(raw: pl.Series) -> pl.Series:
    """Strings without their closing NULs. Bytes that are no UTF-8 are shown escaped: two that differ stay different."""
    try:
        text = raw.cast(pl.String)
    except pl.exceptions.PolarsError:
        text = pl.Series([value.decode("utf-8", "backslashreplace") for value in raw], dtype=pl.String)
    return text.str.strip_chars_end("\0")


def hexadecimal(matrix: npt.NDArray[np.uint8]) -> pl.Series:
    """Each row of a matrix of bytes as lower-case hexadecimal digits."""
    return strings(HEX[matrix].reshape(len(matrix), 2 * matrix.shape[1]))


def strings(matrix: npt.NDArray[np.uint8]) -> pl.Series:
    """Rows of a matrix of ASCII codes, as strings."""
    height, width = matrix.shape
    offsets = np.arange(height + 1, dtype=np.int64) * width
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix))]
    return pl.Series(pa.Array.from_buffers(pa.large_utf8(), height, buffers), dtype=pl.String)


def scatter(height: int, row: Ints, values: pl.Series) -> pl.Series:
    """A column of `height` rows with each value at its row, null elsewhere."""
    if len(values) == height:
        return values
    source = np.full(height, -1, np.int64)
    source[row] = np.arange(len(values))
    return values.gather(pl.Series(source, dtype=pl.Int64).replace(-1, None).cast(pl.UInt32))


def spread(height: int, by_row: pl.DataFrame) -> pl.DataFrame:
    """A row for each of `height` positions, null where `by_row` has none."""
    rows = pl.DataFrame({"row": pl.int_range(height, eager=True, dtype=pl.Int64)})
    return rows.join(by_row, on="row", how="left", maintain_order="left", validate="1:1")


def no_ints() -> Ints:
    """None."""
    return np.zeros(0, np.int64)
