"""Departures: exactly the device that was meant leaves, by whoever may say so, once."""

from datetime import timedelta

import polars as pl
import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import recaptured, with_board
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from pipeline.match.keys import with_keys
from pipeline.registry import Registry
from pipeline.registry.removing import remove_devices
from pipeline.registry.searching import device_events, registrations
from pipeline.registry.writer import fill
from schemas.device import COMPONENT_TYPES
from schemas.registry import REGISTERED
from tests.conftest import AS_OF, AUTHORIZATIONS, OTHER_TENANT, TENANT
from tests.report.test_content import text_of

SERIAL, PRODUCT_ID, HASH, TAG, USER = INTUNE
MAKER, MODEL = PARTNER_CENTER[3:]
ID, REASON = "Device ID", "Departure Reason"
HERE, THERE = f"contoso/{TENANT}/", f"contoso/{OTHER_TENANT}/"
LEAVING = HERE + "departures/"
OUT = LEAVING + "out.csv"
STRANGER = "33333333-3333-4333-8333-333333333333"


def primary(night):
    return {place: codes[0] if codes else None for place, codes in night.reasons().items()}


def counts(night):
    names = ("read", "settled", "registered", "deregistered", "rejected")
    return tuple(night.manifest["rows"][name] for name in names)


def leave(world, path, *rows, header=None):
    """Deliver departures; the header names what the rows do."""
    return world.deliver(path, *rows, header=header or tuple(dict.fromkeys(name for row in rows for name in row)))


def existing(device, tenant=TENANT, via="partner_center", **cells):
    return {
        "tenant_id": tenant,
        "registered_via": via,
        "serial_number": device.serial,
        "manufacturer": device.maker,
        "model": device.model,
        **cells,
    }


def live(world):
    """Serial numbers of the live registrations, by tenant."""
    rows = Registry.open(world.registry, create=False).live().select("tenant_id", "serial_number").collect()
    return sorted(world.mine(rows, "tenant_id").rows())


def named_by(device, registered, kind):
    """A departure's cells of one kind."""
    return {
        "device_id": {ID: registered.upper()},
        "hash": {HASH: capture(device)},
        "product_id": {PRODUCT_ID: device.product_id},
        "serial": {SERIAL: device.serial},
        "tuple": {SERIAL: device.serial, MAKER: device.maker, MODEL: device.model},
    }[kind]


IDENTITIES = {
    "device_id": "device_id",
    "hash": "hash",
    "product_id": "product_id",
    "serial": "serial_number",
    "tuple": "serial_number",
}


def test_each_identity_ends_its_registration_and_no_other(world):
    devices = {kind: world.factory.device() for kind in IDENTITIES}
    world.deliver(HERE + "a.csv", *({HASH: capture(device)} for device in devices.values()))
    world.deliver(HERE + "b.csv", {HASH: capture(world.factory.device())})
    registered = world.run().registered
    ids = dict(registered.select("hash_serial_number", "device_id").rows())
    for kind, device in devices.items():
        leave(world, f"{LEAVING}{kind}.csv", named_by(device, ids[device.serial], kind) | {REASON: "sold"})
    night = world.run(as_of=AS_OF + timedelta(days=1))
    told = night.deregistered.sort("identity", "source_file")
    assert dict(told.select("source_file", "identity").rows()) == {
        f"{LEAVING}{kind}.csv": identity for kind, identity in IDENTITIES.items()
    }
    assert set(told["device_id"]) == {ids[device.serial] for device in devices.values()}
    assert set(told.select("registered_via", "registered_by", "departure_reason").rows()) == {
        ("partner_center", "contoso", "sold")
    }
    assert set(told["registered_at"]) == {AS_OF}
    assert set(told["deregistered_at"]) == {AS_OF + timedelta(days=1)}
    assert counts(night) == (5, 0, 0, 5, 0)
    assert night.files.filter(pl.col("rows_deregistered") == 1).height == 5
    assert len(live(world)) == 1
    assert counts(world.run()) == (0, 0, 0, 0, 0)
    events = device_events(Registry.open(world.registry, create=False), devices["hash"].serial)
    assert events["event"].to_list() == ["registered", "deregistered"]
    last = events.row(-1, named=True)
    assert (last["removal_reason"], last["departed_by"], last["run_id"]) == (
        "sold",
        "contoso",
        night.manifest["run_id"],
    )
    assert registrations(events)["state"].to_list() == ["deregistered"]


