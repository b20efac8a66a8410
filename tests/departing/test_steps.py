"""What remains of departures: who must do what, in which order, and what is known to be done."""

import csv
import json
import re

import polars as pl
import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from pipeline.departing.remaining import open_steps, say_done
from pipeline.departing.steps import BEGUN_TYPES, ENDED_TYPES, SAID_TYPES, steps
from pipeline.errors import RegistryConflict, UsageError
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import with_board
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from pipeline.registry.compacting import compact
from pipeline.registry.removing import remove_devices
from pipeline.registry.vacuuming import vacuum
from pipeline.registry.verifying import verify
from schemas.steps import BY_CUSTOMER_TEXT, STEP_TYPES, STEPS, SYSTEMS
from tests.conftest import AS_OF, OTHER_TENANT, TENANT

SERIAL, _, HASH, TAG, _ = INTUNE
HERE, THERE = f"contoso/{TENANT}/", f"contoso/{OTHER_TENANT}/"
PLAIN = {
    "delete_from_intune": ("customer", "open"),
    "unassign_user": ("customer", "open"),
    "deregister": ("partner", "done"),
    "sync": ("customer", "open"),
    "entra_object": ("customer", "open"),
    "computer_object": ("customer", "open"),
}
OVER = {"deregister": ("partner", "done")}
ENDED = {
    "device_id": "old",
    "tenant_id": TENANT,
    "partner_id": "contoso",
    "version": 5,
    "serial_number": "5CG1",
    "manufacturer": "hp",
    "hardware_hash_id": "a",
    "event": "deregistered",
    "removal_reason": "sold",
    "registered_via": "partner_center",
}
AGAIN = {name: ENDED[name] for name in BEGUN_TYPES} | {"device_id": "new"}
ELSEWHERE = AGAIN | {"tenant_id": OTHER_TENANT}
BY_OTHERS = {"partner_id": "northwind"}
CASES = {
    "plain": ({}, [], PLAIN, PLAIN),
    "by an operator": (
        {"event": "removed", "partner_id": None},
        [],
        PLAIN | {"deregister": ("operator", "done")},
        None,
    ),
    "repair that is awaited": (
        {"removal_reason": "For Repair"},
        [],
        PLAIN | {"new_hash": ("partner", "open")},
        PLAIN | {"new_hash": ("partner", "open")},
    ),
    "repair in one night": (
        {},
        [AGAIN | {"hardware_hash_id": "b", "serial_number": "5cg1"}],
        PLAIN | {"new_hash": ("partner", "done")},
        PLAIN | {"new_hash": ("partner", "done")},
    ),
    "transfer that is awaited": (
        {"removal_reason": "transfer"},
        [],
        PLAIN | {"new_registration": ("partner", "open")},
        PLAIN | {"new_registration": ("partner", "open")},
    ),
    "transfer by the partner": (
        {},
        [ELSEWHERE],
        PLAIN | {"new_registration": ("partner", "done")},
        PLAIN | {"new_registration": ("partner", "done")},
    ),
    "transfer by others": ({}, [ELSEWHERE | BY_OTHERS], PLAIN | {"new_registration": ("partner", "done")}, PLAIN),
    "by the hash alone": (
        {},
        [ELSEWHERE | {"serial_number": None}],
        PLAIN | {"new_registration": ("partner", "done")},
        PLAIN | {"new_registration": ("partner", "done")},
    ),
    "of the customer": (
        {"registered_via": "intune", "removal_reason": "repair"},
        [],
        PLAIN | {"new_hash": ("customer", "open")},
        PLAIN | {"new_hash": ("customer", "open")},
    ),
    "of the customer, noted by an operator": (
        {"registered_via": "store", "event": "removed"},
        [],
        PLAIN | {"deregister": ("customer", "open")},
        None,
    ),
    "back again": ({}, [AGAIN | {"version": 6}], OVER | {"new_hash": ("partner", "done")}, None),
    "back again by others": ({}, [AGAIN | BY_OTHERS | {"version": 6}], OVER | {"new_hash": ("partner", "done")}, None),
    "what was there before": ({}, [AGAIN | {"version": 4}], PLAIN, PLAIN),
    "another maker's of the same number": (
        {},
        [ELSEWHERE | {"manufacturer": "dell", "hardware_hash_id": "b"}],
        PLAIN,
        PLAIN,
    ),
    "an end of an earlier program": ({"version": None}, [AGAIN | {"version": None}], PLAIN, PLAIN),
}


def derived(ended, begun=(), said=(), **options):
    return steps(
        pl.DataFrame([ENDED | ended], ENDED_TYPES),
        pl.DataFrame(list(begun), BEGUN_TYPES, orient="row"),
        pl.DataFrame(list(said), SAID_TYPES, orient="row"),
        **options,
    )


def told(frame):
    return {step: (owner, state) for step, owner, state in frame.select("step", "owner", "state").iter_rows()}


