"""Tells what there is to tell of a run's rows, some at a time and anywhere; gathers it, and writes it at the end."""

from pathlib import Path
from typing import Any

import polars as pl

from pipeline.engine import Executor
from pipeline.ingest.layout import Header
from pipeline.report.cases import Cases
from pipeline.report.content import Told, partner_content, run_content
from pipeline.report.decided import DecidedRows
from pipeline.report.exports import Exports
from pipeline.report.folders import partner_folder
from pipeline.report.fragments import Fragment, Tables
from pipeline.report.names import Names
from pipeline.report.open_rows import OpenRows
from pipeline.report.pages import REPORT, Neighbours, write_page
from pipeline.report.repairs import REPAIRS, RepairLog
from pipeline.report.shown import ShownRows
from pipeline.report.summary import Summary
from pipeline.report.trends import trends
from schemas.run import RunManifest
from schemas.steps import STEP_TYPES


class Reporter:
    """The report of one run, in its making."""

    def __init__(
        self,
        folder: Path,
        rows: pl.DataFrame,
        files: pl.DataFrame,
        headers: list[list[Header]],
        decisions: pl.DataFrame,
        open_rows: OpenRows,
    ) -> None:
        """Begin the report.

        Args:
            folder: what will be published; beside it lies what is not finished.
            rows: one row a record that was decided: `file_no`, `header_no`.
            files: one row a manifest, by position: `partner_id`, `request_kind`.
            headers: header lines of each manifest.
            decisions: what was decided of each row and becomes of its request, in order (`pipeline.requests.settling`).
            open_rows: follows what is open.
        """
        self.folder = folder
        self._report = folder / REPORT
        self._report.mkdir()
        decided = pl.concat([rows.select("file_no", "header_no"), decisions], how="horizontal")
        # Columns one by one, as in settling.
        refused = _whose(decided.select(pl.all().filter(pl.col("reason").is_not_null())), files)
        repaired = _whose(decided.select(pl.all().filter(pl.any_horizontal(REPAIRS))), files)
        delivering = files["partner_id"].drop_nulls().unique().to_list()
        self._partners = sorted({*delivering, *open_rows.partners()})
        self._exports = Exports(self._report, self._partners, refused, files, headers, open_rows.tonight)
        self._shown = ShownRows(refused, open_rows.tonight.spellings)
        self._repairs = RepairLog(repaired, headers)
        self._decided = DecidedRows()
        self._open = open_rows
        self._remaining = pl.DataFrame(schema=STEP_TYPES), pl.DataFrame(schema=STEP_TYPES)

    def tables(
        self, rows: pl.DataFrame, registered: pl.DataFrame, rejected: pl.DataFrame
    ) -> tuple[pl.DataFrame, Tables]:
        """What there is to tell of some rows; they may be any of the run's, and nothing is kept of them here.

        Args:
            rows: as they were staged, with the columns of the sets.
            registered: those that were carried out, with their decoded fields.
            rejected: the others.

        Returns:
            The rejected ones with `first_run`, the run that rejected each first; and what `add` takes.
        """
        told, opened = self._open.tables(registered, rejected)
        own = self._repairs.tables(rows) | self._shown.tables(told) | self._exports.tables(registered, told)
        return told, opened | own | self._decided.tables(registered, told)

    def add(self, fragment: Fragment) -> None:
        """Take what `tables` told of some rows, which follow those before."""
        for each in (self._open, self._repairs, self._shown, self._exports, self._decided):
            each.add(fragment)

    def remaining(self, steps: pl.DataFrame, for_partners: pl.DataFrame) -> None:
        """Take what remains of the departures and what partners may know of it, with the columns of `schemas.steps`."""
        self._exports.remaining(for_partners)
        self._remaining = steps, for_partners

    def report(
        self,
        executor: Executor,
        run: RunManifest,
        summary: Summary,
        cases: Cases,
        past: list[RunManifest],
        names: Names,
    ) -> None:
        """Write `report.json`, the pages and what lies beside them, once all rows are added.

        Args:
            executor: writes the workbooks of partners.
            run: what `run.json` will hold, but for what the report and the commit take.
            summary: the numbers of the run.
            cases: what matching found.
            past: what `run.json` holds of the published runs, the latest last.
            names: what people call partners and tenants.
        """
        self._exports.write_workbooks(executor, self.folder.parent)
        unfixed = self._open.open()
        made = self._exports.finish(unfixed)
        told = Told(
            summary,
            self._shown.collected(),
            self._shown.waiting(),
            self._repairs.collected(),
            cases,
            unfixed,
            self._open.fixed(),
            *self._remaining,
            self._decided.collected(),
        )
        before = trends(past)
        own: dict[str | None, dict[str, Any]] = {}
        for partner, part in told.by_partner(self._partners).items():
            beside = made.get(partner or "", [])
            own[partner] = partner_content(partner, part, run, before.get(partner, []), names, beside)
            if partner is not None:
                write_page(self._report / partner_folder(partner), own[partner])
                own[partner] = {**own[partner], "rejected_rows": None, "remaining": None}
        write_page(
            self._report, run_content(told, own, run, past, names), Neighbours(past[-1]["run_id"] if past else None)
        )


def _whose(rows: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """Rows with the `partner_id` who delivered each."""
    return rows.with_columns(files["partner_id"].gather(rows["file_no"]))
