"""Which records hold one of some keys: from the indexes of the data files that have one, of the others in one pass."""

from pathlib import Path

import numpy as np
import polars as pl

from pipeline.registry import index
from pipeline.registry.files import scan_columns
from pipeline.registry.key_set import KeySet

_CHUNK_RECORDS = 8_000_000
"""Records whose keys are in memory at once: 64 MB of them."""


def holders(files: dict[Path, int], name: str, wanted: KeySet) -> pl.DataFrame:
    """Find the records that hold one of some keys.

    Args:
        files: data files of the registry, and how many records each holds.
        name: column of the keys.
        wanted: the keys.

    Returns:
        One row a record and key: `record` (position, UInt32) and `key`.
    """
    found = [pl.DataFrame(schema={"record": pl.UInt32, "key": pl.Int64})]
    if not len(wanted):
        return found[0]
    firsts = dict(zip(files, np.cumsum([0, *files.values()]).tolist(), strict=False))
    unsorted: dict[Path, int] = {}
    for file, records in files.items():
        own = index.find(file, name, wanted)
        if own is None:
            unsorted[file] = records
        else:
            found.append(own.with_columns(pl.col("record") + pl.lit(firsts[file], pl.UInt32)))
    if unsorted:
        passed = _pass_over(unsorted, name, wanted)
        begins = np.cumsum([0, *unsorted.values()])[:-1]
        shift = np.asarray([firsts[file] for file in unsorted]) - begins
        position = passed["record"].to_numpy()
        moved = position + shift[np.searchsorted(begins, position, side="right") - 1]
        found.append(passed.with_columns(record=pl.Series(moved, dtype=pl.UInt32)))
    return pl.concat(found)


def _pass_over(files: dict[Path, int], name: str, wanted: KeySet) -> pl.DataFrame:
    """Look at every key of some files, taken as one."""
    column = scan_columns(files, name)
    found = []
    for first in range(0, sum(files.values()), _CHUNK_RECORDS):
        record, key = index.flat_keys(column.slice(first, _CHUNK_RECORDS).collect(engine="streaming")[name])
        hits = wanted.among(key)
        found.append(
            pl.DataFrame(
                {
                    "record": pl.Series(record[hits] + first, dtype=pl.UInt32),
                    "key": pl.Series(key[hits], dtype=pl.Int64),
                }
            )
        )
    return pl.concat(found)
