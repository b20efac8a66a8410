"""Nights of arrivals and departures that are killed, and writers that race for one device."""

import random
import signal
import subprocess
import sys
import time

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import recaptured
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from schemas.registry import DEREGISTERED, REGISTERED
from tests.conftest import TENANT, make_world
from tests.faults.killing import finish, follow, leftovers, seconds_of_a_night, start

HASH = INTUNE[2]
HERE = f"contoso/{TENANT}"
PLACES = ("--registry", "registry", "--reference", "reference", "--output", "runs")


def events(world):
    """Of each registration its events, in order."""
    told = Registry.open(world.registry, create=False).scan().select("device_id", "event", "version").collect()
    found = {}
    for device_id, event, _ in told.sort("version", maintain_order=True).rows():
        found.setdefault(device_id, []).append(event)
    return found


def require_whole(world, registered, left):
    """Each registration was made once, and each that should end ended once."""
    told = list(events(world).values())
    assert sorted(told) == sorted([[REGISTERED, DEREGISTERED]] * left + [[REGISTERED]] * (registered - left))
    assert leftovers(world) == []


def kill_nights(world, kills, seed):
    """Each night registers a device and ends the registration of the night before; returns how many were committed."""
    source = random.Random(seed)
    Registry.open(world.registry, create=True)
    device = world.factory.device()
    world.deliver(f"{HERE}/first.csv", {HASH: capture(device)})
    follow(world, "first")
    whole = seconds_of_a_night(world)
    committed = 0
    for night in range(kills):
        coming = world.factory.device()
        world.deliver(f"{HERE}/in-{night:04d}.csv", {HASH: capture(coming)})
        world.put(f"{HERE}/departures/out-{night:04d}.csv", f"{device.serial}\n".encode())
        victim = start(world, f"night-{night}")
        time.sleep(source.uniform(0.45, 1.1) * whole)
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        if Registry.open(world.registry, create=False).committed(f"night-{night}") is None:
            # The device that comes must be registered before the night in which it leaves.
            follow(world, f"night-{night}-again")
        else:
            committed += 1
        device = coming
    return committed


@pytest.mark.parametrize("kills", [1, pytest.param(300, marks=pytest.mark.long)])
def test_kills_over_nights_with_departures_lose_and_double_nothing(world, kills, capsys):
    committed = kill_nights(world, kills, seed=12)
    follow(world, "morning")
    with capsys.disabled():
        print(f"\n{kills} kills, {committed} after the commit", end="")  # noqa: T201 - wants to be known
    require_whole(world, kills + 1, kills)


def race(world, number):
    """Of a registered device a departure and a new capture come in two deliveries, each run by a writer of its own."""
    device = world.factory.device()
    world.deliver(f"{HERE}/before-{number}.csv", {HASH: capture(device)})
    world.run(run_id=f"before-{number}")
    inboxes = {"in": world.home / f"in-{number}", "out": world.home / f"out-{number}"}
    for inbox in inboxes.values():
        (inbox / HERE / "departures").mkdir(parents=True)
    (inboxes["out"] / HERE / "departures" / "a.csv").write_text(f"{device.serial}\n")
    again = capture(recaptured(device, world.factory))
    (inboxes["in"] / HERE / "a.csv").write_text(f"{','.join(INTUNE)}\n,,{again},,\n")
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "pipeline", "run", inbox.name, "--run-id", f"{name}-{number}", *PLACES],
            cwd=world.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, inbox in inboxes.items()
    ]
    return sum("matching again" in finish(racer) for racer in racers)


@pytest.mark.parametrize("races", [pytest.param(1), pytest.param(50, marks=pytest.mark.long)])
def test_a_departure_and_a_registration_race_for_one_device(tmp_path, factory, races, capsys):
    world = make_world(tmp_path, factory)
    again = sum(race(world, number) for number in range(races))
    told = list(events(world).values())
    with capsys.disabled():
        print(f"\n{races} races, {again} matched again", end="")  # noqa: T201 - wants to be known
    # Whoever came first: the old registration ended once, and the new capture came after it, or found it registered.
    assert told.count([REGISTERED, DEREGISTERED]) == races
    assert all(one in ([REGISTERED, DEREGISTERED], [REGISTERED]) for one in told)
    assert len(told) <= 2 * races
    assert leftovers(world) == []
