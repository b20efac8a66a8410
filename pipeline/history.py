"""What earlier published runs read: which files need not be read again."""

import json
from pathlib import Path

import polars as pl

from pipeline.workspace import MANIFEST
from schemas.reasons import Outcome

_UNSETTLED = [Outcome.UNAUTHORIZED, Outcome.EXCLUDED, Outcome.REVIEW]
"""Outcomes that may change although the file does not, since consent or the registry does."""

_KEY = ("partner_id", "tenant_folder", "sha256")
_READ = ["processed", "empty", "unreadable"]


FileKey = tuple[str | None, str | None, str | None]
"""What makes a file the same one: its partner, tenant folder and digest."""


def settled_files(output: Path, delivered: set[FileKey]) -> set[FileKey]:
    """Those of the delivered files that need not be read again.

    A file is settled when the latest run that read it left none of its rows to consent or to review.
    """
    wanted = pl.DataFrame(list(delivered), dict.fromkeys(_KEY, pl.String), orient="row").drop_nulls("sha256")
    settled: set[FileKey] = set()
    for run in published_runs(output):
        files = pl.read_parquet(run / "files.parquet", columns=["source_file", *_KEY, "disposition"])
        again = files.join(wanted, on=_KEY, how="semi", nulls_equal=True)
        read = again.filter(pl.col("disposition").is_in(_READ))
        if read.is_empty():
            continue
        rejected = pl.read_parquet(run / "rejected" / "*.parquet", columns=["source_file", "outcome"])
        open_files = rejected.filter(pl.col("outcome").is_in(_UNSETTLED))["source_file"].unique()
        is_open = pl.col("source_file").is_in(open_files.implode())
        settled |= set(read.filter(~is_open).select(_KEY).iter_rows())
        settled -= set(read.filter(is_open).select(_KEY).iter_rows())
    return settled


def published_runs(output: Path) -> list[Path]:
    """Folders of the published runs, in the order of their commits."""
    if not output.is_dir():
        return []
    versions = {
        manifest.parent: json.loads(manifest.read_text(encoding="utf-8"))["registry_version"]["after"]
        for manifest in output.glob(f"*/{MANIFEST}")
    }
    return sorted(versions, key=lambda run: (versions[run], run.name))
