"""Small steps over arrays of bytes, for all rows at once: integers, windows, and columns made of them."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash as plh
import pyarrow as pa

Bytes: TypeAlias = npt.NDArray[np.uint8]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

HEX = np.frombuffer(b"".join(b"%02x" % value for value in range(256)), np.uint8).reshape(256, 2)
"""The two digits of each byte."""
_INLINE = 12
"""Bytes up to which a value is part of its view."""

UPPER_HEX = np.frombuffer(HEX.tobytes().upper(), np.uint8).reshape(256, 2)


def u16(flat: Bytes, at: Ints) -> Ints:
    """Unsigned 16-bit little-endian integers."""
    return _unaligned(flat, "<u2")[at].astype(np.int64)


def u32(flat: Bytes, at: Ints) -> Ints:
    """Unsigned 32-bit little-endian integers."""
    return _unaligned(flat, "<u4")[at].astype(np.int64)


def _unaligned(flat: Bytes, dtype: str) -> npt.NDArray[np.unsignedinteger]:
    """The integer that begins at each byte."""
    size = np.dtype(dtype).itemsize
    return np.ndarray((max(len(flat) - size + 1, 0),), dtype, flat, strides=(1,))


def equals(flat: Bytes, at: Ints, expected: bytes) -> Mask:
    """Whether the bytes at each position are the expected ones."""
    same = window(flat, at, len(expected)) == np.frombuffer(expected, np.uint8)
    return np.asarray(same.all(axis=1), bool)


def places(flat: Bytes, byte: int) -> Ints:
    """Where a byte stands. Most groups of eight bytes have none, which is seen at once."""
    whole = len(flat) // 8 * 8
    found = flat[:whole] == byte
    groups = np.flatnonzero(found.view(np.uint64) != 0)
    group, offset = np.nonzero(found.reshape(-1, 8)[groups])
    return np.concatenate([groups[group] * 8 + offset, np.flatnonzero(flat[whole:] == byte) + whole])


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


def slices(flat: Bytes, start: Ints, size: Ints, dtype: type[pl.DataType] = pl.Binary) -> pl.Series:
    """The bytes [start, start + size) of each row, as a column of bytes or of valid UTF-8.

    Long values are not copied: the column keeps all of `flat` in memory. Values lie in it as the Arrow format's views
    do: four numbers, which are the size and either the bytes, where they are few, or the first of them and the place.
    """
    views = np.zeros((len(start), 4), "<i4")
    views[:, 0] = size
    long = size > _INLINE
    views[long, 1] = u32(flat, start[long])
    views[long, 3] = start[long]
    short = np.flatnonzero(~long & (size > 0))
    within = np.arange(_INLINE) < size[short, None]
    few = flat[np.minimum(start[short, None] + np.arange(_INLINE), max(len(flat) - 1, 0))] * within
    views[short, 1:] = few.view("<i4")
    kind = pa.string_view() if dtype is pl.String else pa.binary_view()
    return pl.Series(
        pa.Array.from_buffers(kind, len(start), [None, pa.py_buffer(views), pa.py_buffer(flat)]), dtype=dtype
    )


def ranges(first: Ints, last: Ints) -> Ints:
    """Every number of each [first, last), one after another."""
    sizes = last - first
    before = np.cumsum(sizes) - sizes
    numbers: Ints = np.arange(sizes.sum()) + np.repeat(first - before, sizes)
    return numbers


def positions(numbers: Ints) -> pl.Series:
    """Numbers from zero as a column, null where they are negative."""
    series = pl.Series(numbers)
    return series.set(series < 0, None).cast(pl.UInt32)


def text(raw: pl.Series) -> pl.Series:
    """Strings without their closing NULs. Bytes that are no UTF-8 are shown escaped: two that differ stay different."""
    try:
        text = raw.cast(pl.String)
    except pl.exceptions.PolarsError:
        text = pl.Series([value.decode("utf-8", "backslashreplace") for value in raw], dtype=pl.String)
    return text.str.strip_chars_end("\0")


def sha256(raw: pl.Series) -> pl.Series:
    """SHA-256 of each value as lower-case hexadecimal digits."""
    return raw.to_frame("raw").select(plh.col("raw").chash.sha2_256())["raw"]


def hexadecimal(raw: pl.Series) -> pl.Series:
    """Each value as lower-case hexadecimal digits."""
    return raw.bin.encode("hex")


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


def lists(height: int, row: Ints, values: pl.Series) -> pl.Series:
    """For each of `height` positions the list of its values; `row` is ascending."""
    ends = np.searchsorted(row, np.arange(height + 1)).astype(np.int64)
    inner = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pl.Series(pa.LargeListArray.from_arrays(pa.array(ends), inner), dtype=pl.List(values.dtype))


def distinct(numbers: Ints) -> Ints:
    """The different numbers, ascending. Sorting takes a tenth of the time of numpy's own search for them."""
    ordered = np.sort(numbers)
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return np.asarray(ordered[first], np.int64)


def repeated(numbers: pl.Series) -> pl.Series:
    """The numbers that occur more than once among some, none of them null."""
    ordered = np.sort(numbers.to_numpy())
    return pl.Series(distinct(ordered[1:][ordered[1:] == ordered[:-1]]), dtype=numbers.dtype)


def no_ints() -> Ints:
    """None."""
    return np.zeros(0, np.int64)


def text_of(values: pl.Series) -> memoryview:
    """All values of a column of text without nulls, one after the other, as UTF-8."""
    text = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    whole = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    _, offsets, data = whole.buffers()
    bounds = np.frombuffer(offsets, np.int64)[whole.offset : whole.offset + len(whole) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]]
