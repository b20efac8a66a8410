"""What the command line says of devices that leave: before delivery, in a run, and by the operator's own hand."""

import json

import pytest

from pipeline.errors import UsageError
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from pipeline.registry.removing import read_ids, remove_devices
from tests.cli.running import command
from tests.conftest import AS_OF, OTHER_TENANT, TENANT

SERIAL, HASH = INTUNE[0], INTUNE[2]


@pytest.fixture
def registered(world):
    """Two devices of one tenant, registered: by serial number their ids."""
    world.deliver(f"contoso/{TENANT}/a.csv", *({HASH: capture(world.factory.device())} for _ in range(2)))
    return dict(world.run().registered.select("hash_serial_number", "device_id").rows())


def test_check_judges_departures_by_the_folder(world, registered):
    serial = next(iter(registered))
    header = (SERIAL, "Departure Reason")
    for folder in (f"contoso/departures/{TENANT}", f"contoso/{TENANT}/departures"):
        world.deliver(f"{folder}/out.csv", {SERIAL: serial}, {SERIAL: "PF3NOBODY"}, header=header)
    paths = sorted((world.inbox / "contoso").rglob("departures/**/out.csv"))
    done = command(
        *("check", *paths, "--reference", "reference", "--registry", "registry", "--format", "json"), cwd=world.home
    )
    told = {(one["source_file"], one["source_line"]): one["reasons"] for one in json.loads(done.stdout)["findings"]}
    assert {place: codes for place, codes in told.items() if codes} == {
        (str(paths[0]), 3): ["NOT_REGISTERED"],
        (str(paths[1]), 3): ["NOT_REGISTERED"],
        (str(paths[1]), 2): ["DUPLICATE_IN_BATCH"],
    }
    alone = command("check", paths[0], "--format", "json", cwd=world.home)
    assert json.loads(alone.stdout)["rows"] == {"read": 2, "accepted": 2, "rejected": 0}


def test_check_says_what_has_left(world, registered):
    remove_devices(Registry.open(world.registry, create=False), list(registered.values()), "returned", AS_OF)
    again = world.inbox / "contoso" / TENANT / "a.csv"
    again.write_bytes(again.read_bytes() + b"\r\n,,,,\r\n")
    done = command("check", again, "--registry", "registry", "--format", "json", cwd=world.home)
    assert [one["reasons"] for one in json.loads(done.stdout)["findings"]] == [["DEVICE_LEFT"]] * 2


def test_the_operators_departure_by_a_file_of_ids(world, registered):
    ids = list(registered.values())
    path = world.home / "ids.csv"
    path.write_text("\ufeffDevice ID,note\n" + f"{ids[0].upper()},old\n,\n", encoding="utf-8")
    remove = ("registry", "remove", "--ids", "ids.csv", "--reason", "lost", "--tenant")
    assert command(*remove, OTHER_TENANT, cwd=world.home).returncode == 2
    assert command(*remove, TENANT, "--dry-run", cwd=world.home).stdout == "1 would be removed\n"
    assert command(*remove, TENANT.upper(), ids[1], cwd=world.home).stdout == "2 removed\n"
    assert command("registry", "remove", "--reason", "lost", cwd=world.home).returncode == 2


def test_what_removing_refuses(world, registered):
    registry = Registry.open(world.registry, create=False)
    ids = list(registered.values())
    for wanted, options in (([*ids, "stranger"], {}), (ids, {"tenant": OTHER_TENANT})):
        with pytest.raises(UsageError, match="nothing was removed"):
            remove_devices(registry, wanted, "lost", AS_OF, **options)
    (world.home / "odd.csv").write_text("serial\nx\n")
    with pytest.raises(UsageError, match=r"odd\.csv:1: found the columns serial"):
        read_ids(world.home / "odd.csv")
    assert Registry.open(world.registry, create=False).version == registry.version
