"""A registry that an earlier version of the program wrote is opened as it is.

`fixtures/format-1` was written by the first version, from made-up devices: one was imported with its hash, one by its
serial number, two came in the run `old-1`, one in `old-2`, and that was removed. `inbox/` has the manifests of both
runs, and `c.csv` with other captures of all four devices and of a new one.
"""

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pipeline.registry import Registry
from pipeline.registry.compacting import compact
from pipeline.registry.verifying import verify
from pipeline.registry.writer import ARROW_SCHEMA
from tests.conftest import TENANT
from tests.faults.killing import deliver_devices

FIXTURES = Path(__file__).with_name("fixtures")


@pytest.fixture
def old(world):
    for name in ("registry", "runs", "inbox"):
        shutil.copytree(FIXTURES / "format-1" / name, world.home / name, dirs_exist_ok=True)
    return world


def test_it_is_opened_and_knows_its_devices(old):
    registry = Registry.open(old.registry, create=False)
    assert registry.version == 4
    live = registry.live().collect()
    assert live.height == 4
    assert live["version"].null_count() == 4
    assert registry.removed_ids().to_list() == ["91fe7f70-1d78-85e0-ad14-7eb420db8546"]
    assert verify(registry, old.home / "runs") == []


def test_a_night_on_it_knows_its_devices_and_adds_the_columns(old):
    night = old.run(run_id="new")
    reasons = {line: codes for (file, line), codes in night.reasons().items() if file.endswith("c.csv")}
    assert [reasons[line][0] for line in (2, 3, 4)] == ["REGISTERED_BY_CUSTOMER", *["ALREADY_REGISTERED"] * 2]
    assert reasons[6] == []
    table = DeltaTable(old.registry)
    assert [field.name for field in table.schema().fields] == ARROW_SCHEMA.names
    registry = Registry.open(old.registry, create=False)
    assert registry.version == 6  # what the old runs knew of requests is taken over first
    assert verify(registry, old.home / "runs") == []
    compact(registry)
    now = registry.reopened()
    assert len(now.data_files()) == 1
    assert now.scan().sort("device_id", "event").collect().equals(registry.scan().sort("device_id", "event").collect())
    assert verify(now, old.home / "runs") == []


def newer(registry):
    """As a later version would leave it: a column more, with values in it, in a commit of its own."""
    import polars as pl  # noqa: PLC0415

    from pipeline.registry import log  # noqa: PLC0415

    opened = Registry.open(registry, create=False)
    row = opened.scan().head(1).collect().with_columns(device_id=pl.lit("later"), mood=pl.lit("glad"))
    path = registry / "part-of-a-later-version.parquet"
    row.write_parquet(path)
    table = DeltaTable(registry)
    version = opened.version + 1
    wide = row.to_arrow().schema
    log.commit(registry, version, [*log.widened(table, wide), log.add(path, 1), log.transaction(log.WRITER, version)])
    return path


def test_a_column_of_a_later_version_is_left_alone_and_survives_compaction(old):
    newer(old.registry)
    deliver_devices(old, 1, name="d")
    old.run(run_id="new")
    registry = Registry.open(old.registry, create=False)
    assert "later" in registry.scan().collect()["device_id"]
    compact(registry)
    found = DeltaTable(old.registry).to_pyarrow_table(columns=["device_id", "mood"]).to_pylist()
    assert [row["mood"] for row in found if row["device_id"] == "later"] == ["glad"]
    assert sum(row["mood"] is None for row in found) == len(found) - 1
    assert TENANT in Registry.open(old.registry, create=False).live().collect()["tenant_id"]
