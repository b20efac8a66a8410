"""`registry steps`: what remains of devices that have left, and what people say they have done of it."""

from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_document, tell_json
from pipeline.errors import UsageError
from pipeline.storage.locations import Location


@click.group(invoke_without_command=True)
@options.of("registry steps")
@click.pass_context
def steps(context: click.Context, tenant: str | None, registry: Location, cache: Path | None, form: str) -> None:
    """List what is still to be done once devices have left: in which system, by whom, after what."""
    if context.invoked_subcommand is not None:
        _require_own_options(context)
        return
    from pipeline.departing.remaining import open_steps  # noqa: PLC0415 - heavy
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.report.listings import DEPARTURES  # noqa: PLC0415 - heavy

    found = open_steps(Registry.open(registry, create=False, cache=cache), tenant)
    if form == "json":
        tell_json(found.to_dicts())
    elif form == "csv":
        for part in DEPARTURES.csv(found):
            tell_document(part, "\\u{:04x}")
    else:
        for (device_id, tenant_id, serial), rows in found.group_by(
            "device_id", "tenant_id", "serial_number", maintain_order=True
        ):
            tell(f"device {device_id}, serial number {serial or '-'}, tenant {tenant_id or '-'}")
            tell(*(f"  {row['step']} ({row['owner']}): {row['text']}" for row in rows.iter_rows(named=True)))
        tell(f"{found.height:,} steps of {found['device_id'].n_unique():,} devices are open")


def _require_own_options(context: click.Context) -> None:
    """An option before the name of the command below would be heard by nobody."""
    for name in context.params:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "format" if name == "form" else name
            message = f"--{option}: stands before {context.invoked_subcommand}; put it behind"
            raise UsageError(message)


@steps.command()
@click.argument("device_id")
@click.argument("step")
@options.of("registry steps done")
def done(device_id: str, step: str, by: str, registry: Location, cache: Path | None, form: str) -> None:
    """Record that somebody says that a STEP of DEVICE_ID is done; once is enough."""
    from pipeline.departing.remaining import say_done  # noqa: PLC0415 - heavy
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy

    recorded = say_done(Registry.open(registry, create=False, cache=cache), device_id, step, by, datetime.now(UTC))
    if form == "json":
        tell_json({"recorded": recorded})
    else:
        tell("recorded" if recorded else "was done already; nothing changed")