@pytest.mark.parametrize("case", CASES)
def test_the_steps_of_each_case(case):
    ended, begun, expected, to_partner = CASES[case]
    found = derived(ended, begun)
    assert told(found) == expected
    order = [step.name for step in STEPS]
    assert found["step"].to_list() == sorted(expected, key=order.index)
    assert dict(found.schema) == STEP_TYPES
    if to_partner is not None:
        assert told(derived(ended, begun, for_partners=True)) == to_partner


def test_what_people_say_holds_for_one_end_alone():
    said = [{"device_id": "old", "ended_in": 5, "step": "sync"}, {"device_id": "old", "ended_in": 4, "step": "sync"}]
    assert told(derived({}, said=said)) == PLAIN | {"sync": ("customer", "done")}
    assert told(derived({"version": 9}, said=said)) == PLAIN
    unknown = [{"device_id": "old", "ended_in": None, "step": "sync"}]
    assert told(derived({"version": None}, said=unknown)) == PLAIN | {"sync": ("customer", "done")}
    done_and_back = derived({}, [AGAIN | {"version": 6}], said)
    assert done_and_back["step"].to_list() == ["deregister", "sync", "new_hash"]


def test_texts_name_one_system_a_sentence_and_never_have_the_directorys_object_deleted():
    names = [("Intune",), ("Autopilot",), ("Entra",), ("Active Directory",)]
    for text in [*(step.text for step in STEPS), BY_CUSTOMER_TEXT]:
        for sentence in re.split(r"(?<=[.])\s", text):
            assert sum(any(name in sentence for name in system) for system in names) <= 1, sentence
            assert not re.search(r"delete|remove", sentence, re.IGNORECASE) or "Entra" not in sentence.replace(
                "Remove nothing by hand in Microsoft Entra ID", ""
            )
        assert "directory object" not in text.lower()
    assert {step.system for step in STEPS} == set(SYSTEMS)
    assert all(
        step.after is None or step.after in [other.name for other in STEPS[:at]] for at, step in enumerate(STEPS)
    )


