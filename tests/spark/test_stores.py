"""A night whose folders are in an object store: what it leaves there is what this machine alone leaves."""

import json
import shutil
import subprocess
import sys

import obstore
import pytest
from obstore.store import from_url

from pipeline.storage.near import at_hand
from pipeline.storage.objects import Prefix
from pipeline.storage.places import store_at
from tests.spark.cluster import cluster_in
from tests.spark.comparing import published, recorded
from tests.spark.test_nights import COMMAND, of_data, of_many, options, rarely
from tests.stores import servers


@pytest.fixture(scope="module", params=["s3", rarely("azure")])
def stored(request, tmp_path_factory):
    """A folder of a store, and a cluster that is led there by its environment."""
    with (
        getattr(servers, request.param)() as (uri, environment, _),
        cluster_in(tmp_path_factory.mktemp("cluster"), environment) as cluster,
    ):
        yield uri, cluster


def worked(uri, home, cluster, *more):
    """The night, laid out in a folder of a store, worked there; what is on this disk meanwhile is in `scratch`."""
    for name in ("inbox", "reference"):
        for path in sorted((home / name).rglob("*")):
            if path.is_file():
                obstore.put(from_url(uri), path.relative_to(home).as_posix(), path)
    scratch = home.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    registry = ("--registry", f"{uri}/registry")
    for command, may_be in (
        (("registry", "import", "existing_devices.csv", *registry), {0, 1}),
        (("run", f"{uri}/inbox", *options("night"), *more), {0}),
    ):
        done = subprocess.run(
            [*COMMAND, *command],
            cwd=home,
            env=cluster.environment | {"TMPDIR": str(scratch)},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode in may_be, done.stderr
    assert [*scratch.iterdir()] == []
    with at_hand(f"{uri}/runs/night", bool) as folder:
        return published(folder), recorded(f"{uri}/registry")


@pytest.mark.parametrize("lay_out", [of_data, rarely(of_many)])
def test_a_night_in_a_store_is_the_same_on_a_cluster(stored, tmp_path, monkeypatch, lay_out):
    uri, cluster = stored
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    store_at.cache_clear()
    uri = f"{uri}/{lay_out.__name__}"
    lay_out(tmp_path / "home")
    shutil.copytree(tmp_path / "home", tmp_path / "alone")
    there = worked(f"{uri}/cluster", tmp_path / "home", cluster, "--engine", "spark", "--spark-master", cluster.url)
    assert there == worked(f"{uri}/alone", tmp_path / "alone", cluster)
    assert Prefix(f"{uri}/cluster/runs").names(".staging") == {}
    for value in (name for name in cluster.environment if "SECRET" in name):
        assert cluster.environment[value].encode() not in cluster.written()


def hides_folders(unshare):
    """Whether processes can have folders of their own here."""
    return unshare and subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False).returncode == 0


HIDES = pytest.mark.skipif(not hides_folders(shutil.which("unshare")), reason="no folder can be hidden here")


@pytest.mark.parametrize(
    ("command", "level", "what"),
    [
        rarely('exec {python} "$@"', "ok", "folders are reached"),
        pytest.param(
            """exec unshare -rm sh -c 'mount -t tmpfs none {near}; exec {python} "$@"' - "$@\"""",
            "FAIL",
            "{near}",
            marks=HIDES,
        ),
        (
            'exec env AWS_ENDPOINT_URL=http://127.0.0.1:9 AZURITE_BLOB_STORAGE_URL=http://127.0.0.1:9 {python} "$@"',
            "FAIL",
            "executors take credentials from their own environment",
        ),
    ],
    ids=["all is well", "what is brought near is not reached", "the store is not reached"],
)
def test_doctor_tells_what_executors_do_not_reach(stored, tmp_path, command, level, what):
    uri, cluster = stored
    near, python = tmp_path / "near", tmp_path / "python"
    near.mkdir()
    python.write_text(f"#!/bin/sh\n{command.format(near=near, python=sys.executable)}\n")
    python.chmod(0o755)
    places = [f"--{name}={uri}/{name}" for name in ("registry", "output")]
    done = subprocess.run(
        [*COMMAND, "doctor", f"{uri}/inbox", *places, "--engine=spark", "--spark-master=local[1]", "--format=json"],
        cwd=tmp_path,
        env=cluster.environment | {"TMPDIR": str(near), "PYSPARK_PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    (told,) = [one for one in json.loads(done.stdout) if one["check"] == "executors"]
    assert told["level"] == level, told
    assert what.format(near=near) in told["told"]
    assert [*near.iterdir()] == []
