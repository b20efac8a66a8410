"""Reads the registry's data files, of whichever version of the program, and none that is damaged."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from pipeline.registry.digests import require_sound
from schemas.registry import RECORD_TYPES


def scan_records(files: Iterable[Path]) -> pl.LazyFrame:
    """The records of some files, in order, with the columns of `RECORD_TYPES`; those that a file lacks are null.

    Whatever columns are asked for are checked first. Positions and slices of them are cheaper by `scan_columns`.

    Raises:
        RegistryError: while it is collected: a file is damaged.
    """
    names = list(files)

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = scan_columns(names, *(RECORD_TYPES if columns is None else columns))
        limited = wanted if rows is None else wanted.head(rows)
        filtered = limited if predicate is None else limited.filter(predicate)
        yield from filtered.collect_batches(maintain_order=True)

    return register_io_source(read, schema=RECORD_TYPES)


def scan_columns(files: Iterable[Path], *columns: str) -> pl.LazyFrame:
    """Some columns of the records of some files, in order, once those are checked.

    Raises:
        RegistryError: a file is damaged.
    """
    names = list(files)
    if not names:
        return pl.LazyFrame(schema={name: RECORD_TYPES[name] for name in columns})
    for file in names:
        require_sound(file, columns)
    found = pl.scan_parquet(names, schema=RECORD_TYPES, glob=False, missing_columns="insert", extra_columns="ignore")
    return found.select(columns)
