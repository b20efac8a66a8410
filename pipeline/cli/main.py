"""The command group, and how exceptions become exit codes.

Nothing here imports polars, pandera or pyarrow: `--help` answers at once, and each command loads what it needs.
"""

import io
import os
import sys

import click

from pipeline.cli import (
    check,
    completion,
    config,
    devices,
    doctor,
    evaluate,
    explain,
    init,
    inspect,
    registry,
    report,
    review,
    run,
    runs,
    steps,
    synthesize,
)
from pipeline.cli.failures import end_when_asked, failure
from pipeline.cli.printing import finish, is_heard, ready, warn
from pipeline.errors import Fault, UsageError


class _Commands(click.Group):
    """Commands of which no broken pipe looks like findings."""

    def invoke(self, ctx: click.Context) -> object:
        """Call the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if is_heard():
                message = "a pipe to another process was closed; start again"
                raise Fault(message) from error
            return 0


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="autopilot-intake", prog_name="autopilot-intake")
def cli() -> None:
    """Take in device manifests for Windows Autopilot: validate, authorize, match, publish."""


for command in (
    run.run,
    check.check,
    inspect.inspect,
    explain.explain,
    registry.registry,
    synthesize.synthesize,
    evaluate.evaluate,
    runs.runs,
    report.report,
    review.review,
    init.init,
    doctor.doctor,
    config.config_group,
    completion.completion,
):
    cli.add_command(command)
registry.registry.add_command(devices.list_)
registry.registry.add_command(devices.export)
registry.registry.add_command(steps.steps)


def main() -> None:
    """Run the command line and exit with the documented code."""
    ready()
    end_when_asked()
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = _run()
        finish()
    except SystemExit:
        raise
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        for line in told.getvalue().splitlines():
            warn(line)
        return failure(error).exit_code
    except BaseException as error:  # noqa: BLE001 - the last line of defence; a library's panic is no Exception
        what = failure(error)
        for frame in what.frames:
            warn(f"  {frame}")
        warn(f"error: {what.message}")
        return what.exit_code
    return code


def _run() -> int:
    _require_text()
    try:
        return int(cli.main(prog_name="autopilot-intake", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except SystemExit:  # click's, of a pipe that was closed while it printed help
        if is_heard():
            raise
        return 0


def _require_text() -> None:
    """Refuse bytes that are no UTF-8: what they name could be neither shown nor kept."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("AUTOPILOT_INTAKE_")}
    for name, value in [*enumerate(sys.argv), *settings.items()]:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            message = (
                f"{f'argument {name}' if isinstance(name, int) else name}: {value}: is no UTF-8; rename what it names"
            )
            raise UsageError(message) from error
