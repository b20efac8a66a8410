import re
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from pipeline.registry import Registry
from tests.conftest import make_world
from tests.faults.killing import (
    deliver_devices,
    finish,
    follow,
    kill_nights,
    require_exactly_once,
    start,
)

CALLS = ("fsync", "linkat", "unlink", "rename", "mkdir", "unlinkat", "rmdir")
"""What a commit and a publication are made of; a kill falls before each of them."""


def test_a_kill_at_any_time_loses_and_doubles_nothing(world, capsys):
    kills = 2
    committed = kill_nights(world, kills, seed=11)
    follow(world, "morning")
    with capsys.disabled():
        print(f"\nkilled before the commit: {kills - committed}, after it: {committed}")  # noqa: T201 - wants to be known
    require_exactly_once(world, 2 * (kills + 1))


@pytest.mark.long
def test_a_thousand_kills(tmp_path, factory, request, capsys):
    kills, seed = request.config.getoption("--kills"), request.config.getoption("--seed")
    rounds, each = -(-kills // 50), 50
    before = after = 0
    for at in range(rounds):
        home = tmp_path / str(at)
        home.mkdir()
        world = make_world(home, factory)
        committed = kill_nights(world, each, seed * 1_000 + at)
        before, after = before + each - committed, after + committed
        finals = [start(world, f"morning-{number}") for number in range(2)]
        for final in finals:
            finish(final)
        require_exactly_once(world, 2 * (each + 1))
        shutil.rmtree(home)
        with capsys.disabled():
            print(f"\n{before + after} kills: {before} before the commit, {after} after it", end="")  # noqa: T201
    assert min(before, after) > kills // 10


def traced_calls(world):
    """How often the busiest thread of a run makes each call: the tracer counts for each thread alone."""
    log = world.home / "calls.txt"
    finish(start(world, "traced", before=("strace", "-f", "-qq", f"-etrace={','.join(CALLS)}", "-o", str(log))))
    counted = Counter(re.findall(r"^(\d+) +(\w+)\(", log.read_text(), re.MULTILINE))
    return {call: max(number for (_, made), number in counted.items() if made == call) for call in CALLS}


def kill_at(world, call, number, devices):
    """Kill a run before its n-th call of a kind, and let another one follow."""
    run_id = f"{call}-{number}"
    deliver_devices(world, 1, name=run_id)
    inject = ("strace", "-f", "-qq", "-o", "/dev/null", f"-etrace={call}", f"-einject={call}:signal=KILL:when={number}")
    victim = start(world, run_id, before=inject)
    victim.communicate(timeout=120)
    committed = Registry.open(world.registry, create=False).committed(run_id) is not None
    told = follow(world, f"{run_id}-after")
    require_exactly_once(world, devices)
    return victim.returncode != 0, committed, told


def require_strace():
    tracer = shutil.which("strace")
    if tracer is None or subprocess.run([tracer, "-qq", "true"], capture_output=True, check=False).returncode:
        pytest.skip("processes may not be traced on this machine")


rarely = partial(pytest.param, marks=pytest.mark.long)


@pytest.mark.parametrize(
    ("call", "number", "reached"),
    [
        rarely("rename", 1, "before"),  # the workspace gets its name
        rarely("rename", 2, "before"),  # a data file gets its name
        rarely("rename", 4, "before"),  # a file of a set gets its name
        rarely("rename", 5, "before"),  # that a run can be moved to its place is tried
        ("linkat", 1, "before"),  # the commit
        ("rename", 7, "committed"),  # its run.json as it is after the commit
        rarely("rename", 8, "committed"),  # the folder of the run
        rarely("rename", 9, "committed"),  # its run.json
        rarely("rename", 10, "published"),  # the note of the registry that it is published
        rarely("rename", 11, "published"),  # that of the output
        rarely("rename", 12, "published"),  # the page of all runs
        rarely("rename", 13, "published"),  # the end of the workspace
    ],
)
def test_a_kill_around_the_commit_and_the_publication(world, call, number, reached):
    require_strace()
    deliver_devices(world, 1, name="first")
    follow(world, "first")
    killed, was_committed, told = kill_at(world, call, number, devices=2)
    assert killed
    assert was_committed == (reached != "before")
    assert ("it is published now" in told) == (reached == "committed")


@pytest.mark.long
def test_a_kill_at_every_call_of_the_commit_and_the_publication(world, capsys):
    require_strace()
    # Only a first run makes the folders that all share.
    deliver_devices(world, 1, name="first")
    follow(world, "first")
    deliver_devices(world, 1, name="traced")
    calls = traced_calls(world)
    points = [(call, number) for call in CALLS for number in range(1, calls[call] + 1)]
    committed = 0
    for at, (call, number) in enumerate(points):
        killed, after, _ = kill_at(world, call, number, devices=at + 3)
        assert killed, (call, number)
        committed += after
    with capsys.disabled():
        print(f"\n{len(points)} kills, {committed} after the commit: {dict(calls)}")  # noqa: T201 - wants to be known


def race(world, number, racers=3):
    deliver_devices(world, 2, name=f"race-{number:04d}")
    with ThreadPoolExecutor(racers) as pool:
        told = list(pool.map(lambda racer: finish(start(world, f"race-{number}-{racer}")), range(racers)))
    return sum("matching again" in one for one in told)


@pytest.mark.long
def test_two_hundred_races_of_three_writers(world, request, capsys):
    races = request.config.getoption("--races")
    Registry.open(world.registry, create=True)
    again = 0
    for number in range(races):
        again += race(world, number)
    require_exactly_once(world, 2 * races)
    with capsys.disabled():
        print(f"\n{races} races of 3 writers, {again} matched again")  # noqa: T201 - wants to be known
