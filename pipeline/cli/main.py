"""The command group, and how exceptions become exit codes.

Nothing here imports polars, pandera or pyarrow: `--help` answers at once, and each command loads what it needs.
"""

import sys
from importlib.metadata import version

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
from pipeline.cli.failures import failure


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
    except SystemExit:
        raise
    except click.ClickException as error:
        error.show()
        return failure(error).exit_code
    except BaseException as error:  # noqa: BLE001 - the last line of defence; a library's panic is no Exception
        told = failure(error)
        click.echo(f"error: {told.message}", err=True)
        return told.exit_code
