"""What `doctor` says of a cluster, and what is said where there is none."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import command
from tests.spark.cluster import require_spark


@pytest.fixture
def home(tmp_path):
    made = command("init", "home", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (tmp_path / "home" / "inbox" / "contoso").mkdir(parents=True)
    (tmp_path / "home" / "registry").mkdir()
    (tmp_path / "home" / "runs").mkdir(exist_ok=True)
    return tmp_path / "home"


def looked_at(cluster, home, master, **environment):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipeline",
            "doctor",
            "--engine",
            "spark",
            "--spark-master",
            master,
            "--format=json",
        ],
        cwd=home,
        env=cluster.environment | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    (told,) = [one for one in json.loads(done.stdout) if one["check"] == "executors"]
    return told["level"], told["told"]


def test_doctor_tells_what_executors_have_and_reach(cluster, home):
    level, told = looked_at(cluster, home, cluster.url)
    assert level == "ok", told
    assert told.startswith(f"Python {sys.version.split()[0]} and ")
    assert told.endswith(f"libraries as here, folders are reached ({socket.gethostname()})")
    assert list(home.rglob(".doctor-*")) == []


def test_doctor_tells_what_executors_lack(cluster, home, tmp_path):
    # A Python that has what Spark itself needs, and nothing else of ours.
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    own = next(Path(path) for path in sys.path if (Path(path) / "pyarrow").is_dir())
    there = next(bare.glob("lib/python*/site-packages"))
    for name in ("pyarrow", "pandas", "numpy", "pytz", "dateutil", "six.py", "tzdata", "numpy.libs", "pandas.libs"):
        if (own / name).exists():
            (there / name).symlink_to(own / name)
    for path in own.glob("numpy-*.dist-info"):
        shutil.copytree(path, there / path.name)
    (metadata,) = there.glob("numpy-*.dist-info/METADATA")
    lines = metadata.read_text().splitlines(keepends=True)
    metadata.write_text("".join("Version: 1.0\n" if line.startswith("Version: ") else line for line in lines))
    level, told = looked_at(cluster, home, "local[1]", PYSPARK_PYTHON=str(bare / "bin" / "python"))
    assert level == "FAIL"
    assert f"{socket.gethostname()}: click is not installed; give executors the libraries of this Python" in told
    assert told.endswith(" more")


@pytest.mark.long
def test_doctor_tells_of_executors_without_python(cluster, home):
    level, told = looked_at(cluster, home, cluster.url, PYSPARK_PYTHON="/nowhere/python")
    assert level == "FAIL"
    assert told.startswith("executors cannot be asked: ")
    assert "/nowhere/python" in told


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize("scheme", ["spark", "sc"])
def test_a_cluster_that_does_not_answer_is_a_fault_and_nothing_is_published(home, scheme):
    require_spark()
    url = f"{scheme}://127.0.0.1:{free_port()}"
    done = command("run", "inbox", "--engine", "spark", "--spark-master", f"{url}", "--run-id", "night", cwd=home)
    assert done.returncode == 3
    assert f"--spark-master {url}: Connection refused; start the cluster, or name another" in done.stderr
    assert list((home / "runs").glob("*/run.json")) == []


def test_a_missing_library_is_a_fault_with_what_to_do(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    done = command("run", "inbox", "--engine", "spark", "--spark-master", "local[1]", cwd=home)
    assert done.returncode == 3
    assert "this Python has no module pyspark; run `pip install 'autopilot-intake[spark]'`" in done.stderr


def test_missing_java_is_a_fault(home, monkeypatch):
    require_spark()
    monkeypatch.delenv("JAVA_HOME", raising=False)
    done = command("run", "inbox", "--engine", "spark", "--spark-master", "local[1]", cwd=home, PATH="/nowhere")
    assert done.returncode == 3
    assert "--engine spark: there is no Java; install version 17 or newer" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--spark-master", "spark://a:7077"), "--spark-master: is of no use to this machine's own engine"),
        (("--engine", "spark", "--spark-master", "http://a"), "--spark-master http://a: expected spark://HOST:PORT"),
        (("--engine", "spark", "--spark-master", "sc://a;token=secret"), "holds a credential"),
        (("--engine", "spark", "--workers", "2"), "--workers: are processes of this machine"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(home, options, told):
    done = command("run", "inbox", *options, cwd=home)
    assert done.returncode == 2
    assert told in done.stderr
    assert "secret" not in done.stderr
