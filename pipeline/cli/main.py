"""The command group, and how exceptions become exit codes.

Nothing here imports polars, pandera or pyarrow: `--help` answers at once, and each command loads what it needs.
"""

import sys
import traceback
from importlib.metadata import version
from pathlib import Path

import click

from pipeline.cli import (
    check,
    completion,
    config,
    doctor,
    evaluate,
    explain,
    init,
    inspect,
    registry,
    report,
    run,
    runs,
    synthesize,
)
from pipeline.errors import IntakeError, UsageError

_FAULT = 3
_PACKAGE = Path(__file__).parents[1]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("autopilot-intake"), prog_name="autopilot-intake")
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
    init.init,
    doctor.doctor,
    config.config_group,
    completion.completion,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit with the documented code."""
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        return int(cli.main(prog_name="autopilot-intake", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return UsageError.exit_code
    except IntakeError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("error: interrupted; nothing of this run was published", err=True)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror or error}; nothing of this run was published", err=True)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the last line of defence; a library's panic is no Exception
        frames = traceback.extract_tb(error.__traceback__)
        place = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents][-1]
        click.echo(
            f"error: this is a bug ({type(error).__name__} at {Path(place.filename).name}:{place.lineno}); nothing of "
            "this run was published; please report it",
            err=True,
        )
    return _FAULT
