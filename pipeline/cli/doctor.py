"""`doctor`: whether a run could work here."""

import platform
import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json
from pipeline.errors import Fault, IntakeError
from pipeline.storage.objects import Location, Prefix, at_hand, is_uri

_FINDINGS = 1
_PACKAGES = ("autopilot-intake", "polars", "pandera", "pyarrow", "deltalake", "rapidfuzz")
_LEAST_FREE = 5 << 30
"""Bytes free on the output's disk: a night of a million rows takes about two thirds of that."""

_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that is before this is wrong, and would misjudge authorizations."""


@click.command()
@options.of("doctor")
def doctor(reference: Location, registry: Location, output: Location, form: str) -> int:
    """Check that a run could work here: versions, clock, reference data, registry, output, free disk."""
    checks: dict[str, Callable[[], str]] = {
        "versions": _versions,
        "clock": _clock,
        "reference": lambda: _reference(reference),
        "registry": lambda: _registry(registry),
        "output": lambda: _output(output),
        "free disk": lambda: _free(output),
    }
    told = [_checked(name, check) for name, check in checks.items()]
    if form == "json":
        tell_json(told)
    else:
        for one in told:
            tell(f"{'ok  ' if one['ok'] else 'FAIL'}  {one['check']:<10} {one['told']}")
    return 0 if all(one["ok"] for one in told) else _FINDINGS


def _checked(name: str, check: Callable[[], str]) -> dict[str, str | bool]:
    try:
        return {"check": name, "ok": True, "told": check()}
    except IntakeError as error:
        return {"check": name, "ok": False, "told": str(error)}


def _versions() -> str:
    found = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"{found}, Python {platform.python_version()}"


def _clock() -> str:
    now = datetime.now(UTC)
    if now < _BUILT:
        message = f"clock: says {now:%Y-%m-%d %H:%M} UTC; set it, since authorization is decided by it"
        raise Fault(message)
    return f"{now:%Y-%m-%d %H:%M} UTC"


def _reference(folder: Location) -> str:
    from pipeline.reference.files import is_reference_name  # noqa: PLC0415 - heavy
    from pipeline.reference.tables import load_reference  # noqa: PLC0415 - heavy

    with at_hand(folder, is_reference_name) as here:
        loaded = load_reference(here)
    return f"{loaded.partners.height:,} partners in {folder}" + "".join(f"; {notice}" for notice in loaded.notices)


def _registry(folder: Location) -> str:
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy

    if not is_uri(folder) and not Path(folder).exists():
        _require_writable(folder)
        return f"{folder} is not there; the first run makes it"
    opened = Registry.open(folder, create=False)
    _require_writable(folder)
    return f"version {opened.version}, {sum(opened.data_files().values()):,} records in {folder}"


def _output(folder: Location) -> str:
    _require_writable(folder)
    return f"{folder} can be written to"


def _require_writable(folder: Location) -> None:
    if is_uri(folder):
        prefix = Prefix(str(folder))
        probe = f".doctor-{uuid.uuid4()}"
        prefix.claim(probe, b"")
        prefix.delete([probe])
        return
    place = _existing(Path(folder))
    try:
        with NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        message = f"{place}: {error.strerror}; give this user the right to write to it"
        raise Fault(message) from error


def _free(folder: Location) -> str:
    # What is in an object store is worked on in the folder for temporary files.
    free = shutil.disk_usage(gettempdir() if is_uri(folder) else _existing(Path(folder))).free
    if free < _LEAST_FREE:
        message = f"{folder}: {free / 1e9:.1f} GB free; make room, a large night takes {_LEAST_FREE / 1e9:.0f} GB"
        raise Fault(message)
    return f"{free / 1e9:,.0f} GB"


def _existing(folder: Path) -> Path:
    """The folder, or the one above it that exists."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
