"""Nights on a real cluster: what they leave is what this machine alone leaves."""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from pipeline.lab.synthesize.night import AS_OF
from tests.cli.running import command
from tests.spark.comparing import require_nothing_left, require_same

DATA = Path(__file__).parents[2] / "data"


SECRET = "never-to-be-seen-7f3a"  # noqa: S105 - of nobody
COMMAND = (sys.executable, "-m", "pipeline")


def of_data(home):
    """The night that the README begins with."""
    for name in ("inbox", "reference"):
        shutil.copytree(DATA / name, home / name)
    shutil.copy(DATA / "existing_devices.csv", home)


def of_many(home):
    """A made-up night with departures, of many small files and one that is read in parts."""
    made = command("synthesize", "night", "--rows", 5000, "--existing", 500, "--seed", 7, cwd=home.parent)
    assert made.returncode == 0, made.stderr
    shutil.copytree(home.parent / "night", home, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Nights that this machine worked alone, each beside a copy of how it was before; by what lays them out."""
    made = {}

    def night(lay_out):
        if lay_out not in made:
            home = made[lay_out] = tmp_path_factory.mktemp("night")
            lay_out(home / "alone")
            imported = command("registry", "import", "existing_devices.csv", cwd=home / "alone")
            assert imported.returncode in {0, 1}, imported.stderr
            shutil.copytree(home / "alone", home / "before")
            done = command("run", "inbox", *options("night"), cwd=home / "alone")
            assert done.returncode == 0, done.stderr
        return made[lay_out]

    return night


def options(run_id):
    return ("--run-id", run_id, "--as-of", AS_OF)


def begun(cluster, home, master, *more, command=COMMAND):
    """The real command at work, whose executors find no program but the one that it brings."""
    return subprocess.Popen(
        [*command, "run", "inbox", *options("night"), "--engine", "spark", "--spark-master", master, *more],
        cwd=home,
        env=cluster.environment | {"AWS_SECRET_ACCESS_KEY": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    """What it told on standard output, once it is done."""
    told, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    return told


def laid_out(nights, lay_out, place):
    """A night before it was worked, and the same worked by this machine alone."""
    home = nights(lay_out)
    shutil.copytree(home / "before", place / "home")
    return place / "home", home / "alone"


rarely = partial(pytest.param, marks=pytest.mark.long)


@pytest.mark.parametrize("lay_out", [of_data, rarely(of_many)])
def test_a_night_is_the_same_on_a_cluster(cluster, nights, tmp_path, lay_out):
    home, alone = laid_out(nights, lay_out, tmp_path)
    told = finished(begun(cluster, home, cluster.url, "--format", "json"))
    assert json.loads(told)["engine"] == "spark"
    require_same(home, "night", alone, "night")
    require_nothing_left(home)
    assert b"spark.executorEnv.POLARS_MAX_THREADS" in cluster.written()
    assert SECRET.encode() not in cluster.written()


@pytest.mark.parametrize("lay_out", [of_many, rarely(of_data)])
def test_a_night_is_the_same_over_connect(cluster, nights, tmp_path, lay_out):
    home, alone = laid_out(nights, lay_out, tmp_path)
    with cluster.connect() as address:
        finished(begun(cluster, home, address))
    require_same(home, "night", alone, "night")
    require_nothing_left(home)


def test_a_session_that_is_active_keeps_what_an_executor_promises(cluster, nights, tmp_path):
    home, alone = laid_out(nights, of_many, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "tests.spark.contract", cluster.url, tmp_path],
        cwd=home,
        env=cluster.environment | {"PYTHONPATH": str(DATA.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["results"] == [[[1], 1], [[2], 4], [[3], 9]]
    assert "/autopilot_intake-" in told["program"], "from the archive, whatever is installed"
    assert told["threads"] == 1
    assert (told["first"], told["second"]) == (["first"] * 4, ["second"] * 4)
    assert told["left alone"] > 0, "modules are not looked through by a collection after each task"
    assert told["full"] == [["OSError", "[Errno 28] No space left on device"], 1], "an answer, and not tried again"
    (kind, message), tries = told["bug"]
    assert kind == "Fault"
    assert message.startswith("this is a bug (ZeroDivisionError at <string>:2 on an executor); nothing of this run was")
    assert tries == 4
    assert told["lacking"][1].startswith("executors cannot import no_such_library; nothing was published")
    assert told["dies"] == [None, 2]
    assert told["nowhere"][1].startswith(f"{tmp_path}/nowhere: is not there where executors work; nothing was")
    assert [path.name for path in tmp_path.glob("tasks-*")] == []
    assert told["still there"] == 3
    require_same(home, "night", alone, "night")
    require_nothing_left(home)
