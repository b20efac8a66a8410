"""What remains once the departures of a run are carried out: `steps.parquet`, and the same for each partner."""

from pathlib import Path

import polars as pl

from pipeline.departing.steps import BEGUN_TYPES, ENDED_TYPES, SAID_TYPES, steps
from pipeline.report import Fragment, Tables
from schemas.steps import REMAINING_STEP

_NOW = pl.lit(0, pl.Int64)
"""The version of all that a run ends and begins."""


def ends_and_begins(ended: pl.DataFrame, made: pl.DataFrame, ending: pl.DataFrame) -> Tables:
    """What ends with some rows of a run (`ended`), and what begins with them of the same devices (`begun`).

    Args:
        ended: what ends, with the columns of `schemas.registry.RECORD_TYPES`.
        made: what begins, likewise.
        ending: all registrations that end in the run, with the columns of `schemas.registry.ENDING`.
    """
    asked = ended.with_columns(partner_id="departed_by", version=_NOW)
    serials = ending["serial_number"].drop_nulls().str.to_lowercase().implode()
    hashes = ending["hardware_hash_id"].drop_nulls().implode()
    is_same = pl.col("serial_number").str.to_lowercase().is_in(serials) | pl.col("hardware_hash_id").is_in(hashes)
    return {
        "ended": asked.select(list(ENDED_TYPES)),
        "begun": made.filter(is_same).with_columns(version=_NOW).select(list(BEGUN_TYPES)),
    }


def write_steps(fragments: list[Fragment], folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Write `steps.parquet`; what it holds, and what partners may know of that, with its columns."""
    ended = pl.concat([pl.DataFrame(schema=ENDED_TYPES), *(table for one in fragments for table in one.read("ended"))])
    begun = pl.concat([pl.DataFrame(schema=BEGUN_TYPES), *(table for one in fragments for table in one.read("begun"))])
    said = pl.DataFrame(schema=SAID_TYPES)
    whole = REMAINING_STEP.validate(steps(ended, begun, said))
    whole.write_parquet(folder / "steps.parquet")
    return whole, steps(ended, begun, said, for_partners=True)
