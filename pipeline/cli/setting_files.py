"""Files of settings: what `intake.toml` may say, and what of it a command takes.

A setting stands at the top, for every command that knows it, or in a table that is named as a command, for that alone.
Its scope may leave it the table only, or neither.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pipeline.errors import UsageError
from pipeline.settings import COMMANDS, INBOX, NAMES, SETTINGS, Kind, Scope, Setting, meant, settings_of

DEFAULT = Path("intake.toml")
SOURCE = "pipeline.cli.setting_files.source"
"""Under this name a context keeps which file its settings are from."""


@dataclass(frozen=True, slots=True)
class SettingFile:
    """What a file says, names as the options'.

    Attributes:
        path: the file.
        everywhere: settings of every command that knows them.
        of_command: those of one command alone.
    """

    path: Path
    everywhere: dict[str, Any]
    of_command: dict[str, dict[str, Any]]


def load(path: Path | None) -> SettingFile | None:
    """The settings of a file; None where none is named and there is no `intake.toml`.

    Raises:
        UsageError: it cannot be read, or holds a name that no command knows.
    """
    given = path or DEFAULT
    if path is None and not given.exists():
        return None
    import tomllib  # noqa: PLC0415 - where there is no file, help answers sooner

    try:
        said = tomllib.loads(given.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"configuration {given}: {error}; expected TOML with settings named as the options"
        raise UsageError(message) from error
    tables = {name: _named(inner) for name, inner in said.items() if isinstance(inner, dict)}
    everywhere = _named({name: value for name, value in said.items() if name not in tables})
    for table in tables:
        if table not in COMMANDS:
            message = f"configuration {given}: [{table}]: no such command; {meant(table, COMMANDS)}"
            raise UsageError(message)
    _require_known(given, everywhere, NAMES, SETTINGS)
    for table, settings in tables.items():
        _require_known(given, settings, tuple(_known(table)), settings_of(table), f"[{table}] ")
    return SettingFile(given, everywhere, tables)


def defaults(file: SettingFile, context: click.Context) -> dict[str, Any]:
    """What a file says to a command, by the names of its parameters.

    What is said to every command and is a value of another one only, such as a format that this one lacks, is nothing
    to this one.

    Raises:
        UsageError: a value is none of its setting.
    """
    command = _typed(context)
    own, known = file.of_command.get(command, {}), _known(command)
    taken = {name: (value, name in own) for name, value in (file.everywhere | own).items() if name in known}
    by_name = {parameter.name: parameter for parameter in context.command.params}
    found = {}
    for name, (value, is_own) in taken.items():
        setting = known[name]
        if not is_own and _is_another_s(setting, value):
            continue
        found[setting.parameter] = _converted(file, setting, value, by_name[setting.parameter], context)
    return found


def _typed(context: click.Context) -> str:
    """A command as it is typed, without the program's name."""
    above = "" if context.parent is None or context.parent.parent is None else f"{_typed(context.parent)} "
    return f"{above}{context.info_name}"


def _known(command: str) -> dict[str, Setting]:
    """Settings that a command takes from a file, by name."""
    known = {setting.name: setting for setting in settings_of(command) if setting.scope is not Scope.FLAG}
    return known | ({INBOX.name: INBOX} if command in INBOX.commands else {})


def _named(settings: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in settings.items()}


def _require_known(
    path: Path, settings: dict[str, Any], known: tuple[str, ...], others: Iterable[Setting], table: str = ""
) -> None:
    for name in settings:
        if name not in known:
            alike = [other for other in others if other.name == name]
            why = _elsewhere(alike) if alike else f"no such setting; {meant(name, known)}"
            message = f"configuration {path}: {table}{name}: {why}"
            raise UsageError(message)


def _elsewhere(alike: list[Setting]) -> str:
    """Where settings of one name may be given instead."""
    tables = [f'["{command}"]' for one in alike if one.scope is Scope.COMMAND for command in one.commands]
    return (
        f"to each command another thing; set it in {' or '.join(tables)}"
        if tables
        else "only an option; give it as one"
    )


def _is_another_s(setting: Setting, value: object) -> bool:
    """Whether a choice that this command lacks is one of another command."""
    others = [other for other in SETTINGS if other.name == setting.name and other.kind is Kind.CHOICE]
    return value not in setting.choices and any(value in other.choices for other in others)


def _converted(
    file: SettingFile, setting: Setting, value: object, parameter: click.Parameter, context: click.Context
) -> object:
    """A value as the option would take it."""
    if setting is INBOX:
        places = value if isinstance(value, list) else [value]
        return tuple(_one(file, setting, place, parameter, context) for place in places)
    return _one(file, setting, value, parameter, context)


def _one(
    file: SettingFile, setting: Setting, value: object, parameter: click.Parameter, context: click.Context
) -> object:
    allowed: dict[Kind, tuple[type, ...]] = {
        Kind.FLAG: (bool, str),
        Kind.COUNT: (int, str),
        Kind.SEED: (int, str),
        Kind.SIZE: (int, str),
        Kind.SHARE: (int, float, str),
        Kind.MOMENT: (datetime, str),
    }
    is_type = isinstance(value, allowed.get(setting.kind, (str,)))
    try:
        if is_type and (setting.kind is Kind.FLAG or not isinstance(value, bool)):
            return parameter.type.convert(value, parameter, context)
    except click.BadParameter:
        pass
    message = f"configuration {file.path}: {setting.name}: found {value!r}, expected {setting.expected}"
    raise UsageError(message)
