from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pybase64
import pytest

from pipeline.errors import ReferenceDataError, UsageError
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import recaptured, with_board
from pipeline.reference.tables import manufacturer_spellings
from pipeline.registry import Registry
from pipeline.registry.importing import import_records
from pipeline.registry.removing import remove_devices
from schemas.registry import IMPORT_COLUMNS
from tests.conftest import AS_OF, OTHER_TENANT, TENANT


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
    result = world.import_existing(row, row)
    assert (result.imported, result.unchanged) == (1, 1)


def of(device, **more):
    """A record of a device, known by its tuple."""
    named = {"serial_number": device.serial, "manufacturer": device.maker, "model": device.model}
    return {"tenant_id": TENANT, "partner_id": "contoso", "registered_via": "partner_center"} | named | more


def live(world):
    return Registry.open(world.registry, create=False).live().collect()


def lines(told):
    return [line for line, _ in told]


@pytest.mark.parametrize("alias", ["Lenovo", "lenovo", "LENOVO GROUP LIMITED", "LENOVO"])
def test_a_manufacturer_has_its_exact_spelling_whatever_the_file_says(world, alias):
    device = replace(world.factory.device(), maker="LENOVO")
    world.import_existing(of(device, manufacturer=alias))
    assert live(world)["manufacturer"].to_list() == ["LENOVO"]
    result = world.import_existing(of(device, tenant_id=OTHER_TENANT, hardware_hash=capture(device)))
    assert lines(result.refused) == [2]
    assert "another tenant" in result.refused[0][1]


@pytest.mark.parametrize("more", [{}, {"windows_product_id": "3305123456789"}, {"model": ""}])
def test_a_record_that_an_earlier_program_spelled_otherwise_is_known_and_mended(world, more):
    device = replace(world.factory.device(), maker="LENOVO")
    record, unheard_of = of(device, manufacturer="Lenovo") | more, manufacturer_spellings().clear()
    path = world.home / "existing.csv"
    world.import_existing()
    pl.DataFrame([dict.fromkeys(IMPORT_COLUMNS, "") | record]).write_csv(path)
    import_records(Registry.open(world.registry, create=True), path, unheard_of)
    assert live(world)["manufacturer"].to_list() == ["Lenovo"]
    assert lines(world.import_existing(record | {"tenant_id": OTHER_TENANT, "manufacturer": "LENOVO"}).refused) == [2]
    assert world.import_existing(record).changed == 1
    assert live(world)["manufacturer"].to_list() == ["LENOVO"]
    assert world.import_existing(record).unchanged == 1


def test_the_reference_says_how_manufacturers_are_spelled(world):
    world.reference("manufacturers.csv", "manufacturer,alias\nACME Corporation,ACME\n")
    path = world.home / "existing.csv"
    world.import_existing()
    path.write_text(",".join(IMPORT_COLUMNS) + f"\n{TENANT},,intune,S4711,acme,,,,,\n")
    registry = Registry.open(world.registry, create=True)
    import_records(registry, path, manufacturer_spellings(world.home / "reference"))
    assert live(world)["manufacturer"].to_list() == ["ACME Corporation"]
    with pytest.raises(ReferenceDataError, match="not found"):
        manufacturer_spellings(world.home / "nowhere")


def test_serial_number_and_manufacturer_alone_suffice(world):
    device = world.factory.device()
    assert world.import_existing(of(device, model="")).imported == 1
    (record,) = live(world).rows(named=True)
    assert (record["identity"], record["model"]) == ("tuple", None)
    result = world.import_existing(of(device, model="any"))
    assert (result.imported, result.changed) == (0, 1)
    assert live(world)["model"].to_list() == ["any"]
    assert world.import_existing(of(device, model="another")).changed == 1
    assert live(world).height == 1


DAMAGED = [
    ({"serial_number": "1.23457E+11"}, "serial_number: SPREADSHEET_DAMAGE"),
    ({"serial_number": "#N/A"}, "serial_number: SPREADSHEET_DAMAGE"),
    ({"serial_number": "tbd"}, "serial_number: SERIAL_PLACEHOLDER"),
    ({"serial_number": "A123, A124"}, "serial_number: SERIAL_FORMAT"),
    ({"serial_number": "Lenovo"}, "serial_number: COLUMNS_SHIFTED"),
    ({"serial_number": "A1\u200b23"}, "serial_number: HIDDEN_CHARACTER"),
    ({"manufacturer": "unknown"}, "manufacturer: TUPLE_PLACEHOLDER"),
    ({"serial_number": "", "windows_product_id": "3305123456789.0"}, "windows_product_id: PRODUCT_ID_FORMAT"),
    ({"serial_number": "", "windows_product_id": "3.305E+12"}, "windows_product_id: PRODUCT_ID_FORMAT"),
    ({"serial_number": "", "hardware_hash": "T0F"}, "hardware_hash: HASH_TRUNCATED"),
    ({"serial_number": "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"}, "PRODUCT_KEY_EXPOSED"),
    ({"manufacturer": ""}, "no usable identity"),
]