def read_list(night, partner="contoso"):
    data = (night.result.folder / "report" / partner / "departures.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b'"\r\n')
    return list(csv.DictReader(data.decode("utf-8-sig").splitlines()))


def leave(world, *devices, reason="", path=HERE + "departures/out.csv"):
    rows = [{SERIAL: device.serial, "Departure Reason": reason} for device in devices]
    world.deliver(path, *rows, header=(SERIAL, "Departure Reason"))


def registered(world, *devices, path=HERE + "a.csv"):
    world.deliver(path, *({HASH: capture(device)} for device in devices))
    return dict(world.run().registered.select("hash_serial_number", "device_id").rows())


def asked(world, *arguments):
    return CliRunner().invoke(cli, ["registry", *arguments, "--registry", str(world.registry)])


def existing(serial, **cells):
    told = {"tenant_id": TENANT, "registered_via": "partner_center", "manufacturer": "HP", "model": "EliteBook"}
    return told | {"serial_number": serial} | cells


def test_two_nights_with_the_command(world):
    sold, repaired, moved = (world.factory.device() for _ in range(3))
    ids = registered(world, sold, repaired, moved)
    leave(world, sold, repaired, reason="repair")
    leave(world, moved, path=HERE + "departures/moved.csv")
    world.deliver(HERE + "b.csv", {HASH: capture(with_board(repaired, world.factory))})
    world.deliver(f"northwind/{OTHER_TENANT}/c.csv", {HASH: capture(moved)})
    night = world.run()
    assert night.manifest["reasons"] == {}
    found = pl.read_parquet(night.result.folder / "steps.parquet")
    by_device = {key[0]: told(rows) for key, rows in found.group_by("device_id")}
    assert by_device == {
        ids[sold.serial]: PLAIN | {"new_hash": ("partner", "open")},
        ids[repaired.serial]: PLAIN | {"new_hash": ("partner", "done")},
        ids[moved.serial]: PLAIN | {"new_registration": ("partner", "done")},
    }
    assert set(found.select("tenant_id", "partner_id").rows()) == {(TENANT, "contoso")}
    rows = read_list(night)
    assert {row["Serial number"] for row in rows} == {sold.serial, repaired.serial, moved.serial}
    assert len([row for row in rows if row["Serial number"] == moved.serial]) == len(PLAIN)
    assert read_list(night, "northwind") == []
    for name in ("departures.csv", "report.json"):
        assert OTHER_TENANT not in (night.result.folder / "report" / "contoso" / name).read_text()
    listed = json.loads(asked(world, "steps", "--format", "json").output)
    is_open = found.filter(state="open").sort("device_id", "step")
    assert pl.DataFrame(listed, STEP_TYPES).sort("device_id", "step").equals(is_open)


def test_nothing_remains_where_nothing_left(world):
    night = world.run()
    assert dict(pl.read_parquet_schema(night.result.folder / "steps.parquet")) == STEP_TYPES
    assert asked(world, "steps").output == "0 steps of 0 devices are open\n"


@pytest.fixture
def left(world):
    """Serial number and id of a device that has left, and the id of another tenant's that has."""
    places = {"5CG0000AAA": TENANT, "5CG0000BBB": OTHER_TENANT}
    world.import_existing(*(existing(serial, tenant_id=tenant) for serial, tenant in places.items()))
    registry = Registry.open(world.registry, create=False)
    ids = dict(registry.live().select("serial_number", "device_id").collect().rows())
    remove_devices(registry, list(ids.values()), "sold", AS_OF)
    return "5CG0000AAA", *(ids[serial] for serial in places)


def opened(world):
    return Registry.open(world.registry, create=False)


def test_a_step_that_somebody_says_is_done(world, left):
    serial, device_id, other_id = left
    said = asked(world, "steps", "done", device_id.upper(), "sync", "--by", "Ada of the helpdesk")
    assert (said.exit_code, said.output) == (0, "recorded\n")
    version = opened(world).version
    again = asked(world, "steps", "done", device_id, "sync", "--by", "Bob", "--format", "json")
    assert (again.exit_code, json.loads(again.output)) == (0, {"recorded": False})
    assert asked(world, "steps", "done", device_id, "deregister", "--by", "Bob").output.startswith("was done already")
    assert opened(world).version == version
    kept = opened(world).steps_done().select("device_id", "step", "said_by").rows()
    assert kept == [(device_id, "sync", "Ada of the helpdesk")]
    text = asked(world, "steps", "--tenant", TENANT.upper()).output
    assert f"device {device_id}, serial number {serial}, tenant {TENANT}\n" in text
    assert "4 steps of 1 devices are open" in text
    assert "  sync" not in text
    assert other_id not in text
    rows = asked(world, "steps", "--format", "csv").output.lstrip("\ufeff").splitlines()
    assert len(list(csv.DictReader(rows))) == 9
    assert asked(world, "steps", "--tenant", "nobody").output == "0 steps of 0 devices are open\n"


def test_what_is_said_outlives_compaction_and_a_return_begins_anew(world):
    device = world.factory.device()
    world.import_existing(existing(device.serial, manufacturer=device.maker, model=device.model))
    device_id = opened(world).live().collect()["device_id"].item()
    remove_devices(opened(world), [device_id], "sold", AS_OF)
    for step in ("sync", "unassign_user"):
        say_done(opened(world), device_id, step, "Ada", AS_OF)
    before = opened(world).steps_done().sort("step")
    compact(opened(world))
    assert len(opened(world).request_files()) == 1
    assert not opened(world).keeps_requests
    assert vacuum(opened(world), 0, dry_run=False).files
    assert opened(world).steps_done().sort("step").equals(before)
    assert verify(opened(world)) == []
    assert open_steps(opened(world))["step"].to_list() == ["delete_from_intune", "entra_object", "computer_object"]
    back = registered(world, device)[device.serial]
    assert open_steps(opened(world)).is_empty()
    remove_devices(opened(world), [back], "sold", AS_OF)
    found = open_steps(opened(world))
    assert set(found["device_id"]) == {back}
    assert found.height == 5


def test_what_is_refused_says_what_is_known(world, left):
    device_id = left[1]
    world.import_existing(existing("5CG0000CCC"))
    live = opened(world).live().collect()["device_id"].item()
    version = opened(world).version
    cases = {
        ("stranger", "sync", "Ada"): "device stranger: not in the registry",
        (live, "sync", "Ada"): "is registered, and nothing remains",
        (device_id, "dance", "Ada"): r"expected one of delete_from_intune \(open\), .*deregister \(done\)",
        (device_id, "sync", " "): "by: empty",
    }
    for (device, step, by), message in cases.items():
        with pytest.raises(UsageError, match=message):
            say_done(opened(world), device, step, by, AS_OF)
    misplaced = asked(world, "steps", "--tenant", TENANT, "done", device_id, "sync", "--by", "Ada")
    assert "--tenant: stands before done" in str(misplaced.exception)
    assert opened(world).version == version


def test_of_two_writers_one_is_told_to_start_again(world, left):
    stale = opened(world)
    world.run()
    with pytest.raises(RegistryConflict):
        say_done(stale, left[1], "sync", "Ada", AS_OF)
    assert opened(world).steps_done().is_empty()
    assert say_done(stale.reopened(), left[1], "sync", "Ada", AS_OF)


def test_an_operators_removal_of_the_customers_own_and_no_run_is_taken_for_known(world):
    world.import_existing(existing("5CG0000AAA", registered_via="intune"))
    device_id = opened(world).live().collect()["device_id"].item()
    remove_devices(opened(world), [device_id], "sold", AS_OF)
    found = open_steps(opened(world))
    assert told(found.filter(step="deregister")) == {"deregister": ("customer", "open")}
    assert found["text"][2] == BY_CUSTOMER_TEXT
    assert found["partner_id"].to_list() == [None] * 6
    say_done(opened(world), device_id, "deregister", "Ada", AS_OF)
    assert open_steps(opened(world)).height == 5
    assert not opened(world).keeps_requests
