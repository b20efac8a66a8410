"""`registry`: the existing device records."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.cli import options

_FINDINGS = 1
_MOST_REFUSED = 50
"""Refused records shown in text; JSON has all."""

_registry = options.option(
    "--registry", type=options.FOLDER, default=Path("registry"), show_default=True, help="Existing device records."
)


@click.group()
def registry() -> None:
    """Look after the existing device records."""


@registry.command("import")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@_registry
@options.output_format
@options.config
def import_(file: Path, registry: Path, form: str) -> int:
    """Add the records of a CSV or Parquet FILE; the registry is created where there is none.

    Importing a file again changes nothing.
    """
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.importing import import_records  # noqa: PLC0415 - heavy

    result = import_records(Registry.open(registry, create=True), file)
    if form == "json":
        refused = [{"line": line, "reason": reason} for line, reason in result.refused]
        click.echo(
            json.dumps({"imported": result.imported, "unchanged": result.unchanged, "refused": refused}, indent=2)
        )
    else:
        for line, reason in result.refused[:_MOST_REFUSED]:
            click.echo(f"{file}:{line}: refused: {reason}")
        if len(result.refused) > _MOST_REFUSED:
            click.echo(f"and {len(result.refused) - _MOST_REFUSED:,} more refused records")
        click.echo(f"{result.imported:,} imported, {result.unchanged:,} unchanged, {len(result.refused):,} refused")
    return _FINDINGS if result.refused else 0


@registry.command()
@click.argument("device_id", nargs=-1, required=True)
@options.option("--reason", required=True, help="Why the registration is removed; kept in the history.")
@_registry
@options.output_format
@options.config
def remove(device_id: tuple[str, ...], reason: str, registry: Path, form: str) -> None:
    """Take the registrations of DEVICE_ID... out: they match nothing any more, and stay in the history."""
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.removing import remove_devices  # noqa: PLC0415 - heavy

    opened = Registry.open(registry, create=False)
    removed = remove_devices(opened, list(device_id), reason, datetime.now(UTC))
    click.echo(json.dumps({"removed": removed}, indent=2) if form == "json" else f"{len(removed):,} removed")


@registry.command()
@_registry
@options.output_format
@options.config
def stats(registry: Path, form: str) -> None:
    """Count the records, by tenant and by the way they were registered."""
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.statistics import count_records  # noqa: PLC0415 - heavy

    counted = count_records(Registry.open(registry, create=False))
    if form == "json":
        click.echo(json.dumps(counted, indent=2))
        return
    click.echo(f"version {counted['version']}: {counted['registered']:,} registered, {counted['removed']:,} removed")
    for name in ("registered_via", "identity", "tenants"):
        for value, number in counted[name].items():
            click.echo(f"  {number:>10,}  {name.removesuffix('s')} {value}")
