"""A real standalone cluster on this machine: a master and two workers, which only this machine reaches."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import pytest

_SETTINGS = {
    "spark.executor.cores": "1",
    "spark.executor.memory": "512m",
    "spark.cores.max": "2",
    "spark.driver.memory": "512m",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.master.rest.enabled": "false",
}
_DEPLOY = "org.apache.spark.deploy"
_SECONDS = 120


def require_spark():
    """Skip where there is no Spark, or nothing that it runs on."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("Java is not installed: .ci/run installs it")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < 17:
        pytest.skip("Java is older than 17: .ci/run installs a newer one")
    if find_spec("pyspark") is None or find_spec("grpc") is None:
        pytest.skip("pyspark is not installed: .ci/run installs it")


@dataclass
class Cluster:
    """A cluster at work.

    Attributes:
        folder: where it keeps its logs.
        environment: of every process of it, and of those that submit to it.
        url: of the master.
        workers: its two workers, each with the executors below it.
    """

    folder: Path
    environment: dict[str, str]
    url: str
    workers: list[subprocess.Popen]

    def written(self):
        """All that it has logged so far, and what its pages are made of."""
        logs = [*self.folder.rglob("*.log"), *self.folder.rglob("std*"), *self.folder.glob("events/**/*")]
        return b"".join(path.read_bytes() for path in logs if path.is_file())

    def start_worker(self, number):
        place = self.folder / f"worker-{number}"
        options = ("--host", "127.0.0.1", "--webui-port", "0", "--cores", "2", "--memory", "3g", "-d", str(place))
        return start(self.folder, self.environment, f"worker-{number}", f"{_DEPLOY}.worker.Worker", *options, self.url)

    @contextmanager
    def connect(self):
        """A server of Spark Connect, whose driver has the cluster work; its address."""
        name = "org.apache.spark.sql.connect.service.SparkConnectServer"
        options = ("--master", self.url, "--conf", "spark.connect.grpc.binding.address=127.0.0.1")
        submit = ("org.apache.spark.deploy.SparkSubmit", *options, "--conf", "spark.connect.grpc.binding.port=0")
        # A server has the memory of a daemon, and this one drives the work as well.
        environment = self.environment | {"SPARK_DAEMON_MEMORY": "512m"}
        server = start(self.folder, environment, "connect", *submit, "--class", name, "spark-internal")
        try:
            port = told(self.folder / "connect.log", r"Spark Connect server started at: \S*?:(\d+)", server)
            yield f"sc://127.0.0.1:{port}"
        finally:
            stop([server])


def start(folder, environment, name, *command):
    """A process of Spark, whose log has its name; it ends with SIGTERM."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [Path(environment["SPARK_HOME"]) / "bin" / "spark-class", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
        )


def told(log, pattern, process, times=1):
    """What a log says at last."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        found = re.findall(pattern, log.read_text(errors="replace"))
        if len(found) >= times:
            return found[0]
        assert process.poll() is None, log.read_text(errors="replace")
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))


def stop(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment_of(folder, more):
    """That of this process, and more; no path of this checkout: executors have the program from the driver alone."""
    (folder / "conf").mkdir()
    (folder / "events").mkdir()
    events = {"spark.eventLog.enabled": "true", "spark.eventLog.compress": "false"}
    events |= {"spark.eventLog.dir": f"file://{folder / 'events'}"}
    lines = "".join(f"{name} {value}\n" for name, value in (_SETTINGS | events).items())
    (folder / "conf" / "spark-defaults.conf").write_text(lines)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return (
        kept
        | more
        | {
            "SPARK_HOME": str(Path(find_spec("pyspark").origin).parent),
            "SPARK_CONF_DIR": str(folder / "conf"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_NO_DAEMONIZE": "1",
            "PYSPARK_PYTHON": sys.executable,
        }
    )


@contextmanager
def cluster_in(folder, more=MappingProxyType({})):
    """A cluster that is gone at the end; its processes have more in their environment."""
    require_spark()
    environment = environment_of(folder, dict(more))
    options = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
    master = start(folder, environment, "master", f"{_DEPLOY}.master.Master", *options)
    made = Cluster(folder, environment, "", [])
    try:
        made.url = told(folder / "master.log", r"Starting Spark master at (\S+)", master)
        made.workers += [made.start_worker(number) for number in range(2)]
        told(folder / "master.log", "Registering worker", master, times=2)
        yield made
    finally:
        with suppress(ProcessLookupError):
            stop([*made.workers, master])
