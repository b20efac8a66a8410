"""Look-up, comparison and decision beside two yardsticks: a bare pass over the keys, and a database's join of them."""

import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest

from pipeline.decide import decide
from pipeline.engine import Processes
from pipeline.match import match
from pipeline.match.keys import BLOCKING_TYPES, STRONG_KEYS, with_blocking_keys, with_keys
from pipeline.registry import LookingByTasks, Registry, index
from pipeline.registry.compacting import compact
from pipeline.registry.key_set import KeySet
from pipeline.registry.looks import Keys, who_holds
from schemas.device import COMPONENT_TYPES
from tests.benchmarks.registries import batch, build

pytestmark = pytest.mark.benchmark

_SHARE_REGISTERED = 100
"""One in so many devices of the batch is registered already."""


@pytest.fixture
def registry(request, tmp_path):
    """A compacted registry of `--existing` devices, made where there is none."""
    folder, existing = request.config.getoption("--registry") or tmp_path / "registry", existing_of(request)
    if not folder.exists():
        build(folder, 1, existing)
    opened = Registry.open(folder, create=False)
    assert sum(opened.data_files().values()) == existing
    compact(opened)
    return opened.reopened()


def existing_of(request):
    return request.config.getoption("--existing")


def timed(work, times=2):
    """Seconds of the best of some runs."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def matching(devices, registry):
    """What matches devices and decides on them, without ingest."""
    facts = devices.select(
        "row", tenant_id=pl.lit("t"), identity=pl.lit("hash"), captured_at=pl.lit(None, pl.Datetime("us", "UTC"))
    )
    findings = devices.select(HASH_NO_TPM=pl.col("has_hash").is_null())
    keyed = with_blocking_keys(devices)
    return lambda: decide(facts, findings, match(keyed, registry))


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


def test_look_up_compare_and_decide(registry, request, capsys):
    duckdb = pytest.importorskip("duckdb", reason="pip install -e .[peers]")
    rows, existing = request.config.getoption("--rows"), existing_of(request)
    devices = batch(1, rows, rows // _SHARE_REGISTERED)
    files = [str(file) for file in registry.data_files()]
    keyed = with_keys(devices)
    named = [keyed.select(key=name) for name in STRONG_KEYS]
    database = duckdb.connect()
    database.register(
        "batch", pl.concat([*named, keyed.select(key="disk_keys").explode("key")]).drop_nulls().to_arrow()
    )
    passed, answered = timed(lambda: bare_pass(files)), timed(lambda: joined(database, files))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    matched = timed(matching(devices, registry))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    decisions = matching(devices, registry)()
    with capsys.disabled():
        print(f"\n{rows:,} rows against {existing:,} records: {matched:.2f} s, {grown:,.0f} MB more than before")
        print(f"{matched / passed:.1f} times a bare pass over the keys ({passed:.2f} s)")
        print(f"{matched / answered:.1f} times a join of the keys by a database ({answered:.2f} s)")
    assert decisions["reason"].is_not_null().sum() == rows // _SHARE_REGISTERED


def looked_up(keyed, registry):
    """Records that hold a key of the batch, by any of the columns that candidates are found by."""
    return {name: registry.holders(name, keyed[name].explode().drop_nulls()).height for name in BLOCKING_TYPES}


def by_tasks(keyed, registry, folder):
    """The same by two worker processes."""
    with Processes(2) as executor:
        return looked_up(keyed, registry.looked_through_by(LookingByTasks(executor, folder, always=True)))


def processor_seconds(work):
    """What came of work, and the processor's seconds that it took here and in processes that have ended since."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    before = sum(one.ru_utime + one.ru_stime for one in spent)
    found = work()
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return found, sum(one.ru_utime + one.ru_stime for one in spent) - before


def test_look_up_by_tasks(request, tmp_path, capsys):
    """Beside a look-up in this process: files without sidecars first, then with them."""
    rows, existing = request.config.getoption("--rows"), existing_of(request)
    keyed = with_blocking_keys(batch(1, rows, rows // _SHARE_REGISTERED))
    build(tmp_path / "registry", 1, existing, most=max(1, existing // 5))
    built = Registry.open(tmp_path / "registry", create=False)
    say_look_ups(keyed, built, "no sidecars", capsys)
    for file in built.data_files():
        index.SIDECAR.write(file)
    say_look_ups(keyed, built, "sidecars", capsys)


def two_workers():
    """They begin, and have loaded what they need."""
    with Processes(2) as executor:
        for number in range(2):
            executor.submit((number,), who_holds, {}, 0, Keys("tpm_key", KeySet(pl.Series([], dtype=pl.Int64))))
        for _ in range(2):
            executor.next_result()


def say_look_ups(keyed, registry, state, capsys):
    here, alone = processor_seconds(lambda: looked_up(keyed, registry))
    _, begun = processor_seconds(two_workers)
    with TemporaryDirectory() as folder:
        found, together = processor_seconds(lambda: by_tasks(keyed, registry, Path(folder)))
    assert found == here
    with capsys.disabled():
        told = f"{keyed.height:,} rows in {sum(registry.data_files().values()):,} records, {state}"
        print(
            f"\n{told}: {alone:.2f} CPU s here, {together - begun:.2f} by tasks, and {begun:.2f} for workers to begin"
        )


def test_growth(registry, request, capsys):
    rows, existing = request.config.getoption("--rows"), existing_of(request)
    whole, half = (batch(1, size, size // _SHARE_REGISTERED) for size in (rows, rows // 2))
    large, small = (timed(matching(devices, registry), 3) for devices in (whole, half))
    with capsys.disabled():
        print(
            f"\nagainst {existing:,} records: {rows // 2:,} rows {small:.3f} s, {rows:,} rows {large:.3f} s: ", end=""
        )
        print(f"{large / small:.2f} times for twice the rows")


def test_crowds(registry, request, capsys):
    rows = request.config.getoption("--rows")
    devices = batch(1, rows, 0)
    crowds = {
        "all different": {},
        "one dock's MAC": {"mac_addresses": pl.lit(["00:50:B6:00:00:01"])},
        "one junk disk": {"disk_serials": pl.lit(["0000_0000_0000_0001"])},
        "one junk serial": {"serial_number": pl.lit("JUNK0001"), "manufacturer": pl.lit("HP")},
        "one cloned UUID": {"smbios_uuid": pl.lit("12345678-0000-4000-8000-000000000000")},
    }
    seconds = {}
    for name, shared in crowds.items():
        crowd = devices.with_columns(**shared).with_columns(
            pl.col(column).cast(dtype) for column, dtype in COMPONENT_TYPES.items()
        )
        seconds[name] = timed(matching(crowd, registry), 3)
    with capsys.disabled():
        print()
        for name, own in seconds.items():
            print(f"{rows:,} rows, {name:<16} {own:6.2f} s ({own / seconds['all different']:.2f} times)")
