"""What a night leaves, to be the same wherever it worked."""

from pathlib import Path

import polars as pl

from pipeline.registry import Registry
from pipeline.registry.files import scan_records, scan_requests
from pipeline.runs.workspace import STAGING

_OF_ITS_TIME = {"report.json", "index.html", "run.json"}
"""They tell how long a night took."""


def published(folder):
    """Every file of a published run, by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name not in _OF_ITS_TIME
    }


def recorded(folder):
    """All that a registry holds, in an order of its own; the names of its files are left to chance.

    The stamp of a manifest is the place that it has on this disk.
    """
    registry = Registry.open(folder, create=False)
    records = scan_records(registry.data_files()).collect()
    requests = scan_requests(registry.request_files()).collect().drop("stamp")
    return [sorted(map(str, rows.iter_rows())) for rows in (records, requests)]


def require_same(home, runs, other_home, other_runs):
    """One night in two places: sets, lists for partners, workbooks, open rows and records are the same."""
    one, other = published(home / "runs" / runs), published(other_home / "runs" / other_runs)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert recorded(home / "registry") == recorded(other_home / "registry")


def require_nothing_left(home):
    """No file of a dead attempt is in the registry, none of a workspace beside the runs."""
    registry = Registry.open(home / "registry", create=False)
    assert {*(home / "registry").glob("*.parquet")} == {*registry.data_files(), *registry.request_files()}
    staging = home / "runs" / STAGING
    assert not staging.exists() or [*staging.iterdir()] == []


def devices(folder):
    """Ids of the registrations of a registry."""
    registry = Registry.open(folder, create=False)
    return scan_records(registry.data_files()).filter(pl.col("event") == "registered").collect()["device_id"].to_list()
