"""`registry`: the existing device records."""

from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json, warn
from pipeline.cli.progress import listening
from pipeline.storage.locations import Location
from pipeline.storage.near import at_hand

_FINDINGS = 1
_MOST_LINES = 50
"""Refused and listed records shown in text, of each kind; JSON has all."""


@click.group()
def registry() -> None:
    """Look after the existing device records."""


@registry.command("import")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@options.of("registry import")
def import_(
    file: Path,
    registry: Location,
    cache: Path | None,
    reference: Location | None,
    form: str,
    *,
    restore: bool,
) -> int:
    """Add the records of a CSV or Parquet FILE; the registry is created where there is none.

    A record that is known changes its registration where it says something new; importing a file again changes nothing.
    """
    from pipeline.reference.files import is_reference_name  # noqa: PLC0415 - heavy
    from pipeline.reference.tables import manufacturer_spellings  # noqa: PLC0415 - heavy
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.importing import import_records  # noqa: PLC0415 - heavy

    with at_hand(reference, is_reference_name) if reference else nullcontext() as folder:
        spellings = manufacturer_spellings(folder)
    result = import_records(Registry.open(registry, create=True, cache=cache), file, spellings, restore=restore)
    told = {"refused": result.refused, "listed": result.listed}
    if form == "json":
        lines = {name: [{"line": line, "reason": why} for line, why in pairs] for name, pairs in told.items()}
        tell_json(asdict(result) | lines)
    else:
        for name, lines_told in told.items():
            _tell_lines(file, name, lines_told)
        counts = ("imported", "changed", "restored", "unchanged")
        tell(", ".join(f"{getattr(result, name):,} {name}" for name in counts) + f", {len(result.refused):,} refused")
    return _FINDINGS if result.refused or result.listed else 0


def _tell_lines(file: Path, name: str, lines: tuple[tuple[int, str], ...]) -> None:
    for line, reason in lines[:_MOST_LINES]:
        tell(f"{file}:{line}: {name}: {reason}")
    if len(lines) > _MOST_LINES:
        tell(f"and {len(lines) - _MOST_LINES:,} more {name} records")


@registry.command()
@click.argument("device_id", nargs=-1)
@options.of("registry remove")
def remove(  # noqa: PLR0913 - the command's options
    device_id: tuple[str, ...],
    *,
    reason: str,
    ids: Path | None,
    tenant: str | None,
    dry_run: bool,
    registry: Location,
    cache: Path | None,
    form: str,
) -> None:
    """End the registrations of DEVICE_ID...: they match nothing any more, and stay in the history.

    It is the operator's departure: whoever registered the device, and without the limit of a run.
    """
    from pipeline.errors import UsageError  # noqa: PLC0415 - with those below
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.removing import read_ids, remove_devices  # noqa: PLC0415 - heavy

    wanted = [*device_id, *(read_ids(ids) if ids else [])]
    if not wanted:
        message = "device: none named; give their ids, or --ids with a file of them"
        raise UsageError(message)
    opened = Registry.open(registry, create=False, cache=cache)
    removed = remove_devices(opened, wanted, reason, datetime.now(UTC), tenant=tenant, dry_run=dry_run)
    if form == "json":
        tell_json({"removed": removed})
    else:
        tell(f"{len(removed):,} {'would be removed' if dry_run else 'removed'}")


@registry.command()
@options.of("registry stats")
def stats(registry: Location, cache: Path | None, form: str) -> None:
    """Count the records, by tenant and by the way they were registered."""
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.statistics import count_records  # noqa: PLC0415 - heavy

    counted = count_records(Registry.open(registry, create=False, cache=cache))
    if form == "json":
        tell_json(counted)
        return
    tell(f"version {counted['version']}: {counted['registered']:,} registered, {counted['removed']:,} removed")
    for name in ("registered_via", "identity", "tenants"):
        for value, number in counted[name].items():
            tell(f"  {number:>10,}  {name.removesuffix('s')} {value}")


@registry.command()
@options.of("registry compact")
def compact(registry: Location, cache: Path | None, form: str) -> None:
    """Merge small data files and make look-ups of large ones, so that matching stays quick.

    No record is changed; a run at work at the same time matches again. Once a week is enough.
    """
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.compacting import compact as compact_registry  # noqa: PLC0415 - heavy

    with listening() as listener:
        done = compact_registry(Registry.open(registry, create=False, cache=cache), listener)
    if form == "json":
        tell_json(asdict(done))
        return
    tell(
        f"version {done.version}: {done.files_before:,} data files became {done.files_after:,}, "
        f"{done.lookups_made:,} got a look-up"
    )


@registry.command()
@options.of("registry vacuum")
def vacuum(older_than: int, registry: Location, cache: Path | None, form: str, *, dry_run: bool) -> None:
    """Remove files that the registry does not name any more: of dead runs, and those that compact replaced."""
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.vacuuming import vacuum as vacuum_registry  # noqa: PLC0415 - heavy

    done = vacuum_registry(Registry.open(registry, create=False, cache=cache), older_than, dry_run=dry_run)
    if form == "json":
        tell_json({"files": done.files, "bytes": done.size})
        return
    told = "would be removed" if dry_run else "removed"
    tell(f"{len(done.files):,} files of {done.size / 1e6:,.1f} MB {told}")


@registry.command()
@options.of("registry verify")
def verify(registry: Location, output: Location | None, form: str) -> int:
    """Check the registry: its files, look-ups, devices that are there twice, and the published runs."""
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.verifying import unpublished  # noqa: PLC0415 - heavy
    from pipeline.registry.verifying import verify as verify_registry  # noqa: PLC0415 - heavy
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy

    opened = Registry.open(registry, create=False)
    with output_at(output) if output else nullcontext() as runs:
        findings = verify_registry(opened, runs.folder, runs.staged()) if runs else verify_registry(opened)
        for notice in unpublished(opened, runs.folder) if runs and not findings else ():
            warn(f"notice: {notice}")
    if form == "json":
        tell_json(findings)
    else:
        tell(*(findings or [f"registry {registry}: all is well"]))
    return _FINDINGS if findings else 0


@registry.command()
@click.argument("value", metavar="SERIAL|DEVICE_ID")
@options.of("registry find")
def find(value: str, registry: Location, cache: Path | None, form: str) -> int:
    """Find the registrations of a device by its serial number or device ID; removed ones too."""
    return _tell_events(value, registry, cache, form, latest=True)


@registry.command()
@click.argument("value", metavar="SERIAL|DEVICE_ID")
@options.of("registry history")
def history(value: str, registry: Location, cache: Path | None, form: str) -> int:
    """Tell everything that happened to a device, by its serial number or device ID."""
    return _tell_events(value, registry, cache, form, latest=False)


def _tell_events(value: str, registry: Location, cache: Path | None, form: str, *, latest: bool) -> int:
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.searching import device_events, registrations, with_words  # noqa: PLC0415 - heavy

    opened = Registry.open(registry, create=False, cache=cache)
    events = device_events(opened, value)
    told = (registrations(events) if latest else with_words(events, opened)).to_dicts()
    if form == "json":
        tell_json(told)
    else:
        for event in told:
            tell(*(f"{name:<16} {given}" for name, given in event.items() if given is not None), "")
        tell(f"{len(told):,} found" if told else f"{value}: not in the registry {registry}")
    return 0 if told else _FINDINGS
