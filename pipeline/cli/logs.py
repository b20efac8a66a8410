"""What a job's log holds, one JSON object a line on standard error."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pipeline.cli.failures import Failure, failure
from pipeline.cli.printing import masked, warn_raw

if TYPE_CHECKING:
    from pipeline.runs.concluding import RunResult


class JsonLog:
    """Tells of a run in lines that a program can read: `time`, `level`, `event`, `run_id`, and what the event has."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id

    def notice(self, text: str) -> None:
        """Log something that an operator should know."""
        self._tell("warning", "notice", message=masked(text))

    def stage(self, name: str) -> None:
        """Log that a stage begins."""
        self._tell("info", "stage", stage=name)

    def reading(self, files: int, size: int) -> None:
        """Log how much there is to read."""
        self._tell("info", "reading", files=files, bytes=size)

    def read(self, files: int, size: int, rows: int) -> None:
        """Say nothing: the result counts."""

    def finished(self, result: "RunResult", exit_code: int, excess: str | None) -> None:
        """Log the result, with the seconds of each stage, the exit code, and what was beyond what is allowed."""
        run = result.manifest
        self._tell(
            "warning" if excess else "info",
            "finished",
            exit_code=exit_code,
            message=excess or f"run {run['run_id']} is published",
            repeated=result.repeated,
            dry_run=run["dry_run"],
            files=run["files"],
            rows=run["rows"],
            outcomes=run["outcomes"],
            registry_version=run["registry_version"],
            seconds=run["seconds"],
        )

    def failed(self, error: BaseException, told: Failure) -> None:
        """Log what ended the command."""
        frames = {"frames": told.frames} if told.frames else {}
        self._tell(
            "error",
            "failed",
            error=type(error).__name__,
            message=masked(told.message),
            exit_code=told.exit_code,
            **frames,
        )

    def _tell(self, level: str, event: str, **more: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": now, "level": level, "event": event, "run_id": self._run_id, **more}
        warn_raw(json.dumps(line))


@contextmanager
def logging(run_id: str) -> Iterator[JsonLog]:
    """A log; what ends the command is logged too, and then only its exit code is left to give.

    Raises:
        Exit: the command failed.
    """
    log = JsonLog(run_id)
    try:
        yield log
    except BaseException as error:
        told = failure(error)
        log.failed(error, told)
        raise click.exceptions.Exit(told.exit_code) from error