def test_a_damaged_identity_is_refused_by_itself_and_listed_beside_a_usable_one(world):
    records = [of(world.factory.device()) for _ in DAMAGED]
    broken = [record | cells for record, (cells, _) in zip(records, DAMAGED, strict=True)]
    result = world.import_existing(*broken)
    every = list(range(2, 2 + len(DAMAGED)))
    assert (result.imported, lines(result.refused), result.listed) == (0, every, ())
    for (cells, told), (_, text) in zip(DAMAGED, result.refused, strict=True):
        assert told in text, cells
        assert "AAAAA" not in text
    others = [
        {"serial_number": record["serial_number"]}
        if "windows_product_id" in cells
        else {"windows_product_id": f"33059876543{at:02}"}
        for at, (record, (cells, _)) in enumerate(zip(records, DAMAGED, strict=True))
    ]
    result = world.import_existing(*(one | other for one, other in zip(broken, others, strict=True)))
    assert (result.imported, result.refused) == (len(DAMAGED), ())
    listed = ["PLACEHOLDER" not in told and told != "no usable identity" for _, told in DAMAGED]
    assert lines(result.listed) == [line for line, is_listed in zip(every, listed, strict=True) if is_listed]


def test_a_hash_makes_up_for_the_cells_but_for_a_damaged_serial_number(world):
    device, other = world.factory.device(), world.factory.device()
    sound = {"windows_product_id": "12345", "model": "#REF!", "hardware_hash": capture(device)}
    damaged = of(other, serial_number="1E+05", hardware_hash=capture(other))
    result = world.import_existing(of(device) | sound, damaged)
    assert (result.imported, result.listed) == (2, ((3, "serial_number: SPREADSHEET_DAMAGE"),))


@pytest.mark.parametrize("column", ["group_tag", "hardware_hash", "partner_id"])
def test_a_product_key_in_a_parquet_file_goes_nowhere(world, column):
    row = dict.fromkeys(IMPORT_COLUMNS, "") | of(world.factory.device())
    row[column] = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
    path = world.home / "existing.parquet"
    pl.DataFrame([row]).write_parquet(path)
    result = import_records(Registry.open(world.registry, create=True), path)
    assert (result.imported, result.listed) == (1, ((1, "PRODUCT_KEY_EXPOSED"),))
    assert live(world)[column].to_list() == [None]


def test_a_refreshed_export_changes_registrations_and_makes_none(world):
    device, other = world.factory.device(), world.factory.device()
    world.import_existing(of(device, group_tag="old"), of(other, group_tag="kept"))
    (before,) = live(world).filter(group_tag="old")["device_id"]
    refreshed = (of(device, group_tag="new", registered_at="2025-06-01T00:00:00Z"), of(other))
    result = world.import_existing(*refreshed)
    assert (result.imported, result.changed, result.unchanged) == (0, 1, 1)
    now = live(world)
    assert sorted(now["group_tag"]) == ["kept", "new"]
    assert now.filter(group_tag="new")["device_id"].to_list() == [before]
    again = world.import_existing(*refreshed)
    assert (again.changed, again.unchanged, Registry.open(world.registry, create=False).version) == (0, 2, 2)


def test_a_newer_hash_of_a_device_is_taken_and_an_older_one_is_not(world):
    device = world.factory.device()
    newer = recaptured(device, world.factory)
    assert newer.captured_at > device.captured_at
    world.import_existing(of(device))
    assert world.import_existing(of(device, hardware_hash=capture(device))).changed == 1
    assert world.import_existing(of(device, hardware_hash=capture(newer), group_tag="x")).changed == 1
    assert world.import_existing(of(device, hardware_hash=capture(device))).unchanged == 1
    assert world.import_existing(of(device, model="renamed")).unchanged == 1
    (record,) = live(world).rows(named=True)
    assert (record["identity"], record["group_tag"], record["disk_serials"]) == ("hash", "x", [newer.disk])
    assert record["hardware_hash"] == pybase64.b64decode(capture(newer)).rstrip(b"\0")
    assert record["model"] == device.model
    assert record["tpm_key"] is not None


