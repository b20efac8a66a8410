"""Review cases of published runs, and what operators say of them.

A word is recorded of one request and the registrations that it met. The next run heeds it (`pipeline.requests.words`).
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

import polars as pl
from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipeline.errors import UsageError
from pipeline.match import identity_key
from pipeline.registry import Registry
from pipeline.report.folders import partner_folder
from pipeline.report.masking import brief_text, masked
from pipeline.report.pages import REPORT
from pipeline.runs.history import PublishedRun, published_runs
from pipeline.runs.outputs import Output
from schemas.kinds import REGISTRATION
from schemas.matches import Verdict
from schemas.reasons import Outcome
from schemas.requests import DECIDED, DELIVERY, DIFFERENT, OPEN, REJECT, SAME, WAITING

_MET = re.compile(r"registered device ([0-9a-f-]{36}), ([^:]+): ")
_OF_ROWS = "in this delivery"
_PLACES = "met in this delivery: "
_CELLS = ("serial_number", "windows_product_id", "manufacturer", "model", "hardware_hash_id")
_COLUMNS = (
    "source_file",
    "source_line",
    "partner_id",
    "tenant_id",
    "outcome",
    "reason",
    "reasons",
    "matched_device_id",
    "matched_source_file",
    "matched_source_line",
    "evidence",
)


@dataclass(frozen=True, slots=True)
class Word:
    """What an operator says of a case.

    Attributes:
        decision: one of `schemas.requests.DECISIONS`.
        by: who says so.
        device_id: of a "same" which registration the row is; None for the only one that it met.
        at: when.
    """

    decision: str
    by: str
    device_id: str | None
    at: datetime


def run_of(output: Output, run_id: str | None) -> PublishedRun:
    """A published run, or the newest, with its sets at hand.

    Raises:
        UsageError: there is none.
    """
    runs = published_runs(output.folder)
    found = [run for run in runs if run_id in (None, run.folder.name)]
    if not found:
        what = f"run {run_id}: not published" if run_id else "no run is published"
        message = f"{what} in {output.folder}; `runs list` names those that are"
        raise UsageError(message)
    output.bring(found[-1].folder.name, ".parquet")
    output.bring(f"{found[-1].folder.name}/{REPORT}", "report.json")
    return found[-1]


def cases_of(run: PublishedRun, registry: Registry, place: str = "") -> pl.DataFrame:
    """The review cases of a run, and the rejected row at a place, `FILE:LINE`, whatever it is; what was said of them.

    Returns:
        One row a rejected row: the columns of the set that tell of it, `serial_number` masked, `identity_key`;
        `request_id` and `event`, null where nothing is open of it any more; `decision`, `decided_by`, `decided_at`,
        where somebody has decided it since the run.
    """
    rows = pl.scan_parquet(sorted((run.folder / "rejected").glob("*.parquet")), glob=False)
    here = pl.format("{}:{}", "source_file", "source_line") == place
    rejected = (
        rows.filter((pl.col("outcome") == Outcome.REVIEW) | here)
        .select(
            *_COLUMNS,
            *_CELLS,
            has_hash=pl.col("hardware_hash_id").is_not_null(),
            line=pl.col("source_line").cast(pl.Int64),
        )
        .collect()
    )
    files = pl.read_parquet(run.folder / "files.parquet", columns=["source_file", "sha256"])
    requests = registry.requests()
    key = ["partner_id", "tenant_id", "sha256", "line"]
    pending = requests.pending.select(*key, "request_id", "event", "request_kind").unique(key, keep="any")
    since = pl.col("version") > run.manifest["registry_version"]["after"]
    words = requests.decisions.filter(since).select("request_id", "decision", "decided_by", "decided_at")
    return (
        rejected.with_columns(identity_key=identity_key())
        .with_columns(masked(pl.col("serial_number")).alias("serial_number"))
        .drop("windows_product_id", "manufacturer", "model", "hardware_hash_id", "has_hash")
        .join(files, on="source_file", how="left", maintain_order="left", validate="m:1")
        .join(pending, on=key, how="left", nulls_equal=True, maintain_order="left", validate="m:1")
        .join(words, on="request_id", how="left", maintain_order="left", validate="m:1")
    )


def undecided(cases: pl.DataFrame) -> pl.DataFrame:
    """The review cases that wait for an operator's word."""
    return cases.filter(
        (pl.col("outcome") == Outcome.REVIEW) & pl.col("request_id").is_not_null() & pl.col("decision").is_null()
    )


