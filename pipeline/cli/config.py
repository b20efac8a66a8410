"""`config`: what a run would be told, and by whom."""

from typing import Any

import click
from click.core import ParameterSource

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json, warn
from pipeline.cli.run import configured, run
from pipeline.cli.setting_files import SOURCE
from pipeline.errors import UsageError
from pipeline.settings import INBOX, Setting, said, settings_of


@click.group("config")
def config_group() -> None:
    """Look at the settings."""


@config_group.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", metavar="[ARGUMENT OF RUN]...", nargs=-1, type=click.UNPROCESSED)
@options.of("config show")
@click.pass_context
def show(context: click.Context, arguments: tuple[str, ...], form: str) -> None:
    """Show every setting of `run` with its value and where it comes from: flag, environment, file or default.

    What would be given to `run` may be given here.
    """
    file = context.meta.get(SOURCE)
    named = ["--config", str(file)] if file else []
    parsed = run.make_context("run", [*named, *arguments], parent=context.find_root())
    resolved = _resolved(parsed.params)
    settings = (INBOX, *settings_of("run"))
    told = [_told(setting, parsed, resolved) for setting in settings]
    if form == "json":
        tell_json(told)
        return
    shown = [_shown(setting, one) for setting, one in zip(settings, told, strict=True)]
    width = max(map(len, shown))
    for value, one in zip(shown, told, strict=True):
        tell(f"{one['setting']:<18} {value:<{width}}  {one['origin']}")


def _shown(setting: Setting, one: dict[str, Any]) -> str:
    if one["value"] in (None, []):
        return f"({setting.otherwise or 'none'})"
    return " ".join(one["value"]) if setting is INBOX else said(one["value"], setting.kind)


def _resolved(given: dict[str, Any]) -> dict[str, Any]:
    """Where the places of a run are, those included of which nothing is said."""
    if not given["inbox"]:
        return {}
    settings = {name: value for name, value in given.items() if name != "inbox"}
    try:
        config = configured(given["inbox"], settings)
    except UsageError as error:
        warn(f"notice: a run would refuse this: {error}")
        return {}
    return {"reference": config.reference, "registry": config.registry, "output": config.output}


def _told(setting: Setting, parsed: click.Context, resolved: dict[str, Any]) -> dict[str, Any]:
    value = parsed.params[setting.parameter]
    if setting is INBOX:
        value = [str(place) for place in value or ()]
    return {
        "setting": setting.name,
        "value": resolved.get(setting.parameter) if value is None else value,
        "origin": _origin(setting, parsed),
        "otherwise": setting.otherwise,
    }


def _origin(setting: Setting, parsed: click.Context) -> str:
    source = parsed.get_parameter_source(setting.parameter)
    if source is ParameterSource.COMMANDLINE:
        return "argument" if setting is INBOX else f"flag --{setting.name}"
    if source is ParameterSource.ENVIRONMENT:
        return f"environment {setting.variable}"
    return f"file {parsed.meta[SOURCE]}" if source is ParameterSource.DEFAULT_MAP else "default"
