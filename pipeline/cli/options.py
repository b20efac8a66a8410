"""Options of the command line, made of the table of settings, and where their values come from."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from pipeline.cli import setting_files
from pipeline.settings import ENVIRONMENT, INBOX, Kind, Setting, parse_size, settings_of
from pipeline.storage.locations import Location, is_uri

_Command = TypeVar("_Command", bound=Callable[..., Any])

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


class _Size(click.ParamType[int]):
    """Bytes, as a number or with a unit."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            size = parse_size(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return click.IntRange(min=1).convert(size, param, ctx)


class _Inboxes(click.Argument):
    """The inboxes of a run; one of them may come from the environment, whatever blanks are in its name."""

    def value_from_envvar(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own
        value = self.resolve_envvar_value(ctx)
        return None if value is None else (value,)


LOCATION = _Location()
FILE: click.ParamType[Any] = click.Path(dir_okay=False, path_type=Path)
_TYPES: dict[Kind, click.ParamType[Any]] = {
    Kind.SEED: click.INT,
    Kind.SHARE: click.FloatRange(0, 1),
    Kind.SIZE: _Size(),
    Kind.FILE: FILE,
    Kind.FOLDER: FOLDER,
    Kind.LOCATION: LOCATION,
}
"""Made once: help has to answer at once, and each path asks for translations of what it says."""

INBOX_FOLDER = Path("inbox")
"""The inbox of a working folder."""


def of(command: str) -> Callable[[_Command], _Command]:
    """All options of a command, as the table of settings has them, and `--config`."""

    def decorate(function: _Command) -> _Command:
        function = config(function)
        for setting in reversed(settings_of(command)):
            function = _option(setting)(function)
        return function

    return decorate


def inboxes(function: _Command) -> _Command:
    """The inboxes of a run, which its settings may give."""
    made = click.argument("inbox", nargs=-1, type=LOCATION, cls=_Inboxes, envvar=INBOX.variable)
    return made(function)


def _option(setting: Setting) -> Callable[[_Command], _Command]:
    said: dict[str, Any] = {"envvar": setting.variable, "show_envvar": True, "required": setting.is_required}
    note = f" [{setting.otherwise}]" if setting.otherwise else ""
    said["help"] = f"{setting.meaning[0].upper()}{setting.meaning[1:]}{note}."
    if setting.kind is Kind.FLAG:
        said["is_flag"] = True
    else:
        said["type"] = _type(setting)
        said["metavar"] = None if setting.kind in {Kind.CHOICE, Kind.SHARE} else setting.values
        if setting.default is not None:
            default = setting.usual if setting.kind is Kind.SIZE else setting.default
            said |= {"default": default, "show_default": True}
    return click.option(f"--{setting.name}", setting.parameter, **said)


def _type(setting: Setting) -> click.ParamType[Any]:
    if setting.kind is Kind.CHOICE:
        return click.Choice(setting.choices)
    if setting.kind is Kind.COUNT:
        return click.IntRange(min=setting.least)
    return _TYPES.get(setting.kind, click.STRING)


def _load(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make the settings of a configuration file the defaults of the command."""
    loaded = setting_files.load(path)
    if loaded is not None:
        context.meta[setting_files.SOURCE] = loaded.path
        context.default_map = setting_files.defaults(loaded, context)


config = click.option(
    "--config",
    type=FILE,
    is_eager=True,
    expose_value=False,
    callback=_load,
    envvar=f"{ENVIRONMENT}CONFIG",
    show_envvar=True,
    help="TOML file with settings named as the options [intake.toml in the working folder, if present].",
)
