"""Looks for what is wrong with a registry that opens: contents that do not fit, devices twice, runs without trace."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import RegistryError
from pipeline.registry.compacting import SIDECARS
from pipeline.registry.digests import require_sound
from pipeline.registry.sidecars import FOLDER
from pipeline.registry.table import Registry
from schemas.registry import DEREGISTERED, REGISTERED

_MOST_NAMED = 20
"""Devices named of a kind of finding; the number of all is told."""


def verify(registry: Registry, output: Path | None = None, staged: Collection[tuple[str, int]] = ()) -> list[str]:
    """Check what opening the registry does not.

    Args:
        registry: the registry.
        output: folder of published runs, to hold them against the registry; None leaves them out.
        staged: ids and tokens of the runs that are prepared in the output.

    Returns:
        What is wrong, in sentences; nothing where all is well.
    """
    damaged = list(_files(registry))
    if damaged:
        return damaged  # what else is wrong cannot be read
    return [
        *_twice(registry, "device_id", "is registered more than once under one id"),
        *_twice(registry, "hardware_hash_id", "is the hash of more than one registration"),
        *(_runs(registry, output, staged) if output else ()),
    ]


def unpublished(registry: Registry, output: Path) -> list[str]:
    """What is worth knowing and not wrong: runs that are committed, and not in the output, in sentences."""
    events = registry.scan().filter(pl.col("event").is_in([REGISTERED, DEREGISTERED]))
    committed = set(events.select("run_id").drop_nulls().unique().collect(engine="streaming")["run_id"])
    missing = sorted(committed - _published(output))
    told = f"is committed, and not in {output}; it was removed, or published elsewhere"
    return [f"run {run_id}: {told}" for run_id in missing]


def unfinished(registry: Registry, output: Path, staged: Collection[tuple[str, int]]) -> list[str]:
    """Runs that are committed, and prepared and not published, in sentences."""
    published = _published(output)
    return [
        f"run {run_id}: is committed, and waits in {output} to be published; the next run does it"
        for run_id, token in sorted(staged)
        if run_id not in published and registry.committed(run_id) == token
    ]


def _files(registry: Registry) -> Iterator[str]:
    registry.bring_sidecars()
    for file, records in registry.data_files().items():
        fault = _fault(file, "device_id", records)
        if fault is not None:
            yield fault
        elif not all(sidecar.agrees(file) for sidecar in SIDECARS):
            yield f"look-up of {file}: does not hold the same records; remove {FOLDER}/ and compact again"
    for file, events in registry.request_files().items():
        fault = _fault(file, "event", events)
        if fault is not None:
            yield fault


def _fault(file: Path, column: str, records: int) -> str | None:
    """What is wrong with a file; None where it is as it was written."""
    try:
        require_sound(file)
        found = pq.read_table(file, columns=[column]).num_rows
    except RegistryError as error:
        return str(error)
    except (OSError, pa.ArrowException) as error:
        return f"data file {file}: cannot be read ({error}); restore the registry from a backup"
    if found != records:
        return f"data file {file}: holds {found:,} records instead of {records:,}; restore it from a backup"
    return None


def _twice(registry: Registry, name: str, told: str) -> Iterator[str]:
    """Values that several live registrations share."""
    live = registry.live().filter(pl.col(name).is_not_null())
    shared = live.group_by(name).len().filter(pl.col("len") > 1).sort(name).collect(engine="streaming")
    for value in shared[name].head(_MOST_NAMED):
        yield f"{value}: {told}; remove the wrong registration with `registry remove`"
    if shared.height > _MOST_NAMED:
        yield f"and {shared.height - _MOST_NAMED:,} more"


def _runs(registry: Registry, output: Path, staged: Collection[tuple[str, int]]) -> Iterator[str]:
    published = _published(output)
    for run_id in sorted(published):
        if registry.committed(run_id) is None:
            yield f"run {run_id}: is published in {output}, and this registry does not know it; was it restored?"
    yield from unfinished(registry, output, staged)


def _published(output: Path) -> set[str]:
    return {manifest.parent.name for manifest in output.glob("*/run.json") if _is_final(manifest)}


def _is_final(manifest: Path) -> bool:
    try:
        return not json.loads(manifest.read_text(encoding="utf-8"))["dry_run"]
    except (OSError, ValueError, KeyError):
        return True
