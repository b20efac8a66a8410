"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def option(*names: str, **settings: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 - click's own settings
    """An option that the environment can set too, under its long name."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "AUTOPILOT_INTAKE_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_envvar=True, **settings)


FOLDER = click.Path(file_okay=False, path_type=Path)

reference = option(
    "--reference", type=FOLDER, help="Folder of partners, authorizations, tenants, exclusions [beside the first inbox]."
)
registry_beside = option("--registry", type=FOLDER, help="Existing device records [beside the first inbox].")
as_of = option("--as-of", metavar="TIMESTAMP", help="Moment at which authorization is decided, RFC 3339 [now].")
output_format = option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What goes to standard output.",
)
group_tag_limit = option(
    "--group-tag-limit",
    type=click.IntRange(min=1),
    default=128,
    show_default=True,
    help="Most characters of a group tag.",
)
