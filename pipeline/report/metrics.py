"""A run in figures, for a monitoring system that collects them from a file."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, Metric, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from schemas.reasons import OUTCOMES
from schemas.run import FileCounts, RunManifest

PREFIX = "autopilot_intake_"

MOST_PARTNERS = 100
"""Partners with series of their own, those that delivered most rows: with their reasons some thousand series."""

NOBODY, OTHERS = "/none", "/others"
"""For files in no partner's folder, and for the partners beyond those: no folder has such a name."""

_SETS: Final = ("settled", "registered", "deregistered", "rejected")
_KINDS: Final = ("waiting", "structure", "first_time", "first_time_rejected")
_READ: Final = ("processed", "empty", "already_processed")

Series = dict[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one metric tells, and by which labels."""

    name: str
    told: str
    labels: tuple[str, ...] = ()


FIGURES = (
    Figure("exit_code", "What the last run ended with, whether or not it was published."),
    Figure("attempted_timestamp_seconds", "When that was."),
    Figure("finished_timestamp_seconds", "When the last run finished that was published; what follows is of that."),
    Figure("registry_version", "The registry's version after it."),
    Figure("stage_seconds", "Its wall time, by stage.", ("stage",)),
    Figure("files", "Its manifests, by what became of them.", ("disposition",)),
    Figure("rows", "Its rows, by what became of them.", ("set",)),
    Figure("decided_rows", "Rows that it decided, by kind; one may be of several.", ("kind",)),
    Figure("files_not_read", "Files of a partner that could not be read, or are no manifests.", ("partner",)),
    Figure("partner_rows", "Rows of a partner, by what became of them.", ("partner", "set")),
    Figure(
        "rejected_rows",
        "Rejected rows, by partner, outcome and primary reason.",
        ("partner", "outcome", "reason"),
    ),
    Figure("waiting_rows", "Rows of a partner that were decided, and are decided again.", ("partner",)),
    Figure("open_rows", "Rows of a partner that are open, from this run and earlier ones.", ("partner",)),
    Figure("oldest_open_row_age_seconds", "How long the oldest open row has been open; 0 where none is."),
)
"""All metrics, in the order of the file."""


def write_metrics(path: Path, run: RunManifest, report: Mapping[str, Any], exit_code: int, now: datetime) -> None:
    """Replace a file of metrics at once, by those of a run that was published.

    Args:
        path: the file.
        run: what its `run.json` holds.
        report: what its `report.json` holds.
        exit_code: what the command ends with.
        now: when.
    """
    values: dict[str, Series] = {
        **_of_attempt(exit_code, now),
        "finished_timestamp_seconds": _alone(datetime.fromisoformat(run["finished_at"]).timestamp()),
        "registry_version": _alone(run["registry_version"]["after"]),
        "stage_seconds": {(stage,): seconds for stage, seconds in run["seconds"].items()},
        "files": {(name,): number for name, number in _dispositions(run["files"]).items()},
        "rows": {(name,): float(run["rows"][name]) for name in _SETS},
        "decided_rows": {(name,): float(run["rows"][name]) for name in _KINDS},
        **_by_partner(run, report),
        "oldest_open_row_age_seconds": _alone(_age(run, report)),
    }
    registry = CollectorRegistry()
    _register(registry, FIGURES, values)
    write_to_textfile(str(path), registry)


def write_failure(path: Path, exit_code: int, now: datetime) -> None:
    """Note in a file of metrics that nothing was published; what it tells of the last publication stays."""
    values = _of_attempt(exit_code, now)
    registry = CollectorRegistry()
    _register(registry, (figure for figure in FIGURES if figure.name in values), values)
    registry.register(_Kept(path, [PREFIX + name for name in values]))
    write_to_textfile(str(path), registry)


class _Kept(Collector):
    """The metrics that a file holds, but some."""

    def __init__(self, path: Path, but: list[str]) -> None:
        try:
            families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):  # there was none, or none that this program wrote
            families = []
        self._families = [family for family in families if family.name not in but]

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _register(registry: CollectorRegistry, figures: Iterable[Figure], values: Mapping[str, Series]) -> None:
    for figure in figures:
        gauge = Gauge(PREFIX + figure.name, figure.told, figure.labels, registry=registry)
        for labels, number in values[figure.name].items():
            (gauge.labels(*labels) if labels else gauge).set(number)


def _alone(value: float) -> Series:
    return {(): value}


def _of_attempt(exit_code: int, now: datetime) -> dict[str, Series]:
    return {"exit_code": _alone(exit_code), "attempted_timestamp_seconds": _alone(now.timestamp())}


def _dispositions(files: FileCounts) -> dict[str, int]:
    told = {name: files[name] for name in (*_READ, "unreadable")}
    return {**told, "not_a_manifest": files["found"] - sum(told.values())}


def _by_partner(run: RunManifest, report: Mapping[str, Any]) -> dict[str, Series]:
    """The figures that have a partner as their first label; every partner shown has all of them but reasons."""
    most = sorted(run["partners"], key=lambda one: (-one["rows"]["read"], one["partner_id"] or ""))
    shown = {one["partner_id"]: one["partner_id"] or NOBODY for one in most[:MOST_PARTNERS]}
    names = ("files_not_read", "partner_rows", "rejected_rows", "waiting_rows", "open_rows")
    found: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in names}
    for one in run["partners"]:
        partner = shown.get(one["partner_id"], OTHERS)
        files = one["files"]
        found["files_not_read"][(partner,)] += files["found"] - sum(files[name] for name in _READ)
        found["waiting_rows"][(partner,)] += one["rows"]["waiting"]
        for name in _SETS:
            found["partner_rows"][partner, name] += one["rows"][name]
        for reason, number in one["reasons"].items():
            found["rejected_rows"][partner, str(OUTCOMES[reason]), reason] += number
    for one in report["partners"]:
        found["open_rows"][(shown.get(one["partner_id"], OTHERS),)] += one["unfixed"]["rows"]
    # Whoever delivered nothing has no line of its own, and may have open rows all the same.
    found["open_rows"][(OTHERS,)] += report["unfixed"]["rows"] - found["open_rows"].total()
    return {name: dict(counted) for name, counted in found.items()}


def _age(run: RunManifest, report: Mapping[str, Any]) -> float:
    oldest = report["unfixed"]["oldest"]
    if oldest is None:
        return 0
    return max(0.0, (datetime.fromisoformat(run["as_of"]) - datetime.fromisoformat(oldest["since"])).total_seconds())
