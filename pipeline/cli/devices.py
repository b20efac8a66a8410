"""`registry list` and `registry export`: what is registered, to look at and to upload elsewhere."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_document, tell_json, warn
from pipeline.cli.progress import listening
from pipeline.errors import UsageError
from pipeline.storage.objects import Location, at_hand, is_uri

if TYPE_CHECKING:
    import polars as pl

    from pipeline.devices.choosing import Choice

_FINDINGS = 1
_Command = TypeVar("_Command", bound=Callable[..., Any])

_FILTERS = {
    "tenant": "Only devices of this tenant.",
    "partner": "Only devices that this partner registered.",
    "serial-number": "Only devices with this serial number.",
    "manufacturer": "Only devices of this manufacturer.",
    "model": "Only devices of this model.",
    "group-tag": "Only devices with this group tag; '' for those without one.",
    "profile": "Only devices that get this deployment profile.",
}
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


def _chosen(command: _Command) -> _Command:
    """The options that say which devices are meant."""
    since = options.option("--since", metavar="TIMESTAMP", help="Only devices registered then or later, RFC 3339.")
    command = since(command)
    for name, told in reversed(_FILTERS.items()):
        command = options.option(f"--{name}", help=told)(command)
    return command


_registry = options.option(
    "--registry", type=options.LOCATION, default=Path("registry"), show_default=True, help="Existing device records."
)
_reference = options.option(
    "--reference",
    type=options.LOCATION,
    help="Folder whose profiles.csv says which profile a device gets [reference/ beside the registry, if present].",
)


@click.command("list")
@_chosen
@options.option(
    "--sort",
    type=click.Choice(list(_SORTED_BY)),
    default="serial-number",
    show_default=True,
    help="What the devices are sorted by.",
)
@options.option("--descending", is_flag=True, help="Sort the other way round.")
@options.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv", "parquet"]),
    default="text",
    show_default=True,
    help="What is written; json is one object a line.",
)
@options.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="New file for csv or parquet [csv: standard output].",
)
@_registry
@_reference
@options.config
def list_(
    registry: Location,
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
    with _profiles(registry, reference) as profiles, listening() as listener:
        opened = Registry.open(registry, create=False)
        devices = listed(opened, choice, profiles, listener, by=_SORTED_BY[sort], descending=descending)
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


def _tell_text(devices: "pl.DataFrame") -> None:
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
@options.option(
    "--layout",
    type=click.Choice(["intune", "partner_center"]),
    required=True,
    help="The portal that the files are for.",
)
@_chosen
@_registry
@_reference
@options.output_format
@options.config
def export(
    folder: Path, layout: str, registry: Location, reference: Location | None, form: str, **filters: str | None
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
        opened = Registry.open(registry, create=False)
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
