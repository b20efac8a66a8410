"""`run`: the nightly job."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options
from pipeline.cli.failures import failure
from pipeline.cli.logs import logging
from pipeline.cli.printing import Unheard, tell_coloured, tell_document, tell_json, warn
from pipeline.cli.progress import listening
from pipeline.cli.summary import summary
from pipeline.config import DRY_RUNS, RunConfig, parse_moment
from pipeline.errors import IntakeError, UsageError
from pipeline.storage.locations import Location, below
from pipeline.storage.near import at_hand
from schemas.run import RunManifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.listener import Listener
    from pipeline.runs.concluding import RunResult

_FINDINGS = 1
_OF_COMMAND = frozenset({"form", "max_reject_rate", "log_format", "metrics", "quiet"})
"""Parameters of the command that a run is not told: they say what is shown of it."""


@click.command()
@options.inboxes
@options.of("run")
def run(
    inbox: tuple[Location, ...],
    *,
    form: str,
    quiet: bool,
    max_reject_rate: float | None,
    log_format: str,
    metrics: Path | None,
    **settings: Any,  # noqa: ANN401 - passed on
) -> int:
    """Take in the manifests of one or more INBOX folders and publish what was registered, what left, and what not.

    An INBOX is laid out <partner_id>/[<tenant_id>/]...; files end in .csv, .csv.gz, .csv.zst or .xlsx. Where none is
    named it is inbox/ in the working folder. What lies in a folder `departures` below the partner's or tenant's asks
    for devices to be deregistered.
    """
    measured = None if settings["dry_run"] else metrics
    with _failures_measured(measured):
        config = configured(inbox, settings)
        result = _logged(config, max_reject_rate) if log_format == "json" else _shown(config, quiet=quiet)
    excess = _excess(result, max_reject_rate)
    exit_code = _FINDINGS if excess else 0
    try:
        if measured:
            _measure(measured, result, exit_code)
        if not (quiet and form == "text"):
            _tell(result.manifest, result.folder, form)
    except (Unheard, KeyboardInterrupt) as error:
        warn(f"notice: {failure(error).message}; run {config.run_id} is published in {result.folder}")
    if excess and log_format == "text":
        warn(f"findings: {excess}")
    return exit_code


def configured(inbox: tuple[Location, ...], settings: dict[str, Any]) -> RunConfig:
    """What is run, of the values of the command's options that a run is told.

    Raises:
        UsageError: a value cannot be used, or there is no inbox.
    """
    if not inbox and options.INBOX_FOLDER.is_dir():
        inbox = (options.INBOX_FOLDER,)
    if not inbox:
        message = (
            "Missing argument 'INBOX...'; name the folder that holds <partner_id>/ folders, set inbox in intake.toml, "
            "or work in a folder that `autopilot-intake init FOLDER` made"
        )
        raise UsageError(message)
    of_run = {name: value for name, value in settings.items() if name not in _OF_COMMAND}
    moment = of_run.pop("as_of")
    return RunConfig.beside(*inbox, as_of=None if moment is None else parse_moment(moment), **of_run)


def _excess(result: "RunResult", most: float | None) -> str | None:
    """What is to be said of a run that rejected a larger share than the caller allows; None where it did not."""
    rows = result.manifest["rows"]
    of = rows["first_time"] - rows["first_time_structure"]
    if most is None or result.repeated or rows["first_time_rejected"] <= most * of:
        return None
    return (
        f"{rows['first_time_rejected']:,} of {of:,} rows decided for the first time were rejected, more than "
        f"--max-reject-rate {most} allows; the run is published"
    )


def _shown(config: RunConfig, *, quiet: bool) -> "RunResult":
    from pipeline.flow import run as run_flow  # noqa: PLC0415 - heavy

    with listening(quiet=quiet) as listener:
        result = _published(run_flow, config, listener)
    if result.repeated and not quiet:
        warn(f"notice: run {config.run_id} was committed before; it is published and not run again")
    return result


def _logged(config: RunConfig, max_reject_rate: float | None) -> "RunResult":
    with logging(config.run_id) as log:
        from pipeline.flow import run as run_flow  # noqa: PLC0415 - heavy

        result = _published(run_flow, config, log)
        excess = _excess(result, max_reject_rate)
        log.finished(result, _FINDINGS if excess else 0, excess)
    return result


def _published(
    run_flow: "Callable[[RunConfig, Listener], RunResult]", config: RunConfig, listener: "Listener"
) -> "RunResult":
    """Run; what goes wrong once the run is published stops nothing any more, and is said."""
    begun = datetime.now(UTC)
    try:
        return run_flow(config, listener)
    except (IntakeError, click.ClickException):
        raise
    except BaseException as error:
        result = _published_since(begun, config)
        if result is None:
            listener.notice(f"run {config.run_id} is not published; start it again under the same id")
            raise
        listener.notice(f"{failure(error).message}; run {config.run_id} is published all the same")
        return result


def _published_since(begun: datetime, config: RunConfig) -> "RunResult | None":
    from pipeline.runs.concluding import RunResult  # noqa: PLC0415 - heavy

    folder = below(config.output, f"{DRY_RUNS}/{config.run_id}" if config.dry_run else config.run_id)
    try:
        with at_hand(folder, lambda name: name == "run.json") as here:
            manifest = json.loads((here / "run.json").read_text(encoding="utf-8"))
        is_this = datetime.fromisoformat(manifest["started_at"]) >= begun
    except (OSError, ValueError, LookupError, IntakeError):
        return None
    return RunResult(folder, manifest) if is_this else None


@contextmanager
def _failures_measured(path: Path | None) -> Iterator[None]:
    """Note in the file of metrics, if there is to be one, with which exit code nothing was published."""
    try:
        yield
    except BaseException as error:
        if path:
            from pipeline.report.metrics import write_failure  # noqa: PLC0415 - loaded only where it is used

            with _measuring(path):
                write_failure(path, failure(error).exit_code, datetime.now(UTC))
        raise


def _measure(path: Path, result: "RunResult", exit_code: int) -> None:
    from pipeline.report.metrics import write_metrics  # noqa: PLC0415 - loaded only where it is used
    from pipeline.report.pages import REPORT  # noqa: PLC0415 - heavy

    name = f"{REPORT}/report.json"
    with _measuring(path), at_hand(result.folder, lambda one: one == name) as here:
        report = json.loads((here / name).read_text(encoding="utf-8"))
        write_metrics(path, result.manifest, report, exit_code, datetime.now(UTC))


@contextmanager
def _measuring(path: Path) -> Iterator[None]:
    """Whether or not figures can be written changes nothing of what a run has done."""
    try:
        yield
    except (OSError, ValueError, LookupError, IntakeError) as error:
        cause = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        warn(f"notice: metrics {path}: {cause}; the figures of this run are not in it")


def _tell(manifest: RunManifest, folder: Location, form: str) -> None:
    if form == "text":
        tell_coloured(summary(manifest, folder))
    elif form == "json":
        tell_json(manifest)
    else:
        from pipeline.report.formats import ESCAPES, FORMATS, published_findings  # noqa: PLC0415 - heavy

        for part in FORMATS[form](published_findings(folder), manifest["rows"]):
            tell_document(part, ESCAPES[form])
