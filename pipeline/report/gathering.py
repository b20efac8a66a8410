"""Findings of a pre-flight as people want them: what holds for a whole file once, with how many rows it concerns."""

import polars as pl

from schemas.reasons import FILE_CODES


def gathered(found: pl.DataFrame) -> pl.DataFrame:
    """The findings, those of a file as a whole once.

    Args:
        found: one row a finding, with the columns of `pipeline.report.findings`.

    Returns:
        The same columns and `rows`, how many rows each finding concerns. One that is of a file stands where the first
        of its rows does.
    """
    of_file = pl.col("code").is_in(list(FILE_CODES))
    numbered = found.with_row_index("at").with_columns(
        place=pl.when(~of_file).then("at"), rows=pl.len().over("source_file", "code", "found")
    )
    once = numbered.unique(["source_file", "code", "found", "place"], keep="first", maintain_order=True)
    return once.select(*found.columns, rows=pl.when(of_file).then("rows").otherwise(1).cast(pl.UInt32))
