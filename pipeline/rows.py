"""What tells a row from all others: its file and its line."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from pipeline.errors import Fault

ROW = pl.UInt64()
"""Type of `row`, by which everything that is found out about a row is put to it: its file and line, never where it
stands in a frame. In the order of `row`, files follow each other by name, and their lines by number."""

_LINE_BITS = 32


def identified(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows with `row`, made of `file_no` and `source_line`."""
    row = (pl.col("file_no").cast(ROW) * 2**_LINE_BITS + pl.col("source_line")).alias("row")
    for batch in batches:
        yield batch.select(row, pl.all())


def file_of(row: pl.Expr) -> pl.Expr:
    """Number of the file that a row stands in."""
    return row.floordiv(2**_LINE_BITS).cast(pl.UInt32)


def line_of(row: pl.Expr) -> pl.Expr:
    """Line that a row stands in."""
    return row.mod(2**_LINE_BITS).cast(pl.UInt32)


def rows_at(rows: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
    """The rows of these identities.

    Args:
        rows: one row a row, in the order of `row`.
        wanted: some of their `row`.

    Raises:
        Fault: one of them is not among the rows.
    """
    places = np.searchsorted(rows["row"].to_numpy(), wanted.to_numpy())
    found = rows[np.minimum(places, max(0, rows.height - 1))] if rows.height else rows
    if not found["row"].equals(wanted):
        message = "a row that was asked for is not among those decided; nothing was published, please report this"
        raise Fault(message)
    return found
