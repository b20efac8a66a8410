"""`config`: what a run would be told, and by whom."""

import click
from click.core import ParameterSource

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json
from pipeline.cli.run import run


@click.group("config")
def config_group() -> None:
    """Look at the settings."""


@config_group.command()
@options.output_format
@click.pass_context
@options.config
def show(context: click.Context, form: str) -> None:
    """Show every setting of `run` with its value and where it comes from."""
    parsed = run.make_context("run", ["inbox"], parent=context.find_root())
    shown = [option for option in run.params if isinstance(option, click.Option) and option.expose_value]
    told = [
        {
            "setting": options.long_name(option),
            "value": parsed.params[option.name or ""],
            "origin": _origin(option, parsed.get_parameter_source(option.name or "")),
        }
        for option in shown
    ]
    if form == "json":
        tell_json(told)
        return
    for setting in told:
        value = "-" if setting["value"] is None else setting["value"]
        tell(f"{setting['setting']:<18} {value!s:<24} {setting['origin']}")


def _origin(option: click.Option, source: ParameterSource | None) -> str:
    if source is ParameterSource.ENVIRONMENT:
        return f"environment {option.envvar}"
    return f"file {options.DEFAULT_CONFIG}" if source is ParameterSource.DEFAULT_MAP else "default"
