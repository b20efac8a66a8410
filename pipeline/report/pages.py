"""Pages: the numbers of a run and of each partner, self-contained, readable offline and without scripts."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.report.exports import partner_folder
from pipeline.report.summary import Summary
from schemas.reasons import CATALOGUE

_REPORT_VERSION = 1
"""Version of the form of report.json; raised when a reader would have to change."""

_MOST_FILES = 1_000
"""Files listed on a page, those with most rejected rows first; files.parquet has all."""


def write_pages(folder: Path, manifest: dict[str, Any], summary: Summary) -> None:
    """Write `report.json`, `index.html`, and a page for each partner below its folder."""
    environment = Environment(
        loader=PackageLoader("pipeline.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    report = _report(manifest, summary) | {"partners": manifest["partners"]}
    text = json.dumps(report, indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    partners = [
        {**partner, "folder": partner_folder(partner["partner_id"]) if partner["partner_id"] else None}
        for partner in manifest["partners"]
    ]
    page = environment.get_template("run.html.jinja").render(report=report, partners=partners, ignored=summary.ignored)
    (folder / "index.html").write_text(page, encoding="utf-8")
    for partner in partners:
        if partner["folder"]:
            own = _report(manifest, summary.of_partner(partner["partner_id"]))
            place = folder / partner["folder"]
            page = environment.get_template("partner.html.jinja").render(report=own, partner=partner)
            (place / "index.html").write_text(page, encoding="utf-8")


def _report(manifest: dict[str, Any], summary: Summary) -> dict[str, Any]:
    counts = summary.counts()
    rows = counts["rows"]
    files = summary.files.sort("rows_rejected", "source_file", descending=[True, False]).head(_MOST_FILES)
    return {
        "report_version": _REPORT_VERSION,
        **{name: manifest[name] for name in ("run_id", "as_of", "started_at", "finished_at", "dry_run")},
        **counts,
        "reconciles": rows["read"]
        == rows["registered"] + rows["rejected"]
        == sum(counts["outcomes"].values()) + rows["registered"],
        "reasons": [_told(code, number) for code, number in counts["reasons"].items()],
        "warnings": [_told(code, number) for code, number in summary.warning_counts().items()],
        "repairs": summary.repairs(),
        "per_file": files.drop("sha256").to_dicts(),
        "files_not_listed": summary.files.height - files.height,
    }


def _told(code: str, rows: int) -> dict[str, Any]:
    reason = CATALOGUE[code]
    return {
        "code": code,
        "rows": rows,
        "outcome": reason.outcome,
        "sentence": reason.sentence,
        "remedy": reason.remedy,
        "owner": reason.owner,
        "microsoft": reason.microsoft,
    }
