"""What data files of the registry are looked through for, each as a function of some of them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.arrays import Ints
from pipeline.registry import lookup
from pipeline.registry.digests import holds_only
from pipeline.registry.files import scan_columns
from pipeline.registry.holders import holders
from pipeline.registry.key_set import KeySet
from schemas.registry import RECORD_TYPES, REGISTERED

FOUND_TYPES = {"record": pl.UInt32(), **{name: RECORD_TYPES[name] for name in lookup.COLUMNS}}


class Keys(NamedTuple):
    """Keys of one name."""

    name: str
    keys: KeySet


class Rows(NamedTuple):
    """Records that are such (`record` is the position of one), and what is told of each."""

    are: pl.Expr
    told: tuple[pl.Expr, ...]


def who_holds(files: dict[Path, int], first: int, asked: Keys) -> pl.DataFrame:
    """One row a record that holds one of some keys, and key: `record` and `key`."""
    return holders(files, asked.name, asked.keys).with_columns(pl.col("record") + pl.lit(first, pl.UInt32))


def records_at(files: dict[Path, int], first: int, positions: Ints) -> pl.DataFrame:
    """The records at some positions, which ascend, with the columns of `FOUND_TYPES`."""
    found: list[pl.DataFrame] = [pl.DataFrame(schema=FOUND_TYPES)]
    to_read: list[Path] = []
    places: list[pl.DataFrame] = []
    height = 0
    for file, records in files.items():
        own = positions[np.searchsorted(positions, first) : np.searchsorted(positions, first + records)]
        record = pl.Series("record", own, dtype=pl.UInt32)
        taken = lookup.take(file, own - first) if own.size else None
        if taken is not None:
            found.append(taken.with_columns(record))
        elif own.size:
            places.append(pl.DataFrame([record, pl.Series("at", own - first + height, dtype=pl.UInt32)]))
            to_read.append(file)
            height += records
        first += records
    if to_read:
        found.append(_read(to_read, pl.concat(places)))
    return pl.concat(frame.select(list(FOUND_TYPES)) for frame in found)


def _read(files: list[Path], places: pl.DataFrame) -> pl.DataFrame:
    """Records of files, taken as one, `at` given places; whole columns are read."""
    rows = scan_columns(files, *lookup.COLUMNS).with_row_index("at")
    return rows.join(places.lazy(), on="at", how="inner").collect(engine="streaming")


def later_events(files: dict[Path, int], first: int, names: tuple[str, ...]) -> pl.DataFrame:
    """Events but `registered`: `record`, `event`, `version`, these columns. Most files say that they have none."""
    columns = ("event", "version", *names)
    found = [pl.LazyFrame(schema={"record": pl.UInt32, **{name: RECORD_TYPES[name] for name in columns}})]
    for file, records in files.items():
        if not holds_only(file, "event", REGISTERED):
            own = scan_columns([file], *columns).with_row_index("record", first)
            found.append(own.filter(pl.col("event") != REGISTERED))
        first += records
    return pl.concat(found).collect(engine="streaming")


def rows_that(files: dict[Path, int], first: int, asked: Rows) -> pl.DataFrame:
    """What is told of records, in order."""
    return _rows(files, first, asked).collect(engine="streaming")


def counted(files: dict[Path, int], first: int, asked: Rows) -> pl.DataFrame:
    """What is told of records, each of it once, and of how many: `records`."""
    return _rows(files, first, asked).group_by(pl.all()).agg(records=pl.len()).collect(engine="streaming")


def _rows(files: dict[Path, int], first: int, asked: Rows) -> pl.LazyFrame:
    named = [name for expr in (asked.are, *asked.told) for name in expr.meta.root_names()]
    columns = [name for name in RECORD_TYPES if name in named]
    return scan_columns(files, *columns).with_row_index("record", first).filter(asked.are).select(asked.told)
