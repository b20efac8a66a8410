"""What remains once the departures of a run are carried out: `steps.parquet`, and the same for each partner."""

from pathlib import Path

import polars as pl

from pipeline.departing.steps import BEGUN_TYPES, ENDED_TYPES, SAID_TYPES, steps
from schemas.steps import REMAINING_STEP

_NOW = pl.lit(0, pl.Int64)
"""The version of all that a run ends and begins."""


class Remaining:
    """Gathers, while the rows of a run pass by, what ends and what begins of the same devices."""

    def __init__(self, ending: pl.DataFrame) -> None:
        """Begin.

        Args:
            ending: the registrations that end, with the columns of `schemas.registry.ENDING`.
        """
        self._serials = ending["serial_number"].drop_nulls().str.to_lowercase().implode()
        self._hashes = ending["hardware_hash_id"].drop_nulls().implode()
        self._ended, self._begun = [pl.DataFrame(schema=ENDED_TYPES)], [pl.DataFrame(schema=BEGUN_TYPES)]

    def write(self, ended: pl.DataFrame, made: pl.DataFrame) -> None:
        """Take what ends and what begins with some rows, with the columns of `schemas.registry.RECORD_TYPES`."""
        asked = ended.with_columns(partner_id="departed_by", version=_NOW)
        self._ended.append(asked.select(list(ENDED_TYPES)))
        is_same = pl.col("serial_number").str.to_lowercase().is_in(self._serials) | pl.col("hardware_hash_id").is_in(
            self._hashes
        )
        self._begun.append(made.filter(is_same).with_columns(version=_NOW).select(list(BEGUN_TYPES)))

    def finish(self, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Write `steps.parquet`; what it holds, and what partners may know of that, with its columns."""
        ended, begun, said = pl.concat(self._ended), pl.concat(self._begun), pl.DataFrame(schema=SAID_TYPES)
        whole = REMAINING_STEP.validate(steps(ended, begun, said))
        whole.write_parquet(folder / "steps.parquet")
        return whole, steps(ended, begun, said, for_partners=True)
