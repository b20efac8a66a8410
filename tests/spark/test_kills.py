"""Nights on a cluster of which processes are killed, and what must hold all the same."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.registry import Registry
from pipeline.registry.vacuuming import vacuum
from tests.cli.running import command
from tests.spark.comparing import require_nothing_left, require_same
from tests.spark.test_nights import begun, finished, of_many, options

pytestmark = pytest.mark.long

_SMALL = (
    "import pipeline.intake.schedule as schedule, pipeline.publish.sets as sets; "
    "schedule._MOST_TOGETHER, sets._LEAST = 20, 300; from pipeline.cli.main import main; main()"
)
MANY_TASKS = (sys.executable, "-c", _SMALL)
"""The command with parts and bundles of few rows, so that a small night has many tasks."""

PHASES = (
    "rows",
    "tasks-*",
    "rows/rows-*",
    "rows/bundles-*/context",
    "rows/bundles-*/*.parquet",
    "*.xlsx",
)
"""What lies in the workspace once a phase has begun: the session, reading, rows, publishing, sets, workbooks."""

_SECONDS = 600


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A night that nobody disturbed, worked by this machine, and how it was before."""
    home = tmp_path_factory.mktemp("calm")
    of_many(home / "alone")
    assert command("registry", "import", "existing_devices.csv", cwd=home / "alone").returncode in {0, 1}
    shutil.copytree(home / "alone", home / "before")
    alone(home / "alone")
    return home


def alone(home):
    """The night on this machine, cut in the same way; what it told on standard error."""
    run = [*MANY_TASKS, "run", "inbox", *options("night")]
    done = subprocess.run(run, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def below(pid):
    """All processes below one, each before those below it."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *below(child)]
    return found


def is_python(pid):
    with suppress(OSError):
        return b"pyspark" in Path(f"/proc/{pid}/cmdline").read_bytes() and not below(pid)
    return False


def wait_for(process, home, pattern):
    """Wait until something is in the workspace; False where the command ended before."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and process.poll() is None:
        if next((home / "runs").glob(f".staging/night-*/{pattern}"), None):
            return True
        time.sleep(0.01)
    return False


def kill(pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_of_cluster(cluster, kind, chance):
    """Kill a Python process, an executor with its Python processes, an executor alone, or a worker with all of it."""
    worker = chance.choice([one for one in cluster.workers if below(one.pid)] or cluster.workers)
    processes = below(worker.pid)
    if kind == "python":
        kill(chance.sample(found, 1) if (found := [pid for pid in processes if is_python(pid)]) else [])
    elif kind == "executor":
        kill(processes)
    elif kind == "executor alone":
        kill(processes[:1])
    else:
        kill([worker.pid, *processes])
        worker.wait()
        cluster.workers[cluster.workers.index(worker)] = cluster.start_worker(f"{worker.pid}-again")


def test_killed_workers_change_nothing(cluster, calm, tmp_path, request, capsys):
    chance = random.Random(request.config.getoption("--seed"))
    kills = min(request.config.getoption("--kills"), 50)
    done = dict.fromkeys(PHASES, 0)
    for number in range(kills):
        home = tmp_path / str(number)
        shutil.copytree(calm / "before", home)
        phase, kind = PHASES[number % len(PHASES)], chance.choice(["python", "executor", "executor alone", "worker"])
        night = begun(cluster, home, cluster.url, command=MANY_TASKS)
        reached = wait_for(night, home, phase)
        time.sleep(chance.uniform(0, 1))
        if reached and night.poll() is None:
            kill_of_cluster(cluster, kind, chance)
            done[phase] += 1
        finished(night)
        require_same(home, "night", calm / "alone", "night")
        require_nothing_left(home)
        shutil.rmtree(home)
        with capsys.disabled():
            print(f"\n{number + 1}: {kind} killed at {phase}; the night is the same", end="")  # noqa: T201
    assert sum(done.values()) > kills * 0.8, done


def test_a_session_that_goes_away_is_a_fault_and_nothing_is_published(cluster, calm, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(calm / "before", home)
    night = begun(cluster, home, cluster.url, command=MANY_TASKS)
    assert wait_for(night, home, "rows/rows-*")
    kill(below(night.pid))
    _, told = night.communicate(timeout=300)
    assert night.returncode == 3
    assert "error: Spark: " in told
    assert "nothing was published" in told
    assert not committed(home)
    require_nothing_left(home)
    alone(home)
    require_same(home, "night", calm / "alone", "night")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_night_that_waits_for_executors_says_so_and_can_be_ended(cluster, calm, tmp_path, number):
    home = tmp_path / "home"
    shutil.copytree(calm / "before", home)
    (tmp_path / "conf").mkdir()
    usual = (Path(cluster.environment["SPARK_CONF_DIR"]) / "spark-defaults.conf").read_text()
    (tmp_path / "conf" / "spark-defaults.conf").write_text(f"{usual}spark.executor.memory 900g\n")
    poor = replace(cluster, environment=cluster.environment | {"SPARK_CONF_DIR": str(tmp_path / "conf")})
    night = begun(poor, home, cluster.url)
    assert "Initial job has not accepted any resources" in next(
        line for line in night.stderr if line.startswith("notice: Spark: ")
    )
    night.send_signal(number)
    _, told = night.communicate(timeout=120)
    assert night.returncode == 3
    assert told.splitlines()[-1].startswith(("error: interrupted", "error: ended by SIGTERM"))
    assert not committed(home)
    require_nothing_left(home)


def committed(home):
    return Registry.open(home / "registry", create=False).committed("night") is not None


def wait_for_commit(process, home, chance):
    """Until the run is committed, and some hundredths of a second more."""
    versions = len(list((home / "registry" / "_delta_log").glob("*.json")))
    while process.poll() is None and len(list((home / "registry" / "_delta_log").glob("*.json"))) == versions:
        time.sleep(0.001)
    time.sleep(chance.choice([0, 0.01, 0.03]))


def test_killed_drivers_lose_and_double_nothing(cluster, calm, tmp_path, request, capsys):
    chance = random.Random(request.config.getoption("--seed"))
    kills = min(request.config.getoption("--kills"), 20)
    after = 0
    for number in range(kills):
        home = tmp_path / str(number)
        shutil.copytree(calm / "before", home)
        night = begun(cluster, home, cluster.url, command=MANY_TASKS)
        if number % 2:
            wait_for_commit(night, home, chance)
        else:
            wait_for(night, home, PHASES[number // 2 % len(PHASES)])
            time.sleep(chance.uniform(0, 0.5))
        gateway = below(night.pid)
        night.kill()
        night.communicate()
        was_committed = committed(home)
        after += was_committed
        until = time.monotonic() + 120
        while any(Path(f"/proc/{pid}").exists() for pid in gateway) or any(below(one.pid) for one in cluster.workers):
            assert time.monotonic() < until, "a driver that is gone has nobody work any more"
            time.sleep(0.1)
        assert ("was committed before" in alone(home)) == was_committed
        require_same(home, "night", calm / "alone", "night")
        vacuum(Registry.open(home / "registry", create=False), 0, dry_run=False)
        require_nothing_left(home)
        shutil.rmtree(home)
        with capsys.disabled():
            print(f"\n{number + 1}: killed {'after' if was_committed else 'before'} the commit", end="")  # noqa: T201
    assert 0 < after < kills
