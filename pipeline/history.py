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


def settled_files(output: Path) -> set[tuple[str | None, str | None, str]]:
    """Files that need not be read again: partner, tenant folder and digest.

    A file is settled when the latest run that read it left none of its rows to consent or to review.
    """
    settled: set[tuple[str | None, str | None, str]] = set()
    for run in published_runs(output):
        files = pl.read_parquet(run / "files.parquet", columns=["source_file", *_KEY, "disposition"])
        read = files.filter(pl.col("disposition").is_in(_READ) & pl.col("sha256").is_not_null())
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
