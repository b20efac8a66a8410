"""Options that several commands share."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from pipeline.config import FILE_LIMIT, GROUP_TAG_LIMIT, ROW_LIMIT
from pipeline.errors import UsageError
from pipeline.storage.objects import Location, is_uri

_Command = TypeVar("_Command", bound=Callable[..., Any])


def option(*names: str, **settings: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 - click's own settings
    """An option that the environment can set too, under its long name."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "AUTOPILOT_INTAKE_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, **settings)


DEFAULT_CONFIG = Path("intake.toml")


def _load_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make the settings of a configuration file the defaults of the command."""
    given = path or DEFAULT_CONFIG
    if path is None and not given.exists():
        return
    try:
        settings = tomllib.loads(given.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"configuration {given}: {error}; expected TOML with settings named as the options"
        raise UsageError(message) from error
    known = _option_names(context.find_root().command)
    for name in settings:
        if name.replace("_", "-") not in known:
            message = f"configuration {given}: {name}: no such setting; expected some of {', '.join(sorted(known))}"
            raise UsageError(message)
    by_option = {long_name(option): option.name for option in context.command.params if option.name}
    named = {by_option.get(name.replace("_", "-")): value for name, value in settings.items()}
    context.default_map = {name: value for name, value in named.items() if name}


def _option_names(command: click.Command) -> set[str]:
    """Long names of all options of a command and those below it."""
    own = {long_name(option) for option in command.params if isinstance(option, click.Option)}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*(_option_names(inner) for inner in below)) - {"config", "version"}


def long_name(option: click.Parameter) -> str:
    """An option's name without its dashes."""
    return max(option.opts, key=len).lstrip("-")


config = option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_load_config,
    help="TOML file with settings named as the options [intake.toml in the working folder, if present].",
)

FOLDER = click.Path(file_okay=False, path_type=Path)


_OTHER_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""Begins what was meant as a URI, and would become folders of odd names."""


class _Location(click.ParamType[Location]):
    """A local folder, or the URI of one in an object store."""

    name = "folder or URI"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Location:
        location = value if isinstance(value, Path) else str(value)
        if is_uri(location):
            return location
        if "\0" in str(location) or _OTHER_URI.match(str(location)):
            self.fail(f"{location}: neither a folder nor the URI of a store such as s3:// or az://", param, ctx)
        return FOLDER.convert(location, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return FOLDER.shell_complete(ctx, param, incomplete)


LOCATION = _Location()

reference = option(
    "--reference",
    type=LOCATION,
    help="Partners, authorizations, tenants, exclusions, profiles [beside the first inbox].",
)
registry_beside = option("--registry", type=LOCATION, help="Existing device records [beside the first inbox].")
output_beside = option(
    "--output", type=LOCATION, default=Path("runs"), show_default=True, help="Where runs are published."
)
as_of = option("--as-of", metavar="TIMESTAMP", help="Moment at which authorization is decided, RFC 3339 [now].")
output_format = option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What goes to standard output.",
)
findings_format = option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "jsonl", "junit", "sarif"]),
    default="text",
    show_default=True,
    help="What goes to standard output; jsonl, junit and sarif tell each finding, for other programs.",
)
group_tag_limit = option(
    "--group-tag-limit",
    type=click.IntRange(min=1),
    default=GROUP_TAG_LIMIT,
    show_default=True,
    help="Most characters of a group tag.",
)
workers = option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that read manifests; 1 for none but this one [one a processor where the files are large].",
)
file_limit = option(
    "--file-limit",
    type=click.IntRange(min=1),
    default=FILE_LIMIT,
    show_default=True,
    metavar="BYTES",
    help="Most bytes of text of one manifest, once decompressed; a larger one is not read.",
)
row_limit = option(
    "--row-limit",
    type=click.IntRange(min=1),
    default=ROW_LIMIT,
    show_default=True,
    metavar="ROWS",
    help="Most lines of one manifest below its first; a longer one is not read.",
)
