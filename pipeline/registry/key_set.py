"""A set of keys that is looked for among many.

Nearly all keys of a registry are wanted by nobody. A table of the high bits of the wanted ones says so of each in a
step; only what is left is looked for exactly.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline import arrays
from pipeline.arrays import Ints

_SLOTS_A_KEY = 64
"""Slots of the table for each wanted key: so many of those that nobody wants are told without a search."""

_FEWEST_BITS, _MOST_BITS = 16, 27

_BLOCK = 1 << 16
"""Keys looked at in one step, so that what is in between stays in the processor's cache."""

_SPARSE = 128
"""So many keys to each wanted one, and searching for those takes less than a look at all."""


class KeySet:
    """A set of keys (Int64, none null)."""

    def __init__(self, keys: pl.Series) -> None:
        self._sorted = arrays.distinct(keys.drop_nulls().to_numpy())

    def __len__(self) -> int:
        """How many different keys."""
        return len(self._sorted)

    def are_few_among(self, number: int) -> bool:
        """Whether it takes less to search so many sorted keys for each of these than to look at all of them."""
        return number > _SPARSE * len(self)

    def searched(self, ascending: Ints) -> tuple[Ints, Ints]:
        """Where each key of the set stands among sorted ones, or would stand; and the positions of those that do."""
        begins = np.searchsorted(ascending, self._sorted)
        held = np.flatnonzero(ascending[np.minimum(begins, len(ascending) - 1)] == self._sorted)
        return begins, arrays.ranges(begins[held], np.searchsorted(ascending, self._sorted[held], side="right"))

    def among(self, keys: Ints) -> Ints:
        """Positions of the keys that are in the set, ascending."""
        shift, table = self._table
        slots, is_likely = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, bool)
        likely: list[Ints] = []
        for first in range(0, len(keys), _BLOCK):
            block = keys[first : first + _BLOCK].view(np.uint64)
            np.right_shift(block, shift, out=slots[: len(block)])
            table.take(slots[: len(block)].view(np.int64), out=is_likely[: len(block)], mode="clip")
            likely.append(np.flatnonzero(is_likely[: len(block)]) + first)
        candidates = np.concatenate([np.zeros(0, np.int64), *likely])
        at = np.minimum(np.searchsorted(self._sorted, keys[candidates]), len(self) - 1)
        hits: Ints = candidates[self._sorted[at] == keys[candidates]]
        return hits

    @cached_property
    def _table(self) -> tuple[np.uint64, npt.NDArray[np.bool_]]:
        """How far a key is shifted to give its slot, and by slot whether a wanted key has it."""
        bits = min(max((_SLOTS_A_KEY * len(self)).bit_length(), _FEWEST_BITS), _MOST_BITS)
        shift = np.uint64(64 - bits)
        table = np.zeros(1 << bits, bool)
        table[self._sorted.view(np.uint64) >> shift] = True
        return shift, table