def test_a_list_of_serial_numbers_without_a_header(world):
    devices = [world.factory.device() for _ in range(3)]
    world.deliver(HERE + "a.csv", *({HASH: capture(device)} for device in devices))
    world.run()
    world.put(OUT, "".join(f"{device.serial}\r\n" for device in devices).encode("utf-16"))
    night = world.run()
    assert night.deregistered["source_line"].to_list() == [1, 2, 3]
    assert night.manifest["reasons"] == {}


@pytest.mark.parametrize("line", ["A1,B1", '"open', "A1;x"])
def test_what_is_no_list_is_not_taken_for_one(world, line):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    world.put(OUT, f"{device.serial}\n{line}\n".encode())
    night = world.run()
    codes = ["FILE_HEADER_UNKNOWN"] if line != "A1;x" else ["SERIAL_FORMAT"]
    assert night.reasons()[OUT, 2] == codes
    assert night.deregistered.height == (0 if line != "A1;x" else 1)


def test_a_header_that_names_no_identity_is_none(world):
    world.put(OUT, b"Manufacturer name,Device model,Note\nLENOVO,20XW,A1B2C3\n")
    assert set(map(tuple, world.run().reasons().values())) == {("FILE_HEADER_UNKNOWN",)}


DISAGREEING = {
    "serial": ({SERIAL: "5CG0000XXX"}, "SERIAL_MISMATCH"),
    "product ID": ({PRODUCT_ID: "3305123456781"}, "PRODUCT_ID_MISMATCH"),
}


@pytest.mark.parametrize("by", ["device_id", "hash"])
@pytest.mark.parametrize("other", list(DISAGREEING))
def test_what_the_row_says_otherwise_must_agree(world, by, other):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    registered = world.run().registered["device_id"][0]
    cells, code = DISAGREEING[other]
    leave(world, OUT, named_by(device, registered, by) | cells)
    night = world.run()
    assert night.reasons() == {(OUT, 2): [code]}
    assert night.rejected["matched_device_id"].to_list() == [registered]


def test_a_device_id_beside_another_hash_is_ambiguous(world):
    devices = [world.factory.device() for _ in range(2)]
    world.deliver(HERE + "a.csv", *({HASH: capture(device)} for device in devices))
    ids = dict(world.run().registered.select("hash_serial_number", "device_id").rows())
    leave(world, OUT, {ID: ids[devices[0].serial], HASH: capture(devices[1])})
    leave(
        world, LEAVING + "same.csv", {ID: ids[devices[0].serial], HASH: capture(recaptured(devices[0], world.factory))}
    )
    assert primary(world.run()) == {(OUT, 2): "AMBIGUOUS_MATCH", (LEAVING + "same.csv", 2): None}
    assert counts(world.run()) == (0, 0, 0, 0, 0)  # final, for a departure


def test_one_serial_number_of_two_makers(world):
    world.import_existing(
        {"tenant_id": TENANT, "registered_via": "partner_center", "serial_number": "5CG1234ABC", "manufacturer": "HP"},
        {
            "tenant_id": TENANT,
            "registered_via": "partner_center",
            "serial_number": "5CG1234ABC",
            "manufacturer": "LENOVO",
        },
    )
    leave(world, OUT, {SERIAL: "5CG1234ABC"})
    leave(world, LEAVING + "which.csv", {SERIAL: "5CG1234ABC", MAKER: "HP Inc."})
    night = world.run()
    assert primary(night) == {(OUT, 2): "AMBIGUOUS_MATCH", (LEAVING + "which.csv", 2): None}
    assert live(world) == [(TENANT, "5CG1234ABC")]


NEAR = {
    "case": {SERIAL: "pf1a2b3c"},
    "a look-alike": {SERIAL: "PF1A2B3C".replace("1", "I"), MAKER: "LENOVO"},
    "another model": {SERIAL: "PF1A2B3C", MAKER: "LENOVO", MODEL: "T15"},
    "another maker": {SERIAL: "PF1A2B3C", MAKER: "HP"},
}


