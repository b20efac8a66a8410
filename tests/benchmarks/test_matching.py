"""Look-up, comparison and decision beside two yardsticks: a bare pass over the keys, and a database's join of them."""

import resource
import time

import polars as pl
import pytest

from pipeline.decide import decide
from pipeline.match import match
from pipeline.match.keys import STRONG_KEYS, with_keys
from pipeline.registry import Registry
from pipeline.registry.compacting import compact
from tests.benchmarks.registries import batch, build

pytestmark = pytest.mark.benchmark

_SHARE_REGISTERED = 100
"""One in so many devices of the batch is registered already."""


def built(folder, existing):
    """A compacted registry of so many devices, made where there is none."""
    if not folder.exists():
        build(folder, 1, existing)
    registry = Registry.open(folder, create=False)
    assert sum(registry.data_files().values()) == existing
    compact(registry)
    return registry.reopened()


def timed(work):
    """Seconds of the better of two runs."""
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def bare_pass(files):
    """Every key column is read and summed."""
    sums = [pl.col(name).sum() for name in STRONG_KEYS]
    pl.scan_parquet(files).select(*sums, pl.col("disk_keys").list.sum().sum()).collect(engine="streaming")


def joined(database, files):
    """The batch's keys and the registry's, joined by a database."""
    source = f"read_parquet({files}, file_row_number = true)"
    columns = [*STRONG_KEYS, "unnest(disk_keys)"]
    keys = " union all ".join(f"select {name} as key, file_row_number as record from {source}" for name in columns)  # noqa: S608 - our own names
    return database.execute(f"select count(*) from batch join ({keys}) using (key)").fetchone()  # noqa: S608 - the same


def test_look_up_compare_and_decide(tmp_path, request, capsys):
    duckdb = pytest.importorskip("duckdb", reason="a yardstick; install duckdb to measure against it")
    rows, existing = request.config.getoption("--rows"), request.config.getoption("--existing")
    registry = built(request.config.getoption("--registry") or tmp_path / "registry", existing)
    devices = batch(1, rows, rows // _SHARE_REGISTERED)
    facts = devices.select(
        "row", tenant_id=pl.lit("t"), identity=pl.lit("hash"), captured_at=pl.lit(None, pl.Datetime("us", "UTC"))
    )
    findings = devices.select(HASH_NO_TPM=pl.col("has_hash").is_null())
    files = [str(file) for file in registry.data_files()]
    keyed = with_keys(devices)
    named = [keyed.select(key=name) for name in STRONG_KEYS]
    database = duckdb.connect()
    database.register(
        "batch", pl.concat([*named, keyed.select(key="disk_keys").explode("key")]).drop_nulls().to_arrow()
    )
    passed, answered = timed(lambda: bare_pass(files)), timed(lambda: joined(database, files))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    matched = timed(lambda: decide(facts, findings, match(devices, registry)))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    decisions = decide(facts, findings, match(devices, registry))
    with capsys.disabled():
        print(f"\n{rows:,} rows against {existing:,} records: {matched:.2f} s, {grown:,.0f} MB more than before")
        print(f"{matched / passed:.1f} times a bare pass over the keys ({passed:.2f} s)")
        print(f"{matched / answered:.1f} times a join of the keys by a database ({answered:.2f} s)")
    assert decisions["reason"].is_not_null().sum() == rows // _SHARE_REGISTERED
