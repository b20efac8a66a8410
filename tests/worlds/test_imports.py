import csv
import json

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import LENOVO, recaptured
from pipeline.registry import Registry
from schemas.registry import IMPORT_COLUMNS
from tests.cli.running import command
from tests.cli.test_commands import HASH, TAG
from tests.conftest import OTHER_TENANT, TENANT, read_published

pytestmark = pytest.mark.alone


def night(world, run_id):
    """Reasons by file and line, as the real command decides them."""
    done = command("run", "inbox", "--run-id", run_id, "--as-of", "2026-01-15T02:00:00Z", cwd=world.home)
    assert done.returncode == 0, done.stderr
    return read_published(world.home / "runs" / run_id, None).reasons()


def importing(world, *records, options=()):
    """What the real command says of some records."""
    with (world.home / "export.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, IMPORT_COLUMNS)
        writer.writeheader()
        writer.writerows(records)
    done = command("registry", "import", "export.csv", *options, "--format", "json", cwd=world.home)
    told = json.loads(done.stdout)
    assert done.returncode == (1 if told["refused"] or told["listed"] else 0)
    return told


def exported(device, **more):
    named = {"serial_number": device.serial, "manufacturer": device.maker, "model": device.model}
    return {"tenant_id": TENANT, "partner_id": "contoso", "registered_via": "partner_center"} | named | more


def live(world):
    return Registry.open(world.registry, create=False).live().collect()


def test_a_device_whose_export_spells_its_manufacturer_otherwise_stays_its_tenant_s(world):
    device = world.factory.device(LENOVO)
    importing(world, exported(device, manufacturer="Lenovo"))
    claim = world.deliver(f"contoso/{OTHER_TENANT}/a.csv", {HASH: capture(device)})
    assert night(world, "first")[str(claim.relative_to(world.inbox)), 2] == ["REGISTERED_OTHER_TENANT"]
    claim.unlink()
    own = world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(recaptured(device, world.factory))})
    assert night(world, "second")[str(own.relative_to(world.inbox)), 2] == ["ALREADY_REGISTERED"]
    claimed = importing(world, exported(device, manufacturer="LENOVO", tenant_id=OTHER_TENANT))
    assert [one["line"] for one in claimed["refused"]] == [2]
    assert live(world)["tenant_id"].to_list() == [TENANT]


def test_an_export_of_what_a_run_registered_makes_no_second_registration(world):
    device = world.factory.device()
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(device), TAG: "old"})
    assert night(world, "first") == {(f"contoso/{TENANT}/a.csv", 2): []}
    (known,) = live(world)["device_id"]
    told = importing(world, exported(device, group_tag="new", model="renamed by the portal"))
    assert (told["imported"], told["changed"]) == (0, 1)
    told = importing(world, exported(device, group_tag="new"))
    assert (told["changed"], told["unchanged"]) == (0, 1)
    assert live(world).select("device_id", "group_tag", "identity").rows() == [(known, "new", "hash")]
    again = world.deliver(f"contoso/{TENANT}/b.csv", {HASH: capture(recaptured(device, world.factory))})
    assert night(world, "second")[str(again.relative_to(world.inbox)), 2] == ["ALREADY_REGISTERED"]


def test_a_removed_device_is_back_only_when_its_import_says_so(world):
    device, stays = world.factory.device(), world.factory.device()
    export = (exported(device, hardware_hash=capture(device)), exported(stays))
    importing(world, *export)
    (gone,) = live(world).filter(identity="hash")["device_id"]
    command("registry", "remove", gone, "--reason", "sold", cwd=world.home)
    told = importing(world, *export)
    assert [one["line"] for one in told["refused"]] == [2]
    assert gone not in live(world)["device_id"]
    told = importing(world, *export, options=["--restore"])
    assert (told["restored"], told["unchanged"], told["refused"]) == (1, 1, [])
    again = world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(recaptured(device, world.factory))})
    assert night(world, "first")[str(again.relative_to(world.inbox)), 2] == ["ALREADY_REGISTERED"]
    history = json.loads(command("registry", "history", gone, "--format", "json", cwd=world.home).stdout)
    assert [one["event"] for one in history] == ["registered", "removed", "restored"]
