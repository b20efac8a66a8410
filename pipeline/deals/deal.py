"""The task of a deal: its rows compared with each other and with the registry, and what is found of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.clock import Stopwatch
from pipeline.decide import find
from pipeline.engine import shared
from pipeline.intake.judge import judged_rows
from pipeline.intake.staging import Part
from pipeline.match import Candidates, ExistingRecords, compare_candidates
from pipeline.storage.mapped import mapped, write_mapped
from schemas.device import COMPONENT_TYPES

CUT = {"rows": ("profile",), "within": ("left", "right"), "against": ("left",)}
CUT |= {"crowded": ("profile",), "lookalikes": ("profile",)}
"""What a deal has its part of, and the columns that name profiles, the first of which tells whose it is."""

FOUND = {"profiles": ("profile",), "within": ("left", "right"), "registered": ("profile",)}
FOUND |= {"ended": ("profile",), "found": ()}
"""What is found of it, and the columns that name profiles."""


@dataclass(frozen=True, slots=True)
class Table:
    """What all deals of a night are compared by.

    Attributes:
        folder: where the files of `CUT` lie, by name, each in the order of the deals; what is found goes there too.
        parts: the judged rows.
        existing: the registry.
    """

    folder: Path
    parts: list[Part]
    existing: ExistingRecords


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found of a deal.

    Attributes:
        folder: where the files of `FOUND` lie, by name.
        seconds: that each stage took.
    """

    folder: Path
    seconds: dict[str, float]

    def frame(self, name: str) -> pl.DataFrame:
        """One of `FOUND`."""
        return mapped(self.folder / name)


def compare_deal(bounds: dict[str, tuple[int, int]], context: Path) -> Compared:
    """Compare a deal.

    Args:
        bounds: of its part of each of `CUT`.
        context: where a `Table` is shared.
    """
    table: Table = shared(context)
    watch = Stopwatch()
    with watch("match"):
        cut = {name: mapped(table.folder / name)[first:last] for name, (first, last) in bounds.items()}
        profiles, first = np.unique(cut["rows"]["profile"].to_numpy(), return_index=True)
        own = {
            name: _named(frame, CUT[name], lambda named: np.searchsorted(profiles, named))
            for name, frame in cut.items()
        }
        devices = judged_rows(table.parts, own["rows"]["row"])
        contents = devices.select(list(COMPONENT_TYPES))[pl.Series(first)]
        candidates = Candidates(own["rows"], contents["has_hash"], own["within"], own["against"], own["crowded"])
        matches = compare_candidates(candidates, contents, table.existing, lambda _: own["lookalikes"])
    with watch("decide"):
        found = find(devices, matches)
    told = {name: found if name == "found" else getattr(matches, name) for name in FOUND}
    folder = Path(mkdtemp(prefix="deal-", dir=table.folder))
    for name, frame in told.items():
        write_mapped(_named(frame, FOUND[name], lambda numbers: profiles[numbers]), folder / name)
    return Compared(folder, watch.seconds)


def _named(frame: pl.DataFrame, columns: tuple[str, ...], name: Callable[[arrays.Ints], arrays.Ints]) -> pl.DataFrame:
    """The same with other names for profiles: in a deal they are positions among its own."""
    return frame.with_columns(pl.Series(column, name(frame[column].to_numpy()), pl.UInt32) for column in columns)
