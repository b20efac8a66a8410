"""Rows that a run has decided by an operator's word."""

import polars as pl

from pipeline.decide import WORD
from pipeline.report.fragments import Fragment, Tables
from pipeline.report.masking import brief
from schemas.requests import DECISIONS

_TYPES = {
    "partner_id": pl.String(),
    "source_file": pl.String(),
    "source_line": pl.UInt32(),
    "decision": pl.String(),
    "reason": pl.String(),
}


class DecidedRows:
    """Them, collected while all rows pass by. People decide few."""

    def __init__(self) -> None:
        self._parts = [pl.DataFrame(schema=_TYPES)]

    def tables(self, *sets: pl.DataFrame) -> Tables:
        """Those of some rows of the sets (`decided`); the ones that were carried out have no reason."""
        word = pl.col("evidence").str.extract(f"{WORD}({'|'.join(DECISIONS)})")
        parts = []
        for rows in sets:
            said = rows.with_columns(decision=word).drop_nulls("decision")
            reason = pl.col("reason") if "reason" in rows.columns else pl.lit(None, pl.String)
            told = said.with_columns(brief(pl.col("source_file")).alias("source_file"), reason.alias("reason"))
            parts.append(told.select(pl.col(name).cast(dtype) for name, dtype in _TYPES.items()))
        return {"decided": pl.concat(parts)}

    def add(self, fragment: Fragment) -> None:
        """Take the table of some rows."""
        self._parts += fragment.read("decided")

    def collected(self) -> pl.DataFrame:
        """One row each: `partner_id`, `source_file`, `source_line`, `decision`, `reason` (null where carried out)."""
        return pl.concat(self._parts).sort("source_file", "source_line")
