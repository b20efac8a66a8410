"""Puts more rows in order than memory holds: what they are sorted by stays there, the rest lies on disk meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.storage.scratch import Scratch

AT_ONCE = 50_000
"""Rows in memory at once; so few are never on disk."""

_HALF = 16
"""Hexadecimal digits of half an id."""


class SortedRows:
    """Rows in order, once they are finished; to be read any number of times, some rows at a time.

    Attributes:
        height: how many there are.
    """

    def __init__(self, schema: dict[str, pl.DataType], by: str, *, descending: bool) -> None:
        """Begin.

        Args:
            schema: of the rows, which have a `device_id`, a UUID; it decides where others are equal.
            by: column by which they are sorted; those that have nothing there come last.
            descending: the other way round.
        """
        self._by, self._descending = by, descending
        self._waiting = [pl.DataFrame(schema=schema)]
        self._keys: list[pa.Table] = []
        self._scratch: Scratch | None = None
        self.height = 0

    def __enter__(self) -> Self:
        """To be closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove what is on disk."""
        if self._scratch is not None:
            self._scratch.close()

    def write(self, rows: pl.DataFrame) -> None:
        """Add rows."""
        self._waiting.append(rows)
        self.height += rows.height
        if sum(frame.height for frame in self._waiting) >= AT_ONCE:
            self._put_away()

    def finish(self) -> None:
        """Put them in order."""
        if self._scratch is None:
            few = pl.concat(self._waiting)
            self._waiting = [few.sort(self._by, "device_id", descending=[self._descending, False], nulls_last=True)]
            return
        self._put_away()
        self._distribute()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """The rows in order, at most `AT_ONCE` at a time."""
        if self._scratch is None:
            yield self._waiting[0]
            return
        for first in range(0, self.height, AT_ONCE):
            pieces = sorted(self._scratch.path.glob(f"{first}-*"))
            yield pl.concat(map(_read, pieces)).sort("place").drop("place")

    def _put_away(self) -> None:
        self._scratch = self._scratch or Scratch()
        part = pl.concat(self._waiting)
        part.write_ipc(self._scratch.path / f"part-{len(self._keys)}", compression="lz4")
        digits = pl.col("device_id").str.replace_all("-", "", literal=True)
        halves = [digits.str.slice(at, _HALF).str.to_integer(base=16, dtype=pl.UInt64) for at in (0, _HALF)]
        keys = part.select(pl.col(self._by).alias("by"), first=halves[0], second=halves[1])
        # What arrow copies holds nothing else in memory, as columns of text would.
        self._keys.append(keys.to_arrow().combine_chunks())
        self._waiting = [part.clear()]

    def _distribute(self) -> None:
        """Cut the parts into pieces whose rows come out together."""
        assert self._scratch is not None  # noqa: S101 - for the reader of types: there are parts
        sizes = [keys.num_rows for keys in self._keys]
        places = self._places()
        for part, size in enumerate(sizes):
            path = self._scratch.path / f"part-{part}"
            own = places[sum(sizes[:part]) :][:size]
            rows = _read(path).with_columns(place=own, first=own // AT_ONCE * AT_ONCE)
            for (first,), piece in rows.partition_by("first", as_dict=True, include_key=False).items():
                piece.write_ipc(self._scratch.path / f"{first}-{part}", compression="lz4")
            path.unlink()

    def _places(self) -> pl.Series:
        """Of each row, in the order in which they came, where it stands among all."""
        keys = pl.DataFrame(pa.concat_tables(self._keys)).with_columns(pl.col("by").rank("dense"))
        self._keys = []
        descending = [self._descending, False, False]
        order = keys.select(pl.arg_sort_by(keys.columns, descending=descending, nulls_last=True)).to_series()
        places = np.empty(len(order), np.uint32)
        places[order.to_numpy()] = np.arange(len(order), dtype=np.uint32)
        return pl.Series(places)


def _read(path: Path) -> pl.DataFrame:
    return pl.read_ipc(path)
