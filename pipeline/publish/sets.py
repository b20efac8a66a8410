"""Decisions and staged rows to the sets, and to the registry's new records, bundle by bundle."""

from pathlib import Path
from tempfile import mkdtemp

import polars as pl

from pipeline.engine import Executor, share
from pipeline.errors import Fault
from pipeline.intake.staging import Staging
from pipeline.publish.bundle import SETS, Bundle, Context, PublishedSet, write_bundle
from pipeline.publish.remaining import write_steps
from pipeline.registry import RegistryWriter
from pipeline.runs.workspace import ATTEMPTS
from pipeline.storage.mapped import write_mapped
from pipeline.storage.places import remove, rename, writing
from schemas.outcome import FILE_TYPES, INPUT_FILE

_LEAST, _MOST, _BUNDLES = 25_000, 250_000, 64
"""Rows of a bundle, and bundles of a run whose rows allow it: they follow from the rows alone, so that a run makes the
same files wherever it works."""


def publish(
    told: Context, decided: pl.DataFrame, staging: Staging, records: RegistryWriter, executor: Executor
) -> None:
    """Write all sets, and what the registry records, which counts for nothing until it is committed.

    Args:
        told: what all bundles are written by; its reporter gathers what there is to tell of them.
        decided: one row a row that was decided, in the order of `row`: `tenant_id`, `identity`, what was decided, and
            what becomes of its request (`pipeline.requests.settling`), null where it is carried out.
        staging: the wide part of the rows, and of others.
        records: takes the records of devices that were registered or deregistered.
        executor: writes the bundles.

    Raises:
        Fault: a row that was decided is not among the staged ones, or twice.
    """
    reporter = told.reporter
    written = _written(told, decided, staging, records, executor)
    each = enumerate(written)
    rename(told.sets, {path: _file(name, at) for at, bundle in each for name, path in bundle.sets.items()})
    remove(told.sets, ATTEMPTS)
    for bundle in written:
        records.adopt(bundle.records)
        reporter.add(bundle.fragment)
    for name, (types, model) in SETS.items():
        if not any(name in bundle.sets for bundle in written):  # an empty set is a file without rows
            with writing(told.sets, _file(name)) as file:
                PublishedSet(file, types, model).close()
    reporter.remaining(*write_steps([bundle.fragment for bundle in written], reporter.folder))
    _require_each_once(written, decided["row"])


def _file(name: str, bundle: int = 0) -> str:
    """The file that a bundle's rows of a set are in."""
    return f"{name}/part-{bundle:05d}.parquet"


def _require_each_once(written: list[Bundle], decided: pl.Series) -> None:
    """Every row that was decided is written, and none twice: one in the place of another would be lost and doubled."""
    found = pl.concat([decided.clear(), *(rows["row"] for one in written for rows in one.fragment.read("rows"))])
    if not found.sort().equals(decided):
        message = (
            f"{len(decided):,} rows were decided, and {len(found):,} written are not the same, each once; nothing was "
            "published, please report this"
        )
        raise Fault(message)


def _written(
    told: Context, decided: pl.DataFrame, staging: Staging, records: RegistryWriter, executor: Executor
) -> list[Bundle]:
    """Have all bundles written; what was, in order. The arguments are those of `publish`."""
    place = Path(mkdtemp(prefix="bundles-", dir=staging.folder))
    context = share(told, place / "context")
    bundles = list(staging.bundles(min(max(decided.height // _BUNDLES, _LEAST), _MOST)))
    for number, parts in enumerate(bundles):
        rows = decided["row"]
        first = int(rows.search_sorted(min(part.first for part in parts), side="left"))
        last = int(rows.search_sorted(max(part.last for part in parts), side="right"))
        path = place / f"{number:05d}"
        write_mapped(decided[first:last], path)
        executor.submit((number,), write_bundle, parts, path, records.name_for_another(), context)
    results = dict(executor.next_result() for _ in bundles)
    return [results[number,] for number in range(len(bundles))]


def write_files(folder: Path, files: pl.DataFrame) -> None:
    """Write `files.parquet`: one row for each input file."""
    INPUT_FILE.validate(files.select(list(FILE_TYPES))).write_parquet(folder / "files.parquet")