def case_at(cases: pl.DataFrame, run_id: str, place: str) -> dict[str, Any]:
    """The review case at a file and line.

    Args:
        cases: as `cases_of` gives them.
        run_id: the run.
        place: `FILE:LINE`.

    Raises:
        UsageError: there is none.
    """
    file, _, line = place.rpartition(":")
    here = cases.filter((pl.col("source_file") == file) & (pl.col("source_line").cast(pl.String) == line))
    if here.is_empty():
        review = cases.filter(pl.col("outcome") == Outcome.REVIEW)
        places = review.select(pl.format("{}:{}", "source_file", "source_line")).to_series().to_list()
        near = process.extractOne(place, places, scorer=OSA.distance)
        message = f"{place}: no review case of run {run_id}; " + (
            f"the nearest is {near[0]}" if near else "it has none, as `review list` says"
        )
        raise UsageError(message)
    case = here.to_dicts()[0]
    if case["outcome"] != Outcome.REVIEW:
        message = f"{place}: is {case['reason']}, no review case; only those of `review list {run_id}` can be decided"
        raise UsageError(message)
    return case


def registrations_met(case: dict[str, Any]) -> dict[str, str]:
    """The registrations that a case met, and the verdict on each, as its evidence names them."""
    return {found[1]: found[2] for part in _evidence(case) if (found := _MET.match(part))}


def _evidence(case: dict[str, Any]) -> list[str]:
    """What matching said of a case, part by part; names of files, which anybody may choose, are not among it."""
    told = str(case["evidence"] or "").split(" | ")
    return list(takewhile(lambda part: not part.startswith(_PLACES), told))


