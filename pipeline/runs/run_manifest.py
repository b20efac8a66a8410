"""What `run.json` says of a run."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version

from pipeline.clock import Clock
from pipeline.config import RunConfig
from pipeline.report import Summary
from schemas.run import RunManifest


def manifest_of(config: RunConfig, summary: Summary, registry_version: int, clock: Clock) -> RunManifest:
    """What `run.json` holds.

    Args:
        config: what was run.
        summary: the numbers of the run.
        registry_version: the one that it matched against.
        clock: what it took so far.
    """
    counts = summary.counts()
    return {
        "run_id": config.run_id,
        "started_at": _rfc3339(clock.started_at),
        "finished_at": _rfc3339(datetime.now(UTC)),
        "as_of": _rfc3339(config.as_of),
        "dry_run": config.dry_run,
        "engine": config.engine,
        "versions": _versions(),
        "registry_version": {
            "before": registry_version,
            "after": registry_version if config.dry_run else registry_version + 1,
        },
        **counts,
        "files": {**counts["files"], "ignored": summary.ignored},
        "partners": [{"partner_id": name, **own.counts()} for name, own in summary.by_partner().items()],
        "seconds": {stage: round(seconds, 3) for stage, seconds in clock.seconds.items()},
    }


def _versions() -> dict[str, str]:
    packages = ("autopilot-intake", "polars", "pandera", "pyarrow", "deltalake")
    return {**{name: version(name) for name in packages}, "python": platform.python_version()}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
