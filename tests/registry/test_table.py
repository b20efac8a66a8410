import random
import shutil

import polars as pl
import pytest

from pipeline.decode.components import components
from pipeline.decode.decode import decode
from pipeline.errors import RegistryError, UsageError
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.match.damaged import serial_forms
from pipeline.match.keys import with_keys
from pipeline.registry import Registry, serials
from pipeline.registry.removing import remove_devices
from pipeline.registry.writer import fill
from schemas.device import COMPONENT_TYPES, KEY_TYPES
from schemas.identities import with_tuple_faults
from schemas.registry import REGISTERED
from schemas.requests import REQUEST_TYPES
from tests.conftest import AS_OF, TENANT


def add_devices(registry, factory, number, times=1):
    """Commit devices, each so many times, and return the registry as it is then."""
    with registry.writer() as writer:
        writer.write(_records(factory, number, times))
        registry.commit(writer)
    return registry.reopened()


def records_of(seed, number=5):
    """Records of some devices."""
    return _records(Factory(random.Random(seed)), number)


def _records(factory, number, times=1):
    decoded = decode(pl.Series([capture(factory.device()) for _ in range(number)] * times, dtype=pl.String))
    number *= times
    cells = pl.DataFrame(dict.fromkeys(("serial_number", "manufacturer", "model", "windows_product_id"), [""] * number))
    compared = with_keys(components(with_tuple_faults(pl.concat([decoded, cells], how="horizontal"))))
    records = compared.with_columns(
        device_id=pl.format("device-{}-{}", pl.col("serial_number").str.to_lowercase(), pl.int_range(pl.len())),
        event=pl.lit(REGISTERED),
        tenant_id=pl.lit(TENANT),
        registered_via=pl.lit("partner_center"),
        identity=pl.lit("hash"),
    )
    return fill(records)


def every_holder(registry, name):
    """Every record and its keys, as look-ups find them."""
    keys = registry.scan().select(pl.col(name).alias("key")).collect()
    keys = keys.explode("key") if name == "disk_keys" else keys
    return registry.holders(name, keys["key"].drop_nulls())


@pytest.fixture
def registry(tmp_path):
    made = Registry.open(tmp_path / "registry", create=True)
    factory = Factory(random.Random(3))
    for number in (7, 1, 40, 3, 12):
        made = add_devices(made, factory, number)
    return made


@pytest.mark.parametrize("name", KEY_TYPES)
def test_a_position_means_the_same_record_in_every_look_up(registry, name):
    found = every_holder(registry, name)
    records = registry.records(found["record"].unique())
    assert records.height == 63
    rekeyed = with_keys(records).select("record", pl.col(name).alias("key"))
    expected = rekeyed.explode("key") if name == "disk_keys" else rekeyed
    assert found.sort("record", "key").equals(expected.cast({"record": pl.UInt32}).sort("record", "key"))


def test_removed_records_are_not_found_by_position(registry):
    everything = every_holder(registry, "tpm_key")["record"]
    gone = registry.records(everything)["device_id"][5]
    assert remove_devices(registry, [gone.upper()], "sold", AS_OF) == [gone]
    now = registry.reopened()
    assert gone not in set(now.records(everything)["device_id"])
    assert now.removed_ids().to_list() == [gone]
    assert remove_devices(now, [gone], "sold again", AS_OF) == []
    assert now.reopened().version == now.version


def test_removing_what_is_not_there_removes_nothing(registry):
    known = registry.records(pl.Series([0]))["device_id"][0]
    with pytest.raises(UsageError, match="device nobody: not in the registry"):
        remove_devices(registry, [known, "nobody"], "sold", AS_OF)
    with pytest.raises(UsageError, match="reason: empty"):
        remove_devices(registry, [known], " ", AS_OF)
    assert registry.reopened().removed_ids().is_empty()


@pytest.mark.parametrize("summed", [slice(0), slice(1, 4), slice(None)], ids=["none", "some", "all"])
def test_what_the_serials_of_a_manufacturer_look_like(registry, summed):
    for file in list(registry.data_files())[summed]:
        serials.SIDECAR.write(file)
    all_records = registry.records(pl.Series(range(63)))
    expected = serial_forms(all_records.lazy()).collect().rows_by_key("manufacturer")
    for maker in all_records["manufacturer"].unique():
        ((_, shown, shapes),) = registry.serial_forms(pl.Series([maker, "nobody"])).rows()
        assert [(shown, shapes)] == [(sorted(shown), sorted(shapes)) for shown, shapes in expected[maker]]
    assert registry.serial_forms(pl.Series(["nobody"])).is_empty()


