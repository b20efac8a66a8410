"""Gathers what there is to tell while the rows pass by once, and writes it at the end."""

from pathlib import Path
from typing import Any

import polars as pl

from pipeline.ingest.layout import Header
from pipeline.report.cases import Cases
from pipeline.report.content import Told, partner_content, run_content
from pipeline.report.exports import Exports, partner_folder
from pipeline.report.names import Names
from pipeline.report.open_rows import OpenRows
from pipeline.report.pages import REPORT, Neighbours, beside, write_page
from pipeline.report.repairs import REPAIRS, RepairLog
from pipeline.report.shown import ShownRows
from pipeline.report.summary import Summary
from pipeline.report.trends import trends
from schemas.run import RunManifest


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
            folder: what will be published.
            rows: one row a record that was decided: `file_no`, `header_no`.
            files: one row a manifest, by position: `partner_id`, `tenant_folder`, `delimiter`.
            headers: header lines of each manifest.
            decisions: what was decided of each row, in order.
            open_rows: follows what is open.
        """
        self.folder = folder
        self._report = folder / REPORT
        self._report.mkdir()
        is_rejected = decisions["reason"].is_not_null()
        decided = decisions.select("row", "reason", *REPAIRS, partner_id=files["partner_id"].gather(rows["file_no"]))
        self._exports = Exports(self._report, rows.filter(is_rejected), files, headers)
        self._shown = ShownRows(decided.filter(is_rejected))
        self._repairs = RepairLog(decided.filter(pl.any_horizontal(REPAIRS)), headers)
        self._open = open_rows

    def repaired(self, rows: pl.DataFrame) -> None:
        """Take some rows of the run as they were staged, with the columns of the sets."""
        self._repairs.write(rows)

    def write(self, registered: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
        """Take the same rows by the set that they are in, with their decoded fields.

        Returns:
            The rejected ones with `first_run`, the run that rejected each first.
        """
        told = self._open.write(registered, rejected)
        self._shown.write(told)
        self._exports.write(told)
        return told

    def finish(self, run: RunManifest, summary: Summary, cases: Cases, past: list[RunManifest], names: Names) -> None:
        """Write `report.json` and the pages; what lies beside them has to be there.

        Args:
            run: what `run.json` will hold.
            summary: the numbers of the run.
            cases: what matching found.
            past: what `run.json` holds of the published runs, the latest last.
            names: what people call partners and tenants.
        """
        told = Told(
            summary,
            self._shown.collected(),
            self._shown.waiting(),
            self._repairs.collected(),
            cases,
            self._open.open(),
            self._open.fixed(),
        )
        before = trends(past)
        own: dict[str | None, dict[str, Any]] = {}
        for partner, part in told.by_partner().items():
            folder = None if partner is None else self._report / partner_folder(partner)
            downloads = [] if folder is None else beside(folder)
            own[partner] = partner_content(partner, part, run, before.get(partner, []), names, downloads)
            if folder is not None:
                write_page(folder, own[partner])
                own[partner] = {**own[partner], "rejected_rows": None}
        write_page(
            self._report, run_content(told, own, run, past, names), Neighbours(past[-1]["run_id"] if past else None)
        )