@pytest.mark.parametrize("near", list(NEAR))
def test_a_likeness_is_a_hint_and_never_a_match(world, near):
    record = {"tenant_id": TENANT, "registered_via": "partner_center", "serial_number": "PF1A2B3C"}
    world.import_existing(record | {"manufacturer": "LENOVO", "model": "T14"})
    leave(world, OUT, NEAR[near])
    night = world.run()
    assert night.reasons() == {(OUT, 2): ["NOT_REGISTERED"]}
    assert night.rejected["matched_device_id"].null_count() == 0
    assert night.rejected["outcome"].to_list() == ["not_registered"]
    assert len(live(world)) == 1


@pytest.mark.alone
def test_another_tenants_device_is_told_to_the_operator_alone(world):
    device = world.factory.device()
    world.deliver(f"northwind/{OTHER_TENANT}/a.csv", {HASH: capture(device)})
    registered = world.run().registered["device_id"][0]
    leave(world, OUT, {HASH: capture(device)})
    leave(world, LEAVING + "id.csv", {ID: registered})
    night = world.run()
    assert set(primary(night).values()) == {"NOT_REGISTERED"}
    assert set(night.rejected["matched_device_id"]) == {registered}
    assert all(OTHER_TENANT in evidence for evidence in night.rejected["evidence"])
    for path in (night.result.folder / "report" / "contoso").iterdir():
        # What is to be corrected has the cells as they were delivered, of which the ID is one.
        assert "resubmit" in path.name or registered not in text_of(path)
        assert OTHER_TENANT not in text_of(path)


@pytest.mark.parametrize("via", ["intune", "microsoft_365", "store"])
def test_what_the_customer_registered_is_the_customers_but_for_its_api(world, via):
    device, other = world.factory.device(), world.factory.device()
    world.import_existing(
        existing(device, via=via, hardware_hash=capture(device)),
        existing(other, via=via, hardware_hash=capture(other)),
    )
    leave(world, OUT, {HASH: capture(device)})
    leave(world, f"adatum/{TENANT}/DEPARTURES/out.csv", {HASH: capture(other)})
    night = world.run()
    assert primary(night) == {(OUT, 2): "REGISTERED_BY_CUSTOMER", (f"adatum/{TENANT}/DEPARTURES/out.csv", 2): None}
    assert night.rejected["waits_for"].to_list() == [["delivery"]]


