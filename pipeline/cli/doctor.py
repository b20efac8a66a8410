"""`doctor`: whether a run could work here."""

import os
import platform
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json
from pipeline.errors import Fault, IntakeError, NoRegistryError
from pipeline.settings import HERE, require_engine
from pipeline.storage.locations import Location, is_uri
from pipeline.storage.near import at_hand
from pipeline.storage.objects import Prefix, TakenError

if TYPE_CHECKING:
    from pipeline.reference.tables import Reference

_NO_MANIFEST = "FILE_TYPE_UNKNOWN"
_FINDINGS = 1
_PACKAGES = ("autopilot-intake", "polars", "pandera", "pyarrow", "deltalake", "rapidfuzz")
_LEAST_FREE = 5 << 30
"""Bytes free on the output's disk: a night of a million rows takes about two thirds of that."""

_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that is before this is wrong, and would misjudge authorizations."""


@click.command()
@options.inboxes
@options.of("doctor")
def doctor(
    inbox: tuple[Location, ...],
    reference: Location,
    registry: Location,
    output: Location,
    cache: Path | None,
    form: str,
    **engine: Any,  # noqa: ANN401 - passed on
) -> int:
    """Check that a run could work here, and what it would find.

    Looks at versions, clock, reference data, the INBOX folders (inbox/ where none is named), the registry, runs that
    were not finished, the output and its free disk; with --engine spark also at what the executors of the cluster have
    and reach. FAIL is to be mended before a run, a note is worth knowing.
    """
    inbox = inbox or (options.INBOX_FOLDER,)
    checks: dict[str, Callable[[], list[str]]] = {
        "versions": _versions,
        "clock": _clock,
        "reference": lambda: _reference(reference),
        "inbox": lambda: _inbox(inbox, reference),
        "registry": lambda: _registry(inbox, reference, registry, output, cache),
        "runs": lambda: _runs(registry, output, cache),
        "output": lambda: _output(output),
        "free disk": lambda: _free(output, cache),
        **_of_engine((*inbox, registry, output), (_near(registry, cache), _near(output, cache)), **engine),
    }
    told = [one for name, check in checks.items() for one in _checked(name, check)]
    if form == "json":
        tell_json(told)
    else:
        for one in told:
            tell(f"{one['level']:<4}  {one['check']:<10} {one['told']}")
    return 0 if all(one["ok"] for one in told) else _FINDINGS


def _of_engine(
    places: tuple[Location, ...], written: tuple[Path, ...], engine: str, spark_master: str | None
) -> dict[str, Callable[[], list[str]]]:
    require_engine(engine, spark_master)
    if engine == HERE:
        return {}
    from pipeline.cli.cluster import executors  # noqa: PLC0415 - there on request

    return {"executors": lambda: executors(spark_master, places, written)}


def _checked(name: str, check: Callable[[], list[str]]) -> list[dict[str, str | bool]]:
    """What a check tells: that all is well, or not, and then what is worth knowing besides."""
    try:
        told, *notes = check()
    except IntakeError as error:
        return [{"check": name, "ok": False, "level": "FAIL", "told": str(error)}]
    told_by_level = [("ok", told), *(("note", note) for note in notes)]
    return [{"check": name, "ok": True, "level": level, "told": text} for level, text in told_by_level]


def _versions() -> list[str]:
    from importlib.metadata import version  # noqa: PLC0415 - slow to load

    found = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return [f"{found}, Python {platform.python_version()}"]


def _clock() -> list[str]:
    now = datetime.now(UTC)
    if now < _BUILT:
        message = f"clock: says {now:%Y-%m-%d %H:%M} UTC; set it, since authorization is decided by it"
        raise Fault(message)
    return [f"{now:%Y-%m-%d %H:%M} UTC"]


def _reference(folder: Location) -> list[str]:
    loaded = _loaded(folder)
    return [f"{loaded.partners.height:,} partners in {folder}", *loaded.notices]


def _loaded(folder: Location) -> "Reference":
    from pipeline.reference.files import is_reference_name  # noqa: PLC0415 - heavy
    from pipeline.reference.tables import load_reference  # noqa: PLC0415 - heavy

    with at_hand(folder, is_reference_name) as here:
        return load_reference(here)


def _inbox(places: tuple[Location, ...], reference: Location) -> list[str]:
    from pipeline.ingest import inbox_at  # noqa: PLC0415 - heavy
    from schemas.kinds import DEPARTURE  # noqa: PLC0415 - heavy

    found = inbox_at(*places)
    taken = [one for one in found.manifests if one.refused is None]
    closed = [one.source_file for one in taken if one.listed_size is None and not os.access(one.path, os.R_OK)]
    others = [one.source_file for one in found.manifests if one.refused == _NO_MANIFEST]
    if closed:
        message = f"{_some(closed)}: cannot be read; give this user the right to read what partners deliver"
        raise Fault(message)
    if stored := [one.stored for one in taken if one.stored is not None]:
        with suppress(OSError):  # it is gone, or another by now
            stored[0].read(0, 1)  # who may list a store may not yet read it
    partners = sorted({one.partner_id for one in taken if one.partner_id is not None})
    told = f"{_many(len(taken), 'manifest')} of {_many(len(partners), 'partner')} in {', '.join(map(str, places))}"
    leaving = sum(one.kind == DEPARTURE for one in taken)
    told += f", {leaving:,} of departures" if leaving else ""
    told += f"; {found.ignored:,} left alone" if found.ignored else ""
    return [told, *found.notices, *_unknown(others, [one.source_file for one in taken], partners, reference)]


def _unknown(others: list[str], taken: list[str], partners: list[str], reference: Location) -> Iterator[str]:
    """What of an inbox would be refused as a whole, and what to do."""
    if others:
        yield f"{_some(others)}: no manifest; take it away, or ask its partner for .csv or .xlsx"
    stray = [name for name in taken if "/" not in name]
    if stray:
        yield f"{_some(stray)}: in no partner's folder; move it to <partner_id>/"
    try:
        known = set(_loaded(reference).partners["partner_id"])
    except IntakeError:  # which is told where reference data are looked at
        return
    strangers = [partner for partner in partners if partner not in known]
    if strangers:
        yield f"{_some(strangers)}: no such partner; add it to partners.csv, or rename the folder"


def _registry(
    inbox: tuple[Location, ...], reference: Location, registry: Location, output: Location, cache: Path | None
) -> list[str]:
    """What a run would make of it, which believes none that is gone or older than what is published."""
    from pipeline.config import RunConfig  # noqa: PLC0415 - heavy
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy
    from pipeline.runs.restored import open_registry  # noqa: PLC0415 - heavy

    places = RunConfig.beside(*inbox, reference=reference, registry=registry, output=output, cache=cache)
    with output_at(output, cache) as runs:
        try:
            opened, notices = open_registry(replace(places, dry_run=True), runs.folder)
        except NoRegistryError:
            if not places.create_registry:
                raise
            _require_writable(registry)
            return [f"{registry} is not there; the first run makes it"]
    _require_writable(registry)
    return [f"version {opened.version}, {sum(opened.data_files().values()):,} records in {registry}", *notices]


def _runs(registry: Location, output: Location, cache: Path | None) -> list[str]:
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy
    from pipeline.registry.verifying import unfinished, unpublished  # noqa: PLC0415 - heavy
    from pipeline.runs.history import count_published  # noqa: PLC0415 - heavy
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy

    with output_at(output, cache) as runs:
        told = f"{_many(count_published(runs.folder), 'published run')} in {output}"
        try:
            opened = Registry.open(registry, create=False, cache=cache)
        except IntakeError:  # which is told where the registry is looked at
            return [told]
        found = unfinished(opened, runs.folder, runs.staged())
        if found:
            raise Fault("; ".join(found))
        missing = [one.split(":")[0] for one in unpublished(opened, runs.folder)]
    why = f"committed, and not in {output}; pruned, or published elsewhere"
    return [told, *([f"{_some(missing)}: {why}"] if missing else [])]


def _output(folder: Location) -> list[str]:
    from pipeline.runs.workspace import STAGING, abandoned  # noqa: PLC0415 - needs POSIX

    _require_writable(folder)
    left = [] if is_uri(folder) else abandoned(Path(folder))
    stale = f"{_many(len(left), 'folder')} in {folder}/{STAGING}, left by runs that died; the next run removes its own"
    return [f"{folder} can be written to", *([stale] if left else [])]


def _require_writable(folder: Location) -> None:
    if is_uri(folder):
        prefix = Prefix(str(folder))
        probe = f".doctor-{uuid.uuid4()}"
        prefix.claim(probe, b"")
        try:
            prefix.claim(probe, b"another")
        except TakenError:
            return
        finally:
            prefix.delete([probe])
        message = f"{folder}: makes an object twice, so that two runs could commit at once; name another store"
        raise Fault(message)
    place = _existing(Path(folder))
    try:
        with NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        message = f"{place}: {error.strerror}; give this user the right to write to it"
        raise Fault(message) from error


def _free(folder: Location, cache: Path | None) -> list[str]:
    free = shutil.disk_usage(_existing(_near(folder, cache))).free
    if free < _LEAST_FREE:
        message = f"{folder}: {free / 1e9:.1f} GB free; make room, a large night takes {_LEAST_FREE / 1e9:.0f} GB"
        raise Fault(message)
    return [f"{free / 1e9:,.0f} GB"]


def _near(folder: Location, cache: Path | None) -> Path:
    """Where a folder is worked on: one in an object store in the cache, or the folder for temporary files."""
    return (cache or Path(gettempdir())) if is_uri(folder) else Path(folder)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _some(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    return f"{names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''}"


def _existing(folder: Path) -> Path:
    """The folder, or the one above it that exists."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
