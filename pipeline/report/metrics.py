"""A run in figures, for a monitoring system that collects them from a file."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from schemas.run import RunManifest

_PREFIX = "autopilot_intake_"


def write_metrics(path: Path, run: RunManifest) -> None:
    """Replace a file of metrics at once: those of the last run that was published."""
    registry = CollectorRegistry()

    def gauge(name: str, told: str, label: str, values: Mapping[str, float]) -> None:
        made = Gauge(_PREFIX + name, told, [label], registry=registry)
        for value, number in values.items():
            made.labels(value).set(number)

    files, rows = run["files"], run["rows"]
    gauge(
        "files",
        "Manifests of the last run, by what became of them.",
        "disposition",
        {
            "processed": files["processed"],
            "empty": files["empty"],
            "already_processed": files["already_processed"],
            "unreadable": files["unreadable"],
        },
    )
    sets = {name: rows[name] for name in ("settled", "registered", "deregistered", "rejected")}
    gauge("rows", "Rows of the last run, by what became of them.", "set", sets)
    of_decided = {name: rows[name] for name in ("waiting", "structure", "first_time", "first_time_rejected")}
    gauge("decided_rows", "Rows that the last run decided, by kind; one may be of several.", "kind", of_decided)
    gauge("rejected_rows", "Rejected rows of the last run, by outcome.", "outcome", run["outcomes"])
    gauge("stage_seconds", "Wall time of the last run, by stage.", "stage", run["seconds"])
    finished = Gauge(_PREFIX + "finished_timestamp_seconds", "When the last run finished.", registry=registry)
    finished.set(datetime.fromisoformat(run["finished_at"]).timestamp())
    version = Gauge(_PREFIX + "registry_version", "The registry's version after the last run.", registry=registry)
    version.set(run["registry_version"]["after"])
    write_to_textfile(str(path), registry)
