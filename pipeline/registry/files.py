"""The registry's data files: which hold devices and which requests; they are read whoever wrote them, once checked."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from polars.io.plugins import register_io_source

from pipeline.registry.digests import require_sound
from schemas.registry import RECORD_TYPES
from schemas.requests import REQUEST_TYPES

DEVICES, REQUESTS = "part-", "requests-"
"""How the names of data files begin, by what they hold. What a night looks through is then what it is looking for."""

TABLE_TYPES = {**RECORD_TYPES, **REQUEST_TYPES}
"""Columns of the table: a file has those of its kind, the others are null in it."""

_BATCH_ROWS = 16_384
"""Records in memory at once where they are read with their hashes: some 20 MB."""


def holds_requests(name: str) -> bool:
    """Whether a data file of this name holds requests, not devices."""
    return name.startswith(REQUESTS)


def scan_records(files: Iterable[Path]) -> pl.LazyFrame:
    """The records of some files, in order, with the columns of `RECORD_TYPES`; those that a file lacks are null.

    Whatever columns are asked for are checked first. Positions and slices of them are cheaper by `scan_columns`.

    Raises:
        RegistryError: while it is collected: a file is damaged.
    """
    return _scan(list(files), RECORD_TYPES)


def scan_requests(files: Iterable[Path]) -> pl.LazyFrame:
    """The same of files of requests, with the columns of `REQUEST_TYPES`."""
    return _scan(list(files), REQUEST_TYPES)


def scan_columns(files: Iterable[Path], *columns: str) -> pl.LazyFrame:
    """Some columns of the records of some files, in order, once those are checked.

    Raises:
        RegistryError: a file is damaged.
    """
    return _checked(list(files), RECORD_TYPES, columns)


def scan_batches(file: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Some columns of the records of a file, in order, some at a time; those that the file lacks are null.

    Raises:
        RegistryError: the file is damaged.
    """
    require_sound(file, columns)
    with pq.ParquetFile(file) as source:
        own = [name for name in columns if name in source.schema_arrow.names]
        for batch in source.iter_batches(_BATCH_ROWS, columns=own):
            rows = pl.DataFrame(batch)
            lacking = [pl.lit(None).alias(name) for name in columns if name not in own]
            yield rows.with_columns(lacking).select(pl.col(name).cast(RECORD_TYPES[name]) for name in columns)


def _scan(files: list[Path], types: dict[str, pl.DataType]) -> pl.LazyFrame:
    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = _checked(files, types, list(types) if columns is None else columns)
        limited = wanted if rows is None else wanted.head(rows)
        filtered = limited if predicate is None else limited.filter(predicate)
        yield from filtered.collect_batches(maintain_order=True)

    return register_io_source(read, schema=types)


def _checked(files: list[Path], types: dict[str, pl.DataType], columns: Sequence[str]) -> pl.LazyFrame:
    if not files:
        return pl.LazyFrame(schema={name: types[name] for name in columns})
    for file in files:
        require_sound(file, columns)
    found = pl.scan_parquet(files, schema=types, glob=False, missing_columns="insert", extra_columns="ignore")
    return found.select(columns)
