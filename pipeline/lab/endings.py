"""What came of rows that ask for departures: whether a registration ended, and whether it was the right one."""

from dataclasses import dataclass

import polars as pl

from schemas.registry import DEREGISTERED


@dataclass(frozen=True, slots=True)
class Endings:
    """What came of departures.

    Attributes:
        scenarios: one row a scenario: `scenario`; `ends_as`, what is right: `deregistered` or an outcome; `rows`;
            `right`; `ended`, how many ended a registration; `wrong_ends`, how many one that they do not name or may not
            end; and `missed`, how many should have ended one and did not.
        totals: the same of all rows, by `named_by`, what they name the device by, and of all.
    """

    scenarios: pl.DataFrame
    totals: pl.DataFrame


def rate_endings(rows: pl.DataFrame) -> Endings:
    """Count.

    Args:
        rows: one row a row: `scenario`, `truth` and `outcome` (each `deregistered` or an outcome), `fits`, it ended for
            the reason that is right, `named_by`, and `is_meant`, the registration that ended is the one that the truth
            says, null where none ended.
    """
    should, ended = pl.col("truth") == DEREGISTERED, pl.col("outcome") == DEREGISTERED
    told = rows.with_columns(
        right=(pl.col("truth") == pl.col("outcome")) & pl.col("fits") & (~ended | pl.col("is_meant")),
        ended=ended,
        wrong_ends=ended & ~(should & pl.col("is_meant")),
        missed=should & ~ended,
    )
    counts = [pl.len().alias("rows"), pl.col("right", "ended", "wrong_ends", "missed").fill_null(value=False).sum()]
    everything = pl.concat([told, told.with_columns(named_by=pl.lit("all"))])
    return Endings(
        told.group_by("scenario", ends_as="truth", maintain_order=True).agg(counts).sort("ends_as", "scenario"),
        everything.group_by("named_by", maintain_order=True).agg(counts),
    )