def test_channel_exclusion_tag_and_user_are_not_looked_at(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    world.reference(
        "exclusions.csv", f"tenant_id,serial_number,manufacturer,reason\n{TENANT},{device.serial},,mdm_only\n"
    )
    leave(world, f"tailspin/{TENANT}/departures/a.csv", {HASH: capture(device), TAG: "x" * 200, USER: "nobody"})
    assert counts(world.run()) == (1, 0, 0, 1, 0)


def test_a_departure_waits_for_consent_and_never_ends_a_later_registration(world):
    devices = [world.factory.device() for _ in range(2)]
    world.deliver(HERE + "a.csv", {HASH: capture(devices[0])})
    world.run()
    leave(world, f"northwind/{STRANGER}/departures/a.csv", {HASH: capture(devices[0])})
    folder = f"fabrikam/{TENANT}/departures/"
    world.reference("authorizations.csv", AUTHORIZATIONS + f"fabrikam,{TENANT},removed,2024-01-01T00:00:00Z,\n")
    leave(world, folder + "a.csv", *({HASH: capture(device)} for device in devices))
    assert set(primary(world.run()).values()) == {"AUTH_NO_RELATIONSHIP", "AUTH_REMOVED"}
    world.deliver(HERE + "b.csv", {HASH: capture(devices[1])})
    world.run()
    world.reference("authorizations.csv", AUTHORIZATIONS)
    night = world.run()
    told = {place: code for place, code in primary(night).items() if place[0].startswith("fabrikam")}
    assert told == {(folder + "a.csv", 2): None, (folder + "a.csv", 3): "NOT_REGISTERED"}
    assert live(world) == [(TENANT, devices[1].serial)]


def test_of_several_requests_the_first_counts(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    leave(world, LEAVING + "a.csv", {SERIAL: device.serial})
    leave(world, LEAVING + "b.csv", {HASH: capture(device)})
    leave(world, f"fabrikam/{TENANT}/departures/c.csv", {SERIAL: device.serial})
    night = world.run()
    assert sorted(primary(night).values(), key=str) == ["DUPLICATE_IN_BATCH", "DUPLICATE_IN_BATCH", None]
    assert primary(night)[LEAVING + "a.csv", 2] is None
    assert set(night.rejected["matched_source_file"]) == {LEAVING + "a.csv"}
    assert counts(world.run(reprocess=True)) == (4, 4, 0, 0, 0)


def test_a_repair_in_one_night(world):
    device = world.factory.device()
    repaired = with_board(device, world.factory)
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    old = world.run().registered["device_id"][0]
    leave(world, OUT, {HASH: capture(device), REASON: "repair: new board"})
    world.deliver(HERE + "b.csv", {HASH: capture(repaired)})
    night = world.run()
    assert night.warnings()[HERE + "b.csv", 2] == ["DEVICE_REPAIRED"]
    assert night.registered["matched_device_id"].to_list() == [old]
    assert counts(night) == (2, 0, 1, 1, 0)
    new = night.registered["device_id"][0]
    events = device_events(Registry.open(world.registry, create=False), device.serial)
    assert events.select("device_id", "event").rows() == [
        (old, "registered"),
        (old, "deregistered"),
        (new, "registered"),
    ]


def test_of_several_boards_the_last_that_left_is_the_repaired_one(world):
    device = world.factory.device()
    left = []
    for number, board in enumerate((device, with_board(device, world.factory))):
        world.deliver(f"{HERE}{number}.csv", {HASH: capture(board)})
        left += world.run().registered["device_id"].to_list()
        leave(world, LEAVING + f"{number}.csv", {HASH: capture(board), REASON: "repair"})
        world.run()
    world.deliver(HERE + "2.csv", {HASH: capture(with_board(device, world.factory))})
    assert world.run().registered["matched_device_id"].to_list() == left[1:]


def test_a_history_tells_one_board_after_the_other_whatever_their_ids(world):
    ids = [f"{at:08x}-0000-4000-8000-000000000000" for at in (9, 1, 5)]
    devices = with_keys(pl.DataFrame(schema=COMPONENT_TYPES).clear(3)).with_columns(
        event=pl.lit(REGISTERED), device_id=pl.Series(ids), serial_number=pl.lit("5CG0000AAA"), tenant_id=pl.lit(TENANT)
    )
    registry = Registry.open(world.registry, create=True)
    for at in range(3):
        with registry.writer() as writer:
            writer.write(
                fill(devices[at : at + 1].with_columns(registered_via=pl.lit("intune"), identity=pl.lit("tuple")))
            )
            registry.commit(writer)
        registry = registry.reopened()
    assert device_events(registry, "5cg0000aaa")["device_id"].to_list() == ids


def test_a_board_that_waits_is_registered_the_night_that_the_old_one_leaves_for_repair(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    world.deliver(HERE + "b.csv", {HASH: capture(with_board(device, world.factory))})
    assert primary(world.run()) == {(HERE + "b.csv", 2): "BOARD_REPLACED"}
    leave(world, OUT, {HASH: capture(device), REASON: "Repair"})
    assert primary(world.run()) == {(HERE + "b.csv", 2): None, (OUT, 2): None}


def test_what_waited_for_a_device_that_leaves_is_final(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    world.deliver(HERE + "b.csv", {HASH: capture(with_board(device, world.factory))})
    world.run()
    leave(world, OUT, {HASH: capture(device), REASON: "sold"})
    assert primary(world.run()) == {(OUT, 2): None}
    assert counts(world.run()) == (0, 0, 0, 0, 0)
    assert live(world) == []


def test_a_transfer_in_one_night(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    leave(world, OUT, {HASH: capture(device)})
    world.deliver(THERE + "b.csv", {HASH: capture(device)})
    night = world.run()
    assert primary(night) == {(OUT, 2): None, (THERE + "b.csv", 2): None}
    assert live(world) == [(OTHER_TENANT, device.serial)]


def test_a_device_that_leaves_tonight_is_not_registered_again_tonight(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    leave(world, OUT, {HASH: capture(device)})
    world.deliver(HERE + "b.csv", {HASH: capture(recaptured(device, world.factory))})
    world.deliver(HERE + "c.csv", {PRODUCT_ID: device.product_id})
    night = primary(world.run())
    assert night[HERE + "b.csv", 2] == "DEVICE_LEFT"
    assert night[OUT, 2] is None
    assert night[HERE + "c.csv", 2] in {"DEVICE_LEFT", "DUPLICATE_IN_BATCH"}
    world.deliver(HERE + "d.csv", {HASH: capture(recaptured(device, world.factory))})
    assert primary(world.run()) == {(HERE + "d.csv", 2): None}


@pytest.mark.parametrize("reason", ["sold", "repair"])
def test_what_asked_before_its_device_left_is_decided_again_in_vain(world, reason):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.deliver(HERE + "b.csv", {HASH: capture(recaptured(device, world.factory)), TAG: "x" * 200, USER: "nobody"})
    world.deliver(HERE + "c.csv", {HASH: capture(world.factory.device()), TAG: "x" * 200})
    world.run()
    leave(world, OUT, {HASH: capture(device), REASON: reason})
    world.deliver(HERE + "d.csv", {HASH: capture(recaptured(device, world.factory))})
    assert primary(world.run())[HERE + "d.csv", 2] == "DEVICE_LEFT"
    again = world.run(reprocess=True, group_tag_limit=300)
    assert primary(again)[HERE + "d.csv", 2] == "DEVICE_LEFT"
    assert again.registered["source_file"].to_list() == [HERE + "c.csv"]
    world.deliver(HERE + "e.csv", {HASH: capture(recaptured(device, world.factory))})
    assert primary(world.run())[HERE + "e.csv", 2] is None


@pytest.mark.parametrize("by", ["hash", "product_id", "serial", "tuple"])
def test_a_departure_and_a_registration_that_name_each_other_wait_for_nobody(world, by):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    leave(world, OUT, named_by(device, "", by))
    night = world.run()
    assert night.reasons() == {(HERE + "a.csv", 2): ["AMBIGUOUS_MATCH"], (OUT, 2): ["AMBIGUOUS_MATCH"]}
    assert set(night.rejected["matched_source_file"]) == {OUT, HERE + "a.csv"}
    assert night.rejected["waits_for"].list.contains("delivery").all()
    assert counts(world.run()) == (0, 0, 0, 0, 0)


def test_the_limit_keeps_a_tenant_whole(world):
    devices = [world.factory.device() for _ in range(60)]
    world.import_existing(*(existing(device) for device in devices))
    leave(world, OUT, *({SERIAL: device.serial} for device in devices[:21]), {SERIAL: devices[0].serial})
    world.import_existing(*(existing(device, tenant=OTHER_TENANT) for device in [world.factory.device()]))
    night = world.run()
    assert night.manifest["reasons"] == {"DEPARTURE_LIMIT": 21, "DUPLICATE_IN_BATCH": 1}
    assert night.manifest["rows"]["waiting"] == 22
    assert "21 of the tenant's 60" in night.rejected["evidence"][0]
    assert counts(world.run(departure_limit=0.4)) == (22, 0, 0, 21, 1)
    assert len(live(world)) == 40


def test_twenty_leave_whatever_the_limit(world):
    devices = [world.factory.device() for _ in range(20)]
    world.import_existing(*(existing(device) for device in devices))
    leave(world, OUT, *({SERIAL: device.serial} for device in devices))
    assert counts(world.run(departure_limit=0.0)) == (20, 0, 0, 20, 0)


def test_departure_and_return_end_as_the_last_says(world):
    device = world.factory.device()
    for number in range(3):
        device = recaptured(device, world.factory)
        world.deliver(f"{HERE}in-{number}.csv", {HASH: capture(device)})
        assert world.run().registered.height == 1
        leave(world, f"{LEAVING}out-{number}.csv", {SERIAL: device.serial, REASON: f"loan {number}"})
        assert world.run().deregistered.height == 1
        assert live(world) == []
    assert counts(world.run(reprocess=True)) == (6, 6, 0, 0, 0)


def test_no_departure_acts_again_on_a_device_that_is_back(world):
    device = world.factory.device()
    world.import_existing(existing(device))
    leave(world, OUT, {SERIAL: device.serial})
    assert world.run().deregistered.height == 1
    world.import_existing(existing(device), restore=True)
    assert counts(world.run(reprocess=True)) == (1, 1, 0, 0, 0)
    assert len(live(world)) == 1


def test_a_dry_run_ends_nothing(world):
    device = world.factory.device()
    world.import_existing(existing(device))
    leave(world, OUT, {SERIAL: device.serial})
    assert counts(world.run(dry_run=True)) == (1, 0, 0, 1, 0)
    assert len(live(world)) == 1
    assert world.run().deregistered.height == 1


FOLDERS = {
    "contoso/departures/{tenant}/a.csv": None,
    "contoso/{tenant}/Departures/sub/a.csv": None,
    "contoso/departed/a.csv": "FILE_UNREADABLE",
    "contoso/{tenant}/Deregister/a.csv": "FILE_UNREADABLE",
    "contoso/departures/deregistered/a.csv": "FILE_UNREADABLE",
    "contoso/{tenant}/departures /a.csv": "FILE_UNREADABLE",
}


@pytest.mark.alone
def test_which_folders_hold_departures(world):
    devices = {folder: world.factory.device() for folder in FOLDERS}
    world.import_existing(*(existing(device) for device in devices.values()))
    paths = {folder: folder.format(tenant=TENANT) for folder in FOLDERS}
    for folder, path in paths.items():
        leave(world, path, {SERIAL: devices[folder].serial})
    night = world.run()
    assert {path: code for (path, _), code in primary(night).items()} == {
        paths[folder]: code for folder, code in FOLDERS.items()
    }


def test_a_file_that_is_moved_to_the_departures_asks_another_thing(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    (world.inbox / LEAVING).mkdir(parents=True)
    (world.inbox / HERE / "a.csv").rename(world.inbox / OUT)
    assert primary(world.run()) == {(OUT, 2): None}
    assert live(world) == []


CELLS = {
    "a long reason": ({SERIAL: "5CG1234ABC", REASON: "x" * 129}, "REASON_TOO_LONG"),
    "no identity": ({REASON: "sold", SERIAL: ""}, "IDENTITY_MISSING"),
    "a product ID of the wrong form": ({PRODUCT_ID: "330512345678", SERIAL: ""}, "PRODUCT_ID_FORMAT"),
    "a placeholder": ({SERIAL: "Default string"}, "SERIAL_PLACEHOLDER"),
    "no serial number": ({SERIAL: "5CG1 / 5CG2"}, "SERIAL_FORMAT"),
    "a rounded number": ({SERIAL: "1.23457E+11"}, "SPREADSHEET_DAMAGE"),
    "a formula": ({SERIAL: "5CG1234ABC", REASON: "=sold"}, "FORMULA_CELL"),
    "a broken hash beside an ID": ({ID: STRANGER, HASH: "T0AA"}, "HASH_BAD_HEADER"),
}


def test_what_a_departures_cells_are_held_to(world):
    for name, (cells, _) in CELLS.items():
        leave(world, f"{LEAVING}{name}.csv", cells)
    assert {path: code for (path, _), code in primary(world.run()).items()} == {
        f"{LEAVING}{name}.csv": code for name, (_, code) in CELLS.items()
    }


def test_what_an_operator_removed_is_ended_too(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"].to_list()
    remove_devices(Registry.open(world.registry, create=False), ids, "lost", AS_OF)
    leave(world, OUT, {SERIAL: device.serial})
    assert primary(world.run()) == {(OUT, 2): "NOT_REGISTERED"}


@pytest.mark.alone
def test_departures_in_the_folder_of_registrations_register_nothing(world):
    path = HERE + "mistaken.csv"
    leave(world, path, {HASH: capture(world.factory.device()), REASON: "sold"})
    night = world.run()
    assert primary(night) == {(path, 2): "COLUMN_UNCLEAR"}
    errors = world.home / "runs" / night.manifest["run_id"] / "report" / "contoso" / "errors.csv"
    assert 'deliver them in a folder ""departures""' in text_of(errors)
