"""Reads the registry's data files, of whichever version of the program."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from schemas.registry import RECORD_TYPES


def scan_records(files: Iterable[Path]) -> pl.LazyFrame:
    """The records of some files, in order, with the columns of `RECORD_TYPES`; those that a file lacks are null."""
    names = list(files)
    if not names:
        return pl.LazyFrame(schema=RECORD_TYPES)
    return pl.scan_parquet(names, schema=RECORD_TYPES, glob=False, missing_columns="insert", extra_columns="ignore")
