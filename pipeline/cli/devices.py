"""`registry list` and `registry export`: what is registered, to look at and to upload elsewhere."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_document, tell_json, warn
from pipeline.cli.progress import listening
from pipeline.errors import UsageError
from pipeline.storage.locations import Location, is_uri
from pipeline.storage.near import at_hand

if TYPE_CHECKING:
    import polars as pl

    from pipeline.devices.choosing import Choice
    from pipeline.devices.sorting import SortedRows

_FINDINGS = 1
_SORTED_BY = {
    "serial-number": "serial_number",
    "manufacturer": "manufacturer",
    "model": "model",
    "group-tag": "group_tag",
    "profile": "profile",
    "tenant": "tenant_id",
    "partner": "partner_id",
    "registered": "registered_at",
}


@click.command("list")
@options.of("registry list")
def list_(  # noqa: PLR0913 - the command's options
    registry: Location,
    cache: Path | None,
    reference: Location | None,
    sort: str,
    form: str,
    to: Path | None,
    *,
    descending: bool,
    **filters: str | None,
) -> None:
    """List the registered devices, as they are now; never their hashes or users."""
    from pipeline.devices import showing  # noqa: PLC0415 - heavy
    from pipeline.devices.listing import listed  # noqa: PLC0415 - heavy
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy

    _require_place(form, to)
    choice = _choice(filters)
    with ExitStack() as held:
        with _profiles(registry, reference) as profiles, listening() as listener:
            opened = Registry.open(registry, create=False, cache=cache)
            sorted_by = _SORTED_BY[sort]
            devices = held.enter_context(
                listed(opened, choice, profiles, listener, by=sorted_by, descending=descending)
            )
            if to is not None:
                listener.stage("write")
                showing.write_file(devices, to, form)
        if to is not None:
            tell(f"{devices.height:,} devices: {to}")
        elif form == "text":
            _tell_text(devices)
        else:
            for part in showing.json_lines(devices) if form == "json" else showing.csv(devices):
                tell_document(part, "\\u{:04x}")


def _tell_text(devices: "SortedRows") -> None:
    from pipeline.devices import showing  # noqa: PLC0415 - heavy

    fits = showing.fitting(devices, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
    for part in showing.texts(devices, fits):
        tell_document(part, "\\x{:02x}")
    missing = showing.missing(fits)
    tell(f"{devices.height:,} devices" + (f"; no room for {', '.join(missing)}" if missing else ""))


def _require_place(form: str, to: Path | None) -> None:
    if form == "parquet" and to is None:
        message = "format parquet: is no text; name a new file with --to"
        raise UsageError(message)
    if form in {"text", "json"} and to is not None:
        message = f"format {form}: goes to standard output; take --format csv or parquet for a file, or leave --to out"
        raise UsageError(message)


@click.command()
@click.argument("folder", type=options.FOLDER)
@options.of("registry export")
def export(
    folder: Path,
    layout: str,
    registry: Location,
    cache: Path | None,
    reference: Location | None,
    form: str,
    **filters: str | None,
) -> int:
    """Write the registered devices to a new FOLDER as files that a portal takes.

    A file holds one tenant and, for Partner Center, one group tag. What cannot be written as a portal wants it is
    listed in left_out.csv.
    """
    from pipeline.devices.exporting import LEFT_OUT  # noqa: PLC0415 - heavy
    from pipeline.devices.exporting import export as export_devices  # noqa: PLC0415 - heavy
    from pipeline.devices.layouts import LAYOUTS  # noqa: PLC0415 - heavy
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy

    choice = _choice(filters)
    with _profiles(registry, reference) as profiles, listening() as listener:
        opened = Registry.open(registry, create=False, cache=cache)
        done = export_devices(opened, folder, LAYOUTS[layout], choice, profiles, listener)
    if form == "json":
        tell_json({"folder": folder, "files": done.files, "devices": done.devices, "left_out": done.left_out})
    else:
        tell(f"{done.devices:,} devices in {done.files:,} files, {done.left_out:,} left out: {folder}")
    if done.left_out:
        warn(f"notice: {done.left_out:,} devices cannot be written for this portal; {folder / LEFT_OUT}.csv says why")
    return _FINDINGS if done.left_out else 0


def _choice(filters: dict[str, str | None]) -> "Choice":
    from pipeline.config import parse_moment  # noqa: PLC0415 - heavy
    from pipeline.devices.choosing import Choice  # noqa: PLC0415 - heavy

    since = filters["since"]
    named = {name: filters[name] for name in ("serial_number", "manufacturer", "model", "group_tag", "profile")}
    return Choice(
        tenant_id=filters["tenant"],
        partner_id=filters["partner"],
        since=None if since is None else parse_moment(since),
        **named,
    )


@contextmanager
def _profiles(registry: Location, reference: Location | None) -> Iterator["pl.DataFrame"]:
    from pipeline.reference.files import is_reference_name  # noqa: PLC0415 - heavy
    from pipeline.reference.tables import assigned_profiles  # noqa: PLC0415 - heavy

    beside = None if is_uri(registry) else Path(registry).absolute().parent / "reference"
    given = reference or (beside if beside and beside.is_dir() else None)
    if given is None:
        yield assigned_profiles()
        return
    with at_hand(given, is_reference_name) as folder:
        yield assigned_profiles(folder)