def test_of_two_records_of_one_device_the_better_counts_and_stays(world):
    device = world.factory.device()
    newer = recaptured(device, world.factory)
    records = (
        of(device, group_tag="tuple"),
        of(device, hardware_hash=capture(newer), group_tag="newer"),
        of(device, hardware_hash=capture(device), group_tag="older"),
    )
    first = world.import_existing(*records)
    assert (first.imported, first.unchanged) == (1, 2)
    again = world.import_existing(*reversed(records))
    assert (again.imported, again.changed, again.unchanged) == (0, 0, 3)
    assert live(world)["group_tag"].to_list() == ["newer"]


def test_what_speaks_against_a_registration_is_refused(world):
    device = world.factory.device()
    board = with_board(device, world.factory)
    serial = replace(device, serial="X" + device.serial)
    world.import_existing(of(device, hardware_hash=capture(device)))
    told = [
        ("board replaced", of(board, hardware_hash=capture(board))),
        ("contradiction", of(serial, hardware_hash=capture(serial))),
        ("another tenant", of(device, tenant_id=OTHER_TENANT)),
        ("probably the same", of(device, windows_product_id="3305123456789")),
    ]
    for text, record in told:
        result = world.import_existing(of(world.factory.device()), record)
        assert (result.imported, lines(result.refused)) == (1, [3]), text
        assert text in result.refused[0][1]


def test_records_of_one_file_that_contradict_each_other_are_refused_both(world):
    device, claimed, sound = (world.factory.device() for _ in range(3))
    board = with_board(device, world.factory)
    result = world.import_existing(
        of(device, hardware_hash=capture(device)),
        of(board, hardware_hash=capture(board)),
        of(claimed),
        of(claimed, tenant_id=OTHER_TENANT, model="another"),
        of(sound),
    )
    assert (result.imported, lines(result.refused)) == (1, [2, 3, 4, 5])
    assert "line 3" in result.refused[0][1]
    assert "several tenants" in result.refused[2][1]


def test_a_product_id_that_two_devices_share_makes_them_one_never(world):
    product_id = "3305123456789"
    first, second = (replace(world.factory.device(), product_id=product_id) for _ in range(2))
    bare = {"tenant_id": TENANT, "registered_via": "store", "windows_product_id": product_id}
    result = world.import_existing(
        of(first, hardware_hash=capture(first)), bare, of(second, hardware_hash=capture(second))
    )
    assert (result.imported, lines(result.refused)) == (2, [3])
    assert sorted(live(world)["serial_number"]) == sorted([first.serial, second.serial])


def test_a_removed_record_is_live_again_only_on_request(world):
    device, other = world.factory.device(), world.factory.device()
    world.import_existing(of(device, hardware_hash=capture(device), group_tag="old"), of(other))
    (gone,) = live(world).filter(identity="hash")["device_id"]
    remove_devices(Registry.open(world.registry, create=False), [gone], "sold", AS_OF)
    row = of(device, group_tag="new", model="")
    result = world.import_existing(row, of(other))
    assert (result.imported, result.restored, result.unchanged) == (0, 0, 1)
    assert [(line, gone in told) for line, told in result.refused] == [(2, True)]
    assert live(world).height == 1
    result = world.import_existing(row, of(other), restore=True)
    assert (result.restored, result.unchanged, result.refused) == (1, 1, ())
    (record,) = live(world).filter(device_id=gone).rows(named=True)
    assert (record["event"], record["identity"], record["group_tag"]) == ("restored", "hash", "new")
    assert record["hardware_hash"] is not None
    assert world.import_existing(row, of(other)).unchanged == 2
    remove_devices(Registry.open(world.registry, create=False), [gone], "sold again", AS_OF)
    assert lines(world.import_existing(row).refused) == [2]


def test_a_device_that_left_one_tenant_may_be_another_s(world):
    device = world.factory.device()
    world.import_existing(of(device))
    remove_devices(Registry.open(world.registry, create=False), live(world)["device_id"].to_list(), "sold", AS_OF)
    assert world.import_existing(of(device, tenant_id=OTHER_TENANT)).imported == 1


def test_a_record_that_is_two_registrations_is_refused(world):
    device, other = world.factory.device(), world.factory.device()
    world.import_existing(of(device), of(other, serial_number="", windows_product_id="3305123456789"))
    result = world.import_existing(of(device, windows_product_id="3305123456789"))
    assert (lines(result.refused), result.changed) == ([2], 0)
    assert "several registrations" in result.refused[0][1]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"tenant_id,partner_id\nx,y\n", "found no header"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
        ("a.XLSX", b"PK", "is a workbook; save the sheet"),
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
