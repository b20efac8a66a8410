"""Nights in which the real command is killed, and what must hold the morning after."""

import random
import signal
import subprocess
import sys
import time

import polars as pl

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from schemas.registry import REGISTERED
from tests.cli.running import command as entry_point
from tests.conftest import TENANT

HASH = INTUNE[2]


def command(run_id, *options):
    return [sys.executable, "-m", "pipeline", "run", "inbox", "--run-id", run_id, *options]


def start(world, run_id, *options, before=()):
    """The real command, at work; below another one, if that is named."""
    return subprocess.Popen(
        [*before, *command(run_id, *options)],
        cwd=world.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """What it told on standard error."""
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    return told


def follow(world, run_id):
    """A run in this process, which nobody kills; what it told on standard error."""
    done = entry_point("run", "inbox", "--run-id", run_id, cwd=world.home)
    assert done.returncode == 0, done.stderr
    return done.stderr


def deliver_devices(world, number, name="a"):
    rows = [{HASH: capture(world.factory.device())} for _ in range(number)]
    world.deliver(f"contoso/{TENANT}/{name}.csv", *rows)


def two_nights(world):
    """A registry with two nights of a device each, and their published runs."""
    for night in ("a", "b"):
        deliver_devices(world, 1, name=night)
        world.run(run_id=f"night-{night}")


def devices_in(registry):
    """Every registered device by its hash."""
    opened = Registry.open(registry, create=False)
    records = opened.scan().filter(pl.col("event") == REGISTERED).collect()
    return sorted(records["hardware_hash_id"])


def published_devices(world):
    """The same as the published runs tell it."""
    runs = sorted(path.parent for path in (world.home / "runs").glob("*/run.json"))
    sets = [pl.read_parquet(sorted((run / "registered").glob("*.parquet")), glob=False) for run in runs]
    return sorted(pl.concat(one.select("hardware_hash_id") for one in sets)["hardware_hash_id"]) if sets else []


def leftovers(world):
    """Workspaces of dead runs; one that was just begun could be a living run's, and is removed after an hour."""
    staging = world.home / "runs" / ".staging"
    return [path for path in staging.iterdir() if path.suffix != ".begun"] if staging.exists() else []


def require_exactly_once(world, devices):
    """Nothing is lost, doubled, or left unpublished."""
    registered = devices_in(world.registry)
    assert len(registered) == len(set(registered)) == devices
    assert published_devices(world) == registered
    assert leftovers(world) == []


def seconds_of_a_night(world):
    begun = time.perf_counter()
    finish(start(world, "calm", "--dry-run"))
    return time.perf_counter() - begun


def kill_nights(world, kills, seed, per_night=2):
    """Kill as many nights at random times, each with new devices; returns how many were committed by then."""
    source = random.Random(seed)
    Registry.open(world.registry, create=True)
    deliver_devices(world, per_night, name="first")
    whole = seconds_of_a_night(world)
    committed = 0
    for night in range(kills):
        deliver_devices(world, per_night, name=f"night-{night:04d}")
        victim = start(world, f"night-{night}")
        time.sleep(source.uniform(0.45, 1.1) * whole)
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        committed += Registry.open(world.registry, create=False).committed(f"night-{night}") is not None
    return committed
