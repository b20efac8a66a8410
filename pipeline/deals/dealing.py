"""The second barrier, where much is to be compared: candidates are found here, and all else is done by deals."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.clock import Clock
from pipeline.deals.cutting import deals_of, require_uncut
from pipeline.deals.deal import CUT, FOUND, Compared, Table, compare_deal
from pipeline.engine import Executor, share
from pipeline.errors import Fault
from pipeline.intake.staging import Staging
from pipeline.match import Candidates, compare_all, find_candidates, find_lookalikes, met_by_serial
from pipeline.registry import Registry
from pipeline.storage.mapped import write_mapped
from schemas.matches import Matches

PAIRS = 50_000
"""Pairs that are compared in half a second, against the tenth that a deal costs beyond them."""


@dataclass(frozen=True, slots=True)
class Dealer:
    """Deals out what is to be compared.

    Attributes:
        clock: of the run.
        staging: where the rows were judged.
        executor: executes the deals, where there are many pairs and others to work for it.
    """

    clock: Clock
    staging: Staging
    executor: Executor

    def match(self, rows: pl.DataFrame, existing: Registry, eligible: pl.Series) -> tuple[Matches, pl.DataFrame | None]:
        """Compare the rows of a night with each other and with the registry, as `pipeline.match.match` does.

        Args:
            rows: one row a row that registers, in the order of `row`, with the columns of `ROW_TYPES`.
            existing: the registry.
            eligible: which of them may be registered.

        Returns:
            What matching says, and what `pipeline.decide.find` finds of that, where it was asked.

        Raises:
            Fault: what is to be compared was parted, or lost.
        """
        with self.clock.at_once("match") as watch:
            candidates, profiles = find_candidates(rows, existing, eligible)
            if self.executor.is_alone or candidates.within.height + candidates.against.height < PAIRS:
                return compare_all(candidates, profiles, existing), None
            met = met_by_serial(profiles, candidates.against, existing)
            lookalikes = find_lookalikes(profiles, met, existing)
            deal = deals_of(candidates, lookalikes, PAIRS)
            require_uncut(deal, candidates, lookalikes)
            folder = Path(mkdtemp(prefix="deals-", dir=self.staging.folder))
            bounds, at = _cut(candidates, lookalikes, deal, folder)
            context = share(Table(folder, self.staging.parts, existing.records_alone()), folder / "context")
            compared = self._compared(bounds, context)
            for one in compared:
                watch.add(one.seconds)
            return _together(candidates, at, compared)

    def _compared(self, bounds: list[dict[str, tuple[int, int]]], context: Path) -> list[Compared]:
        for number, own in enumerate(bounds):
            self.executor.submit((number,), compare_deal, own, context)
        results = dict(self.executor.next_result() for _ in bounds)
        return [results[number,] for number in range(len(bounds))]


def _cut(
    candidates: Candidates, lookalikes: pl.DataFrame, deal: arrays.Ints, folder: Path
) -> tuple[list[dict[str, tuple[int, int]]], arrays.Ints]:
    """Write what is compared in the order of the deals.

    Returns:
        The bounds of each deal in each file, and which rows they have, one deal after the other.
    """
    cuts = np.arange(deal.max() + 2)
    bounds, at = {}, arrays.no_ints()
    for name, (whose, *_) in CUT.items():
        frame = lookalikes if name == "lookalikes" else getattr(candidates, name)
        own = deal[frame[whose].to_numpy()]
        order = np.argsort(own, kind="stable")
        order = order[np.searchsorted(own[order], 0) :]  # -1 has none
        write_mapped(frame[pl.Series(order)], folder / name)
        bounds[name] = np.searchsorted(own[order], cuts).tolist()
        at = order if name == "rows" else at
    each = [
        {name: (ends[number], ends[number + 1]) for name, ends in bounds.items()} for number in range(len(cuts) - 1)
    ]
    return each, at


def _together(candidates: Candidates, at: arrays.Ints, compared: list[Compared]) -> tuple[Matches, pl.DataFrame]:
    """What was found of all deals, and of the rows that met nothing."""
    profiles, within, registered, ended, found = (pl.concat([one.frame(name) for one in compared]) for name in FOUND)
    rows = candidates.rows
    if within.height != candidates.within.height or not profiles["row"].equals(rows["row"][pl.Series(at)]):
        message = "deals gave back other rows than they were given; nothing was published, please report this"
        raise Fault(message)
    own = rows.with_columns(
        *(_placed(rows["row"], at, profiles[name]) for name in ("group", "device")),
        candidates.has_hash.gather(rows["profile"]).alias("has_hash"),
        _placed(pl.repeat(False, rows.height, eager=True), at, profiles["in_doubt"]),  # noqa: FBT003 - a value
    )
    return Matches(own, within, registered, candidates.crowded, ended), found


def _placed(alone: pl.Series, at: arrays.Ints, values: pl.Series) -> pl.Series:
    """Values of some rows beside those of the rows that stand alone."""
    placed = alone.to_numpy().copy()
    placed[at] = values.to_numpy()
    return pl.Series(values.name, placed)