def components(run: PublishedRun, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The case component by component, masked, where a page of the run shows it; else nothing."""
    partner = case["partner_id"]
    folders = [run.folder / REPORT, *([run.folder / REPORT / partner_folder(partner)] if partner else [])]
    for folder in folders:
        path = folder / "report.json"
        if path.exists():
            listed = json.loads(path.read_text(encoding="utf-8"))["matching"]["cases"]["listed"]
            for one in listed:
                if (one["source_file"], one["source_line"]) == (brief_text(case["source_file"]), case["source_line"]):
                    return list(one["components"])
    return []


def decide_case(registry: Registry, case: dict[str, Any], run_id: str, word: Word) -> dict[str, Any]:
    """Record an operator's word on a case, in one commit.

    Returns:
        What was recorded: `decision`, `decided_on`, `device_id`.

    Raises:
        UsageError: the word says nothing that may be; nothing is recorded.
        RegistryConflict: another command changed the registry meanwhile.
    """
    place = f"{case['source_file']}:{case['source_line']}"
    if not word.by.strip():
        message = "--by: empty; say who decides"
        raise UsageError(message)
    if case["request_id"] is None:
        message = f"{place}: nothing is open of it any more: it was carried out, mended, or delivered anew"
        raise UsageError(message)
    named, device_id = _named(registry, case, word)
    request = registry.requests().pending.filter(pl.col("request_id") == case["request_id"])
    if request.is_empty():
        message = f"{place}: nothing is open of it any more"
        raise UsageError(message)
    said = request.select("request_id", *DELIVERY, "source_file", "line", "tenant_id", "reason").with_columns(
        event=pl.lit(DECIDED),
        run_id=pl.lit(run_id),
        decision=pl.lit(word.decision),
        decided_on=pl.Series([named], dtype=pl.List(pl.String)),
        device_id=pl.lit(device_id, pl.String),
        decided_by=pl.lit(word.by.strip()),
        decided_at=pl.lit(word.at, pl.Datetime("us", "UTC")),
    )
    with registry.writer() as records:
        records.record(said)
        if word.decision == REJECT and case["event"] == WAITING:  # it stays open for who delivered it, and is final
            records.record(request.with_columns(event=pl.lit(OPEN), waits_for=pl.lit(["delivery"])))
        registry.commit(records)
    return {"decision": word.decision, "decided_on": named, "device_id": device_id}


def _named(registry: Registry, case: dict[str, Any], word: Word) -> tuple[list[str], str | None]:
    """The registrations that a word is about, and the one that the row is; refused where it may not be said."""
    met = registrations_met(case)
    if word.decision == REJECT:
        return sorted(met), None
    known = registry.live().select("device_id", "tenant_id").filter(pl.col("device_id").is_in(list(met)))
    tenants = {str(device): str(tenant) for device, tenant in known.collect(engine="streaming").iter_rows()}
    left = _left(registry, case)
    refused = (
        only_refusable(case)
        or _refusal(case, met, tenants)
        or (_not_one(case, met, tenants, word) if word.decision == SAME else _not_another(met, left))
    )
    if refused:
        message = f"{case['source_file']}:{case['source_line']}: cannot be decided --{word.decision}: {refused}"
        raise UsageError(message)
    if word.decision == DIFFERENT:
        return sorted({*met, *left}), None
    return sorted(met), word.device_id or next(iter(_own(case, tenants)))


def only_refusable(case: dict[str, Any]) -> str | None:
    """Why nothing but --reject may be said of a case, whatever it met; None where more may."""
    if case["request_kind"] != REGISTRATION:
        if "DEPARTURE_LIMIT" in case["reasons"]:
            return "if so many devices leave, a run with a higher --departure-limit carries it out"
        return "it is a departure; its partner has to send one that names the device ID"
    at_odds = case["matched_source_file"] or any(part.startswith(_OF_ROWS) for part in _evidence(case))
    if "CONFLICTING_CLAIMS" in case["reasons"] or at_odds:
        return "rows that were delivered stand against each other, which only a new delivery or --reject settles"
    return None


def _refusal(case: dict[str, Any], met: dict[str, str], tenants: dict[str, str]) -> str | None:
    """Why no word may be said of the registrations that a case met; None where one may."""
    if any(
        verdict == Verdict.SAME and device in tenants.keys() - _own(case, tenants) for device, verdict in met.items()
    ):
        return "it is the same device as another tenant's registration, which has to end first"
    return None


def _not_one(case: dict[str, Any], met: dict[str, str], tenants: dict[str, str], word: Word) -> str | None:
    """Why a row cannot be called one registration; None where it can."""
    own = _own(case, tenants)
    chosen = {word.device_id} if word.device_id else own
    if not met:
        left = "its registration has ended; `registry import --restore` brings it back"
        return left if "DEVICE_LEFT" in case["reasons"] else "it met no registration"
    if not chosen <= met.keys():
        return f"it did not meet device {word.device_id}, but {', '.join(met)}"
    if not chosen & own:
        if chosen & tenants.keys() or (not chosen and tenants):
            return "that registration is another tenant's, into which no row is ever merged"
        return "its registration has ended; `registry import --restore` brings it back"
    if len(chosen) > 1:
        return f"it met several; name the one that it is with --device: {', '.join(sorted(own))}"
    return None


def _not_another(met: dict[str, str], left: list[str]) -> str | None:
    """Why a row cannot be called another device; None where it can."""
    return None if met or left else "it met no registration that it could be told from"


def _own(case: dict[str, Any], tenants: dict[str, str]) -> set[str]:
    """The live registrations of the row's own tenant among those that it met."""
    return {device for device, tenant in tenants.items() if tenant == case["tenant_id"]}


def _left(registry: Registry, case: dict[str, Any]) -> list[str]:
    """The registrations by which the device has left: the one that is named, and all for which the same was asked."""
    if "DEVICE_LEFT" not in case["reasons"]:
        return []
    asked = pl.DataFrame(
        {"tenant_id": [case["tenant_id"]], "identity_key": [case["identity_key"]]},
        {"tenant_id": pl.String, "identity_key": pl.Int64},
    )
    left = registry.departed(asked)["device_ids"].explode().drop_nulls().to_list()
    return [*left, case["matched_device_id"]] if case["matched_device_id"] else left
