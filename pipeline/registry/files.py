"""The registry's data files: which hold devices and which requests, and how they are read whoever wrote them."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from schemas.registry import RECORD_TYPES
from schemas.requests import REQUEST_TYPES

DEVICES, REQUESTS = "part-", "requests-"
"""How the names of data files begin, by what they hold. What a night looks through is then what it is looking for."""

TABLE_TYPES = {**RECORD_TYPES, **REQUEST_TYPES}
"""Columns of the table: a file has those of its kind, the others are null in it."""


def holds_requests(name: str) -> bool:
    """Whether a data file of this name holds requests, not devices."""
    return name.startswith(REQUESTS)


def scan_records(files: Iterable[Path]) -> pl.LazyFrame:
    """The records of some files, in order, with the columns of `RECORD_TYPES`; those that a file lacks are null."""
    return _scan(list(files), RECORD_TYPES)


def scan_requests(files: Iterable[Path]) -> pl.LazyFrame:
    """The same of files of requests, with the columns of `REQUEST_TYPES`."""
    return _scan(list(files), REQUEST_TYPES)


def _scan(files: list[Path], types: dict[str, pl.DataType]) -> pl.LazyFrame:
    if not files:
        return pl.LazyFrame(schema=types)
    return pl.scan_parquet(files, schema=types, glob=False, missing_columns="insert", extra_columns="ignore")
