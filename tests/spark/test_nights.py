"""Nights on a real cluster: what they leave is what this machine alone leaves."""

import json
import shutil
import subprocess
import sys
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


@pytest.fixture(scope="module", params=[of_data, of_many], ids=["data", "5,000 rows"])
def night(request, tmp_path_factory):
    """A night that this machine worked alone, and a copy of how it was before."""
    home = tmp_path_factory.mktemp("night")
    request.param(home / "alone")
    imported = command("registry", "import", "existing_devices.csv", cwd=home / "alone")
    assert imported.returncode in {0, 1}, imported.stderr
    shutil.copytree(home / "alone", home / "before")
    done = command("run", "inbox", *options("night"), cwd=home / "alone")
    assert done.returncode == 0, done.stderr
    return home


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


@pytest.fixture
def submitted(cluster, night, tmp_path):
    """The same night before it was worked, and what works it on the cluster."""
    shutil.copytree(night / "before", tmp_path / "home")
    return tmp_path / "home", night / "alone"


def test_a_night_is_the_same_on_a_cluster(cluster, submitted):
    home, alone = submitted
    told = finished(begun(cluster, home, cluster.url, "--format", "json"))
    assert json.loads(told)["engine"] == "spark"
    assert b"spark.executorEnv.POLARS_MAX_THREADS" in cluster.written()
    assert SECRET.encode() not in cluster.written()
    require_same(home, "night", alone, "night")
    require_nothing_left(home)


def test_a_night_is_the_same_over_connect(cluster, submitted):
    home, alone = submitted
    with cluster.connect() as address:
        finished(begun(cluster, home, address))
    require_same(home, "night", alone, "night")
    require_nothing_left(home)
