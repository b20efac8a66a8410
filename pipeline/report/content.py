"""What pages show, as plain values: `report.json` of a run and of each partner. Pages are made from these alone."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.match import FEATURES
from pipeline.report.cases import Cases
from pipeline.report.folders import partner_folder
from pipeline.report.masking import brief
from pipeline.report.names import Names
from pipeline.report.remaining import remaining_content
from pipeline.report.repairs import REPAIRS
from pipeline.report.summary import Summary
from pipeline.report.telling import first_step, owners, verdict, who
from pipeline.report.trends import MOST_NIGHTS, Night, night, rejected_share, share
from schemas.reasons import MEANINGS, OUTCOMES, REASON_CODES, Outcome
from schemas.run import Counts, RunManifest

REPORT_VERSION = 3
"""Version of the form of report.json, `schemas/report.schema.json`; raised when a reader would have to change."""

_MOST_FILES = 1_000
"""Files listed, those with most rejected rows first; files.parquet has all."""
_MOST_TENANTS = 200
"""Pairs of tenant and reason listed of the rows that lacked authorization."""
_MOST_FIXED = 200
"""Rows listed of those that were put right."""

_MOST_DECIDED = 200
"""Rows listed of those that an operator has decided."""

_MATCHED = [Outcome.DUPLICATE, Outcome.REVIEW]

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that pages tell of a run.

    Attributes:
        summary: its numbers.
        shown: the rejected rows that are shown (`pipeline.report.shown`).
        waiting: how many wait since an earlier run: `partner_id`, `meaning`, `rows`.
        repaired: the changes that are shown (`pipeline.report.repairs`).
        cases: what matching found (`pipeline.report.cases`).
        unfixed: what is open, with the columns of `pipeline.report.open_rows.OpenRows.open`.
        fixed: what was wrong before and is registered now, the same.
        remaining: what remains of the departures, with the columns of `schemas.steps.STEP_TYPES`.
        remaining_for_partners: the same as partners may know it.
        decided: rows that were decided by an operator's word (`pipeline.report.decided`).
    """

    summary: Summary
    shown: pl.DataFrame
    waiting: pl.DataFrame
    repaired: pl.DataFrame
    cases: Cases
    unfixed: pl.DataFrame
    fixed: pl.DataFrame
    remaining: pl.DataFrame
    remaining_for_partners: pl.DataFrame
    decided: pl.DataFrame

    def tenants(self) -> pl.Series:
        """Tenants that pages name."""
        frames = (self.shown, self.summary.unauthorized, self.remaining)
        return pl.concat(frame["tenant_id"] for frame in frames).unique()

    def by_partner(self, partners: list[str]) -> dict[str | None, "Told"]:
        """The same of each partner alone, and of those named; of the review cases those whose sides are its own."""
        own_cases = self.cases.review.filter("own")
        frames = [self.shown, self.waiting, self.repaired, own_cases, self.cases.of]
        frames += [self.unfixed, self.fixed, self.remaining_for_partners, self.decided]
        parts = [frame.partition_by("partner_id", as_dict=True) for frame in frames]
        told = {}
        for partner, summary in self.summary.by_partner(partners).items():
            shown, waiting, repaired, review, of, unfixed, fixed, steps, decided = (
                part.get((partner,), frame.clear()) for part, frame in zip(parts, frames, strict=True)
            )
            cases = Cases(self.cases.histogram.clear(), review, of)
            told[partner] = Told(summary, shown, waiting, repaired, cases, unfixed, fixed, steps, steps, decided)
        return told


def run_content(
    told: Told, own: dict[str | None, Content], run: RunManifest, past: list[RunManifest], names: Names
) -> Content:
    """What the page of a run shows.

    Args:
        told: what there is to tell.
        own: what each partner's page shows.
        run: what `run.json` will hold.
        past: the same of the published runs, the latest last.
        names: what people call partners and tenants.
    """
    on_page = Told(
        told.summary,
        told.shown.filter("on_run_page"),
        told.waiting,
        told.repaired.filter("on_run_page"),
        Cases(told.cases.histogram, told.cases.review.filter("on_run_page"), told.cases.of),
        told.unfixed,
        told.fixed,
        told.remaining,
        told.remaining_for_partners,
        told.decided,
    )
    nights = [one for one in (*past, run) if one["rows"].get("first_time", one["rows"]["read"])]
    trend = [{**night(one, one), "reasons": one["reasons"]} for one in nights]
    partners = [{**counts, **_score(own[counts["partner_id"]])} for counts in run["partners"]]
    return {
        **_content("run", on_page, run, trend),
        "tenant_names": names.of_tenants(on_page.tenants()),
        "ignored": told.summary.ignored,
        "partners": partners,
        "seconds": run["seconds"],
    }


def partner_content(
    partner_id: str | None,
    told: Told,
    run: RunManifest,
    trend: list[Night],
    names: Names,
    made: list[dict[str, str | int]],
) -> Content:
    """What the page of one partner shows; nothing of others. `made` are the files beside it, with their rows."""
    counts = told.summary.counts()
    whole = [*trend, night(run, counts)] if counts["rows"]["first_time"] else trend
    return {
        **_content("partner", told, run, whole),
        "partner_id": partner_id,
        "partner_name": None if partner_id is None else names.partners.get(partner_id),
        "tenant_names": names.of_tenants(told.tenants(), partner_id),
        "first": first_step(
            _by_meaning(told.summary),
            _again(told),
            [str(one["file"]) for one in made if one["rows"]],
            told.unfixed.height,
        ),
        "downloads": made,
    }


