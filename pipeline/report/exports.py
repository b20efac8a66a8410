"""What each partner gets beside its page: lists of what is wrong, registered and open, and its rows to correct."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import polars as pl

from pipeline.engine import Executor
from pipeline.ingest.layout import Header
from pipeline.report.findings import findings
from pipeline.report.folders import partner_folder
from pipeline.report.fragments import Fragment, Tables
from pipeline.report.listings import DEPARTURES, ERRORS, OPEN, REGISTERED, Listings
from pipeline.report.open_rows import Tonight
from pipeline.report.resubmissions import Resubmissions
from pipeline.report.telling import OURS, is_ours, to_you
from schemas.kinds import REGISTRATION
from schemas.reasons import MEANINGS

_SENTENCES = {key: to_you(reason.sentence) for key, reason in MEANINGS.items()}
_TO_YOU = {text: to_you(text) for reason in MEANINGS.values() for text in (reason.expected, reason.remedy)}
_OURS = [key for key in MEANINGS if is_ours(key)]


class Sink(Protocol):
    """Files of one kind of every partner; their lines are added some at a time."""

    def begin(self, partner_id: str, folder: Path) -> None:
        """Begin those of a partner; they are there, if they stay empty."""

    def finish(self) -> dict[str, list[tuple[str, int]]]:
        """Complete them: the name of each and how many rows it has, by partner."""


class Exports:
    """The files of every partner, written while the rows of a run pass by."""

    def __init__(
        self,
        report: Path,
        partners: Iterable[str],
        rows: pl.DataFrame,
        files: pl.DataFrame,
        headers: list[list[Header]],
        tonight: Tonight,
    ) -> None:
        """Begin them.

        Args:
            report: the report's folder.
            partners: who gets any.
            rows: as in `Resubmissions`.
            files: likewise.
            headers: likewise.
            tonight: the run.
        """
        self._errors, self._registered, self._open = Listings(ERRORS), Listings(REGISTERED), Listings(OPEN)
        self._departures = Listings(DEPARTURES)
        self._spellings = tonight.spellings
        self._resubmissions = Resubmissions(rows, files, headers, tonight.as_of)
        self._sinks: list[Sink] = [self._errors, self._resubmissions, self._registered, self._open, self._departures]
        for partner_id in partners:
            folder = report / partner_folder(partner_id)
            folder.mkdir(parents=True, exist_ok=True)
            for sink in self._sinks:
                sink.begin(partner_id, folder)

    def tables(self, done: pl.DataFrame, rejected: pl.DataFrame) -> Tables:
        """Lines of some rows, carried out and not, in order, with decoded fields and what becomes of their requests."""
        said = _said(rejected, self._spellings)
        first = said.unique("at", keep="first").select("at", "field", "found", "expected", "remedy")
        in_resubmit, to_correct = self._resubmissions.lines(rejected, said)
        told = rejected.with_columns(in_resubmit=in_resubmit).with_row_index("at")
        told = told.join(first, on="at", how="left", maintain_order="left", validate="1:1")
        registered = done.filter(request_kind=REGISTRATION)
        return {
            "errors": ERRORS.lines_of(told),
            "registered": REGISTERED.lines_of(registered),
            "to_correct": to_correct,
        }

    def add(self, fragment: Fragment) -> None:
        """Take the lines of some rows, which follow those before."""
        for name, lists in (("errors", self._errors), ("registered", self._registered)):
            for lines in fragment.read(name):
                lists.add(lines)
        for lines in fragment.read("to_correct"):
            self._resubmissions.add(lines)

    def remaining(self, steps: pl.DataFrame) -> None:
        """Take what remains of the departures, as partners may know it, with the columns of `schemas.steps`."""
        self._departures.write(steps)

    def write_workbooks(self, executor: Executor, place: Path) -> None:
        """Write the workbooks of what there is to correct, once all lines are there; `place` is for unfinished ones."""
        self._resubmissions.write_workbooks(executor, place)

    def finish(self, unfixed: pl.DataFrame) -> dict[str, list[dict[str, str | int]]]:
        """Complete them.

        Args:
            unfixed: what is open after the run (`pipeline.report.open_rows.OpenRows.open`).

        Returns:
            By partner its files: `file`, the name, and `rows`.
        """
        self._open.write(unfixed)
        made: defaultdict[str, list[dict[str, str | int]]] = defaultdict(list)
        for sink in self._sinks:
            for partner_id, own in sink.finish().items():
                made[partner_id] += [{"file": name, "rows": rows} for name, rows in own]
        return made


def _said(rejected: pl.DataFrame, spellings: pl.DataFrame) -> pl.DataFrame:
    """All findings of some rows, in order: `at`, the position of the row, and what `findings` says, to the partner."""
    rows = pl.int_range(pl.len(), dtype=pl.UInt32).repeat_by(pl.col("reasons").list.len())
    at = rejected.select(at=rows).explode("at")
    said = findings(rejected, codes=pl.col("reasons"), spellings=spellings)
    told = said.with_columns(
        pl.col("expected").replace(_TO_YOU),
        remedy=pl.when(pl.col("meaning").is_in(_OURS)).then(pl.lit(OURS)).otherwise(pl.col("remedy").replace(_TO_YOU)),
        sentence=pl.col("meaning").replace_strict(_SENTENCES, return_dtype=pl.String),
    )
    return pl.concat([at, told], how="horizontal")
