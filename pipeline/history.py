"""What earlier published runs read: which files need not be read again."""

import json
from pathlib import Path

import polars as pl

from pipeline.errors import Fault
from pipeline.registry import Registry
from pipeline.workspace import MANIFEST
from schemas.outcome import FILE_TYPES
from schemas.reasons import Outcome

_UNSETTLED = [Outcome.UNAUTHORIZED, Outcome.EXCLUDED, Outcome.REVIEW]
"""Outcomes that may change although the file does not, since consent or the registry does."""

_PLACE = ("partner_id", "tenant_folder", "bytes")
_KEY = (*_PLACE, "sha256")
_READ = ["processed", "empty", "unreadable"]


FilePlace = tuple[str | None, str | None, int]
"""What two deliveries of one file share at first sight: its partner, tenant folder and size."""


def settled_files(output: Path, delivered: set[FilePlace], registry: Registry) -> dict[FilePlace, frozenset[str]]:
    """Digests of the files that need not be read again, of those that could be the delivered ones.

    A file is settled when the latest run that read it left none of its rows to consent or to review. Runs that the
    registry does not know do not count: it is another one, or was restored, and lacks what they registered.
    """
    wanted = pl.DataFrame(list(delivered), {name: FILE_TYPES[name] for name in _PLACE}, orient="row")
    settled: set[tuple[str | None, str | None, int, str]] = set()
    for run in _published_runs(output):
        if registry.committed(run.name) is None:
            continue
        files = _read([run / "files.parquet"], ["source_file", *_KEY, "disposition"])
        again = files.drop_nulls("sha256").join(wanted, on=_PLACE, how="semi", nulls_equal=True)
        read = again.filter(pl.col("disposition").is_in(_READ))
        if read.is_empty():
            continue
        rejected = _read(sorted((run / "rejected").glob("*.parquet")), ["source_file", "outcome"])
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


def _published_runs(output: Path) -> list[Path]:
    """Folders of the published runs, in the order of their commits."""
    if not output.is_dir():
        return []
    versions = {manifest.parent: _version(manifest) for manifest in output.glob(f"*/{MANIFEST}")}
    return sorted(versions, key=lambda run: (versions[run], run.name))


def _version(manifest: Path) -> int:
    """The registry's version that a run made."""
    try:
        return int(json.loads(manifest.read_text(encoding="utf-8"))["registry_version"]["after"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{manifest}: is not what a run wrote; restore it, or move its folder out of the output"
        raise Fault(message) from error
