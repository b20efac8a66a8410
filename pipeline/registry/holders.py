"""Which records hold one of some keys: one pass over a column of fingerprints, in bounded memory.

Nearly all keys of a registry are wanted by nobody. A table of the low bits of the wanted ones, small enough for the
processor's cache, says so of each in a step; only what is left is looked for exactly.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.device import KEY_TYPES

_CHUNK_RECORDS = 8_000_000
"""Records whose keys are in memory at once: 64 MB of them."""

_SLOTS_A_KEY = 64
"""Slots of the table for each wanted key: so many of those that nobody wants are told without a search."""

_FEWEST_SLOTS, _MOST_SLOTS = 1 << 16, 1 << 27

_BLOCK = 1 << 16
"""Keys looked at in one step, so that what is in between stays in the processor's cache."""

_Ints = npt.NDArray[np.int64]


def holders(records: pl.LazyFrame, height: int, name: str, wanted: pl.Series) -> pl.DataFrame:
    """Find the records that hold one of some keys.

    Args:
        records: all records of the registry.
        height: how many they are.
        name: column of the keys.
        wanted: the keys (Int64).

    Returns:
        One row a record and key, in order: `record` (position, UInt32) and `key`.
    """
    table = _Wanted(wanted)
    found = [pl.DataFrame(schema={"record": pl.UInt32, "key": pl.Int64})]
    for first in range(0, height if len(wanted) else 0, _CHUNK_RECORDS):
        column = records.select(name).slice(first, _CHUNK_RECORDS).collect(engine="streaming")[name]
        at, keys = _flat(column) if isinstance(KEY_TYPES[name], pl.List) else (None, column)
        hits = table.among(keys)
        record = hits if at is None else np.searchsorted(at, hits, side="right") - 1
        found.append(
            pl.DataFrame(
                {
                    "record": pl.Series(record + first, dtype=pl.UInt32),
                    "key": keys.gather(pl.Series(hits, dtype=pl.UInt32)),
                }
            )
        )
    return pl.concat(found)


def _flat(lists: pl.Series) -> tuple[_Ints, pl.Series]:
    """Where the values of each list begin, and the values."""
    array = lists.to_arrow(compat_level=pl.CompatLevel.oldest())
    begins = array.offsets.to_numpy()
    return begins - begins[0], pl.Series(array.flatten(), dtype=pl.Int64)


class _Wanted:
    """A set of keys that is asked for many at a time."""

    def __init__(self, keys: pl.Series) -> None:
        self._sorted = np.sort(keys.drop_nulls().to_numpy())
        slots = 1 << int(_SLOTS_A_KEY * max(len(self._sorted), 1) - 1).bit_length()
        self._mask = np.int64(min(max(slots, _FEWEST_SLOTS), _MOST_SLOTS) - 1)
        self._table = np.zeros(int(self._mask) + 1, bool)
        self._table[self._sorted & self._mask] = True

    def among(self, keys: pl.Series) -> _Ints:
        """Positions of the keys that are in the set, ascending."""
        values = (keys.fill_null(0) if keys.null_count() else keys).to_numpy()
        slots, is_likely = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, bool)
        likely: list[_Ints] = []
        for first in range(0, len(values), _BLOCK):
            block = values[first : first + _BLOCK]
            np.bitwise_and(block, self._mask, out=slots[: len(block)])
            self._table.take(slots[: len(block)], out=is_likely[: len(block)], mode="clip")
            likely.append(np.flatnonzero(is_likely[: len(block)]) + first)
        candidates = np.concatenate([np.zeros(0, np.int64), *likely])
        at = np.minimum(np.searchsorted(self._sorted, values[candidates]), len(self._sorted) - 1)
        hits: _Ints = candidates[self._sorted[at] == values[candidates]]
        return hits[keys.is_not_null().to_numpy()[hits]] if keys.null_count() else hits