def test_serials_without_look_alike_characters_show_none(tmp_path):
    made = Registry.open(tmp_path / "registry", create=True)
    record = {
        "event": REGISTERED,
        "tenant_id": TENANT,
        "registered_via": "store",
        "identity": "tuple",
    }
    for summed in (False, True):
        with made.writer() as writer:
            named = {"device_id": str(summed), "manufacturer": "HP", "serial_number": f"X{7 if summed else 9}A"}
            writer.write(fill(pl.DataFrame([record | named])))
            made.commit(writer)
        made = made.reopened()
        if summed:
            for file in made.data_files():
                serials.SIDECAR.write(file)
    assert made.serial_forms(pl.Series(["HP"])).rows() == [("HP", [], ["A9A"])]


def test_an_empty_registry_answers_everything(tmp_path):
    empty = Registry.open(tmp_path / "new", create=True)
    assert empty.version == 0
    assert empty.records(pl.Series([], dtype=pl.UInt32)).is_empty()
    assert all(empty.holders(name, pl.Series([1, 2], dtype=pl.Int64)).is_empty() for name in KEY_TYPES)
    assert set(empty.records(pl.Series([], dtype=pl.UInt32)).columns) > set(COMPONENT_TYPES)
    assert empty.committed("x") is None


def test_a_record_tells_the_version_that_made_it(registry):
    found = registry.scan().select("version").collect()["version"].value_counts().sort("version")
    assert found.rows() == [(1, 7), (2, 1), (3, 40), (4, 3), (5, 12)]


def test_a_run_makes_a_registry_keep_requests(tmp_path):
    made = Registry.open(tmp_path / "registry", create=True)
    for run_id, keeps in ((None, False), ("night", True), (None, True)):
        with made.writer() as writer:
            made.commit(writer, run_id, 5)
        made = made.reopened()
        assert made.keeps_requests == keeps
        assert made.requests().nights == keeps


def test_a_registry_that_has_gone_is_not_made_anew_on_the_way(registry):
    shutil.rmtree(registry.folder)
    with pytest.raises(UsageError, match="not found"):
        registry.reopened()


def test_who_asked_for_a_device_has_left_once_all_that_it_became_has_ended(registry):
    asked = (0, "device-a"), (0, "device-b"), (1, "device-a"), (1, "live"), (2, "live"), (0, "device-a")
    events = [
        {"event": "carried_out", "request_id": f"{at}", "tenant_id": TENANT, "identity_key": key, "device_id": device}
        for at, (key, device) in enumerate(asked)
    ]
    devices = registry.scan().head(3).collect().with_columns(device_id=pl.Series(["device-b", "device-a", "live"]))
    with registry.writer() as writer:
        writer.write(devices.drop("version"))
        writer.record(pl.DataFrame(events, {name: REQUEST_TYPES[name] for name in events[0]}))
        registry.commit(writer, "night")
    remove_devices(registry.reopened(), ["device-a", "device-b"], "sold", AS_OF)
    left = registry.reopened().departed(pl.DataFrame({"tenant_id": [TENANT] * 3, "identity_key": [0, 1, 2]}))
    assert left.rows() == [(TENANT, 0, ["device-a", "device-b"])]


def test_a_file_that_has_gone_is_removed_all_the_same(registry):
    there = registry.folder / "part-left.parquet"
    there.touch()
    registry.remove_files([registry.folder / "part-gone.parquet", there])
    assert not there.exists()


def test_a_data_file_that_is_not_what_the_log_says_is_named(registry):
    file = min(registry.data_files())
    size = file.stat().st_size
    with file.open("ab") as longer:
        longer.write(b"x")
    with pytest.raises(RegistryError, match=rf"{file.name}: {size + 1} bytes long instead of {size}"):
        registry.reopened()
    file.unlink()
    with pytest.raises(RegistryError, match=rf"{file.name}: missing"):
        registry.reopened()


def test_an_empty_folder_becomes_a_registry(tmp_path):
    (tmp_path / "registry").mkdir()
    assert Registry.open(tmp_path / "registry", create=True).version == 0
