"""The queries of the reference for the devices that are registered now."""

import re
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.registry import Registry
from pipeline.registry.removing import remove_devices
from tests.conftest import AS_OF, TENANT

DOCUMENT = (Path(__file__).parents[2] / "schemas" / "REFERENCE.md").read_text(encoding="utf-8")
SECTION = DOCUMENT.split("## The registry\n")[1]
PYTHON, SQL = (re.search(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)[1] for language in ("python", "sql"))
COLUMNS = ["device_id", "event", "group_tag"]


@pytest.fixture
def devices(world, monkeypatch):
    """A device that stays, one that left and is back with another tag, and a new one; a fourth has left."""
    monkeypatch.chdir(world.home)
    record = {"tenant_id": TENANT, "registered_via": "intune", "manufacturer": "HP", "model": "M1"}
    stays, back, gone = (record | {"serial_number": f"SN{number}00", "group_tag": "old"} for number in (1, 2, 3))
    world.import_existing(stays, back, gone)
    world.deliver(f"contoso/{TENANT}/a.csv", {"Hardware Hash": capture(world.factory.device())}, {"Group Tag": "x"})
    world.run()
    opened = Registry.open(world.registry, create=False)
    ids = {row["serial_number"]: row["device_id"] for row in pl.scan_delta("registry").collect().to_dicts()}
    remove_devices(opened, [ids["SN200"], ids["SN300"]], "returned", AS_OF)
    world.import_existing(back | {"group_tag": "new"}, restore=True)
    new = [row["device_id"] for row in pl.scan_delta("registry").filter(identity="hash").collect().to_dicts()]
    return sorted([(ids["SN100"], "registered", "old"), (ids["SN200"], "restored", "new"), (*new, "registered", None)])


def test_polars_tells_the_devices_as_the_registry_does(devices, world):
    told = {}
    exec(PYTHON, told)  # noqa: S102 - the document's own
    assert sorted(told["devices"].select(COLUMNS).rows()) == devices


def test_sql_tells_them_too(devices):
    events = pl.scan_delta("registry").select([*COLUMNS, "version"]).collect()
    with sqlite3.connect(":memory:") as store:
        store.execute("CREATE TABLE events (device_id, event, group_tag, version)")
        store.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", events.rows())
        store.row_factory = lambda cursor, row: tuple(row[:3])
        query = SQL.replace("delta_scan('registry')", "events")
        assert sorted(store.execute(query).fetchall()) == devices
    store.close()


def test_duckdb_tells_them_too(devices):
    duckdb = pytest.importorskip("duckdb")
    stored = pl.scan_delta("registry").select([*COLUMNS, "version"]).collect().to_arrow()  # noqa: F841 - named in the query
    told = duckdb.sql(SQL.replace("delta_scan('registry')", "stored")).fetchall()
    assert sorted(row[:3] for row in told) == devices
