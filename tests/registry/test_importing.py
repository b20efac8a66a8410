from datetime import UTC, datetime

import polars as pl
import pybase64
import pytest

from pipeline.errors import UsageError
from pipeline.registry import Registry
from pipeline.registry.importing import import_records
from pipeline.synthesize.capture import capture
from schemas.registry import IMPORT_COLUMNS
from tests.conftest import OTHER_TENANT, TENANT


def records_of(world):
    return Registry.open(world.registry, create=False).scan().collect()


def test_a_verified_hash_s_own_fields_win(world):
    device = world.factory.device()
    world.import_existing(
        {
            "tenant_id": TENANT.upper(),
            "registered_via": "store",
            "serial_number": "other",
            "manufacturer": "other",
            "hardware_hash": capture(device),
        }
    )
    record = records_of(world).row(0, named=True)
    assert (record["tenant_id"], record["serial_number"], record["manufacturer"]) == (
        TENANT,
        device.serial,
        device.maker,
    )
    assert record["identity"] == "hash"
    assert record["hardware_hash"] == pybase64.b64decode(capture(device)).rstrip(b"\0")


def test_a_broken_hash_leaves_what_else_identifies(world):
    broken = {"tenant_id": TENANT, "registered_via": "store", "hardware_hash": "T0F"}
    assert world.import_existing(broken).refused[0][0] == 2
    assert world.import_existing(broken | {"windows_product_id": "3305123456789"}).imported == 1
    assert records_of(world)["identity"].to_list() == ["product_id"]


def test_parquet_and_csv_of_the_same_records_are_the_same(world):
    device = world.factory.device()
    row = {"tenant_id": TENANT, "registered_via": "intune", "hardware_hash": capture(device)}
    assert world.import_existing(row | {"registered_at": "2025-06-01T02:00:00+02:00"}).imported == 1
    frame = pl.DataFrame(
        [dict.fromkeys(IMPORT_COLUMNS) | row], schema_overrides=dict.fromkeys(IMPORT_COLUMNS, pl.String)
    )
    path = world.home / "existing.parquet"
    for moment in (datetime(2025, 6, 1), datetime(2025, 6, 1, tzinfo=UTC)):  # noqa: DTZ001 - a column without a zone
        frame.with_columns(
            registered_at=pl.lit(moment), hardware_hash=pl.lit(pybase64.b64decode(capture(device)))
        ).write_parquet(path)
        result = import_records(Registry.open(world.registry, create=False), path)
        assert (result.imported, result.unchanged) == (0, 1)
    assert Registry.open(world.registry, create=False).version == 1


def test_a_record_twice_is_one(world):
    row = {"tenant_id": TENANT, "registered_via": "store", "windows_product_id": "3305123456789"}
    result = world.import_existing(row, row, row | {"tenant_id": OTHER_TENANT})
    assert (result.imported, result.unchanged) == (2, 1)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"tenant_id,partner_id\nx,y\n", "found no header"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(world, name, content, told):
    path = world.home / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=told):
        import_records(Registry.open(world.registry, create=True), path)
    assert records_of(world).is_empty()


def test_a_parquet_file_without_a_column_is_refused(world):
    path = world.home / "a.parquet"
    pl.DataFrame({"tenant_id": [TENANT]}).write_parquet(path)
    with pytest.raises(UsageError, match="column partner_id: not found"):
        import_records(Registry.open(world.registry, create=True), path)
