"""The command group, and how exceptions become exit codes.

Nothing here imports polars, pandera or pyarrow: `--help` answers at once, and each command loads what it needs.
"""

import sys
import tomllib
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from pipeline.cli import check, explain, inspect, registry, run, synthesize
from pipeline.errors import IntakeError, UsageError

_FAULT = 3
_DEFAULT_CONFIG = Path("intake.toml")


def _load_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make the settings of a configuration file the defaults of every command."""
    given = path or _DEFAULT_CONFIG
    if path is None and not given.exists():
        return
    try:
        settings = tomllib.loads(given.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"configuration {given}: {error}"
        raise UsageError(message) from error
    names = {name.replace("-", "_"): value for name, value in settings.items()}
    group = context.command
    known = _option_names(group)
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"configuration {given}: {unknown[0]}: no such setting; expected one of {', '.join(sorted(known))}"
        raise UsageError(message)
    context.default_map = _defaults(group, names)


def _option_names(command: click.Command) -> set[str]:
    own = {option.name for option in command.params if isinstance(option, click.Option) and option.name}
    if isinstance(command, click.Group):
        own |= {name for below in command.commands.values() for name in _option_names(below)}
    return own - {"config", "help", "version"}


def _defaults(command: click.Command, names: dict[str, Any]) -> dict[str, Any]:
    if isinstance(command, click.Group):
        return {name: _defaults(below, names) for name, below in command.commands.items()}
    return names


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("autopilot-intake"), prog_name="autopilot-intake")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="AUTOPILOT_INTAKE_CONFIG",
    show_envvar=True,
    is_eager=True,
    expose_value=False,
    callback=_load_config,
    help="TOML file with settings named as the options; intake.toml in the working folder if present.",
)
def cli() -> None:
    """Take in device manifests for Windows Autopilot: validate, authorize, match, publish."""


for command in (run.run, check.check, inspect.inspect, explain.explain, registry.registry, synthesize.synthesize):
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
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug is a fault, and says where it is
        place = traceback.extract_tb(error.__traceback__)[-1]
        click.echo(
            f"error: this is a bug ({type(error).__name__} at {Path(place.filename).name}:{place.lineno}); nothing of "
            "this run was published; please report it",
            err=True,
        )
    return _FAULT