def _content(page: str, told: Told, run: RunManifest, trend: list[Night]) -> Content:
    counts = told.summary.counts()
    rows, meant = counts["rows"], _by_meaning(told.summary)
    again = _again(told)
    files = told.summary.files.sort("rows_rejected", "source_file", descending=[True, False]).head(_MOST_FILES)
    return {
        "report_version": REPORT_VERSION,
        "page": page,
        **{name: run[name] for name in ("run_id", "as_of", "started_at", "finished_at", "dry_run")},
        "verdict": verdict(meant),
        **counts,
        "reconciles": rows["read"]
        == rows["settled"] + rows["registered"] + rows["deregistered"] + rows["rejected"]
        == rows["settled"] + sum(counts["outcomes"].values()) + rows["registered"] + rows["deregistered"],
        "owners": owners(meant["reasons"]),
        "reasons": [
            {**_reason(key, number, rows["read"]), "meaning": key, "who": who(key), "again": again.get(key, 0)}
            for key, number in meant["reasons"].items()
        ],
        "warnings": [_reason(code, number, rows["read"]) for code, number in told.summary.warning_counts().items()],
        "departures": _departures(told.summary),
        "remaining": remaining_content(told.remaining),
        "unauthorized": _listed(
            told.summary.unauthorized.drop("partner_id" if page == "partner" else []), _MOST_TENANTS
        ),
        "matching": _matching(counts["reasons"], told.cases),
        "repairs": _repairs(told),
        "rejected_rows": {
            "of": rows["rejected"],
            "listed": told.shown.drop("on_run_page").sort("source_file", "source_line").to_dicts(),
        },
        "unfixed": {"rows": told.unfixed.height, "oldest": _oldest(told.unfixed)},
        "fixed": _listed(told.fixed.select("source_file", "source_line", "reason", "nights"), _MOST_FIXED),
        "decisions": _listed(told.decided.drop("partner_id"), _MOST_DECIDED),
        "trend": trend[-MOST_NIGHTS:],
        "per_file": files.drop("sha256").with_columns(brief(pl.col("source_file"))).to_dicts(),
        "files_not_listed": told.summary.files.height - files.height,
    }


def _by_meaning(summary: Summary) -> Counts:
    """The counts, with the reasons by what they say."""
    return {**summary.counts(), "reasons": summary.meaning_counts()}


def _again(told: Told) -> dict[str, int]:
    """Of the rejected rows with a reason that says the same how many wait since an earlier run."""
    return dict(told.waiting.group_by("meaning").agg(pl.col("rows").sum()).iter_rows())


def _departures(summary: Summary) -> Content:
    """What became of the rows that asked for a departure."""
    by_reason = dict(summary.departures.group_by("reason").agg(pl.col("rows").sum()).iter_rows())
    return {
        "rows": sum(by_reason.values()),
        "deregistered": by_reason.get(None, 0),
        "reasons": {code: by_reason[code] for code in REASON_CODES if code in by_reason},
    }


def _reason(meaning: str, rows: int, read: int) -> Content:
    reason = MEANINGS[meaning]
    return {
        "code": reason.code,
        "rows": rows,
        "share": share(rows, read),
        "outcome": reason.outcome,
        "sentence": reason.sentence,
        "remedy": reason.remedy,
        "owner": reason.owner,
        "microsoft": reason.microsoft,
    }


def _listed(frame: pl.DataFrame, most: int) -> Content:
    shown = frame.head(most)
    texts = [name for name in ("source_file",) if name in shown.columns]
    return {"of": frame.height, "listed": shown.with_columns(brief(pl.col(name)) for name in texts).to_dicts()}


def _matching(reasons: dict[str, int], cases: Cases) -> Content:
    return {
        "kinds": {code: number for code, number in reasons.items() if OUTCOMES[code] in _MATCHED},
        "histogram": cases.histogram.to_dicts(),
        "cases": {"of": int(cases.of["cases"].sum()), "listed": [_case(row) for row in cases.review.to_dicts()]},
    }


def _case(row: dict[str, Any]) -> Content:
    place = ("source_file", "source_line", "reason", "other_file", "other_line", "other_device")
    return {
        **{name: row[name] for name in place},
        "components": [{"component": feature.called, **row[feature.component]} for feature in FEATURES],
    }


def _repairs(told: Told) -> Content:
    counted = told.summary.warning_counts()
    listed = told.repaired.drop("on_run_page", "partner_id").with_columns(
        brief(pl.col(name)).alias(name) for name in ("source_file", "before", "after")
    )
    return {"rows": {code: counted.get(code, 0) for code in REPAIRS}, "listed": listed.to_dicts()}


def _oldest(unfixed: pl.DataFrame) -> Content | None:
    if unfixed.is_empty():
        return None
    longest = unfixed.filter(pl.col("nights") == pl.col("nights").max())
    shown = longest.sort("source_file", nulls_last=True).head(1)
    moment = pl.col("since").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown.select(brief(pl.col("source_file")), "reason", "nights", since=moment).to_dicts()[0]


def _score(own: Content) -> Content:
    """A partner's line of the scorecard."""
    partner = own["partner_id"]
    last = own["trend"][-2:-1] if own["rows"]["first_time"] else []
    now = rejected_share(own["rows"])
    worst = max(own["reasons"], key=lambda reason: reason["rows"], default=None)
    return {
        "folder": None if partner is None else partner_folder(partner),
        "name": own["partner_name"],
        "downloads": own["downloads"],
        "rejected_share": now,
        "change": round(now - last[0]["rejected_share"], 4) if last else None,
        "top_reason": worst and worst["code"],
        "trend": [point["rejected_share"] for point in own["trend"]],
        "unfixed": own["unfixed"],
        "fixed": own["fixed"]["of"],
    }
