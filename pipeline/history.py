"""What earlier published runs did: their numbers, what they left unfixed, which files need not be read again."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.errors import Fault
from pipeline.registry import Registry
from pipeline.workspace import MANIFEST
from schemas.outcome import FILE_TYPES, UNFIXED_FILE, UNFIXED_TYPES
from schemas.reasons import Outcome
from schemas.run import RunManifest

_UNSETTLED = [Outcome.UNAUTHORIZED, Outcome.EXCLUDED, Outcome.REVIEW]
"""Outcomes that may change although the file does not, since consent or the registry does."""

_PLACE = ("partner_id", "tenant_folder", "bytes")
_KEY = (*_PLACE, "sha256")
_READ = ["processed", "empty", "unreadable"]


FilePlace = tuple[str | None, str | None, int]
"""What two deliveries of one file share at first sight: its partner, tenant folder and size."""


Bring = Callable[[str, str], None]
"""Has the files below a folder of the output at hand whose names end so."""


def settled_files(
    output: Path, bring: Bring, delivered: set[FilePlace], registry: Registry
) -> dict[FilePlace, frozenset[str]]:
    """Digests of the files that need not be read again, of those that could be the delivered ones.

    A file is settled when the latest run that read it left none of its rows to consent or to review. Runs that the
    registry does not know do not count: it is another one, or was restored, and lacks what they registered.
    """
    wanted = pl.DataFrame(list(delivered), {name: FILE_TYPES[name] for name in _PLACE}, orient="row")
    settled: set[tuple[str | None, str | None, int, str]] = set()
    for run in published_runs(output):
        if registry.committed(run.folder.name) is None:
            continue
        files = _read([run.folder / "files.parquet"], ["source_file", *_KEY, "disposition"])
        again = files.drop_nulls("sha256").join(wanted, on=_PLACE, how="semi", nulls_equal=True)
        read = again.filter(pl.col("disposition").is_in(_READ))
        if read.is_empty():
            continue
        bring(f"{run.folder.name}/rejected", ".parquet")
        rejected = _read(sorted((run.folder / "rejected").glob("*.parquet")), ["source_file", "outcome"])
        open_files = rejected.filter(pl.col("outcome").is_in(_UNSETTLED))["source_file"].unique()
        is_open = pl.col("source_file").is_in(open_files.implode())
        settled |= set(read.filter(~is_open).select(_KEY).iter_rows())
        settled -= set(read.filter(is_open).select(_KEY).iter_rows())
    digests: dict[FilePlace, set[str]] = {}
    for partner_id, tenant_folder, size, sha256 in settled:
        digests.setdefault((partner_id, tenant_folder, size), set()).add(sha256)
    return {place: frozenset(own) for place, own in digests.items()}


def _read(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    try:
        return pl.read_parquet(paths, columns=columns, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"published run {paths[0].parent if paths else paths}: cannot be read; restore it, or move it away"
        raise Fault(message) from error


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """A published run: its folder, and what its `run.json` holds."""

    folder: Path
    manifest: RunManifest


def published_runs(output: Path) -> list[PublishedRun]:
    """The published runs, in the order of their commits.

    Raises:
        Fault: one of them cannot be read.
    """
    found = [PublishedRun(path.parent, _manifest(path)) for path in output.glob(f"*/{MANIFEST}")]
    return sorted(found, key=lambda run: (run.manifest["registry_version"]["after"], run.folder.name))


def unfixed_rows(runs: list[PublishedRun], bring: Bring) -> pl.DataFrame:
    """What was wrong still after the last of some runs, with the columns of `schemas.outcome.UNFIXED_TYPES`."""
    if not runs:
        return pl.DataFrame(schema=UNFIXED_TYPES)
    folder = runs[-1].folder
    bring(folder.name, UNFIXED_FILE)
    path = folder / UNFIXED_FILE
    return _read([path], list(UNFIXED_TYPES)) if path.exists() else pl.DataFrame(schema=UNFIXED_TYPES)


def _manifest(path: Path) -> RunManifest:
    try:
        manifest: RunManifest = json.loads(path.read_text(encoding="utf-8"))
        int(manifest["registry_version"]["after"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path}: is not what a run wrote; restore it, or move its folder out of the output"
        raise Fault(message) from error
    return manifest
