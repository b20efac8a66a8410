"""Sessions of Spark: opened where a cluster is named, or the one that is active already."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from pipeline.engine.executor import ENVIRONMENT
from pipeline.errors import Fault, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_NEEDED = ("pyspark", "pandas", "pyarrow")
_NEEDED_TO_CONNECT = ("grpc", "grpc_status", "google.rpc")

_PORTS = {"spark": 7077, "sc": 15002}
"""Where a cluster listens that is named without its port."""

_SECONDS_TO_ANSWER = 10
_JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""JVMs pass some kilobytes on and end; a session takes 14 CPU s where compiling all of it well took 25."""

_OF_SCHEDULER = re.compile(r"(?:WARN|ERROR) TaskSchedulerImpl: (.*)")

_TELLING = (r"\[[A-Z_]{8,}[A-Z_.]*\] .*", r"ModuleNotFoundError: .*", r"\S+Exception: .*")
"""Lines of an error that say more than others, the best first."""

_LONGEST_TOLD = 400

_MB_A_CORE = 768
"""Memory that an executor's Python processes need for each task at once, beside its JVM; one takes 350, and up to 680
where it rejects all of its rows."""


class Session:
    """A session of Spark, and whether it is ours to be ended."""

    def __init__(self, master: str | None, notice: Callable[[str], None]) -> None:
        """Open one, or take the active one.

        Args:
            master: the cluster; None for that of the active session, of spark-submit, or of spark-defaults.conf.
            notice: hears of executors that are waited for, or were lost, in sentences.

        Raises:
            UsageError: no cluster is named anywhere.
            Fault: a library or Java is missing, or the cluster does not answer.
        """
        _require(_NEEDED)
        self.spark, self._is_ours = _session(master, notice)

    def bring(self, archive: Path) -> None:
        """Let executors import what an archive holds."""
        self.spark.addArtifacts(str(archive), pyfile=True)

    def each(self, number: int, work: Callable[[int], bytes]) -> dict[int, bytes]:
        """Have executors work for each number from 0 on, as the one partition of its row; what it gave for each."""
        rows = self.spark.range(0, number, 1, number).mapInArrow(_by_row(work), "number bigint, answer binary")
        return {row.number: bytes(row.answer) for row in rows.collect()}

    def end(self) -> None:
        """Give back what the cluster gave us; a session that was there before stays."""
        if self._is_ours:
            with suppress(Exception):  # one that went away cannot be ended, and that was told
                self.spark.stop()


def _by_row(work: Callable[[int], bytes]) -> Callable[[Iterator[Any]], Iterator[Any]]:
    def worked(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa  # noqa: PLC0415 - Spark has it wherever this is called

        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield pa.RecordBatch.from_pydict({"number": [number], "answer": [work(number)]})

    return worked


def _session(master: str | None, notice: Callable[[str], None]) -> "tuple[SparkSession, bool]":
    from pyspark.sql import SparkSession  # noqa: PLC0415 - there on request

    active = SparkSession.getActiveSession() if master is None else None
    if active is not None:
        return active, False
    if master is not None:
        _require_answer(master)
    try:
        if master is not None and master.startswith("sc://"):
            _require(_NEEDED_TO_CONNECT)
            from pyspark.sql.connect.session import SparkSession as Remote  # noqa: PLC0415 - there on request

            return Remote.builder.remote(master).create(), True
        return _of_cluster(master, notice), True
    except (UsageError, Fault):
        raise
    except Exception as error:
        message = f"Spark {master or ''}: {told(error)}; nothing was published; see to the cluster, then start again"
        raise Fault(message) from error


def _of_cluster(master: str | None, notice: Callable[[str], None]) -> "SparkSession":
    """A session whose driver is this process; what spark-defaults.conf or spark-submit say wins against us."""
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - there on request
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    gateway = SparkContext._gateway  # noqa: SLF001 - one is left by a session before
    if gateway is None:
        _require_java()
        os.environ.setdefault("SPARK_SUBMIT_OPTS", _JAVA_OPTIONS)
        gateway = launch_gateway(popen_kwargs={"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT})
        if gateway.proc is not None:  # spark-submit has started another one, whose output is its own
            threading.Thread(target=_listen, args=(gateway.proc.stdout, notice), daemon=True).start()
    conf = SparkConf(_jvm=gateway.jvm)
    if master is None and not conf.get("spark.master"):
        message = (
            "--engine spark: no session is active; name the cluster with --spark-master, such as spark://host:7077"
        )
        raise UsageError(message)
    if master is not None:
        conf.setMaster(master)
    cores = int(conf.get("spark.executor.cores") or 1)
    usual = {
        "spark.app.name": "autopilot-intake",
        "spark.executor.memoryOverhead": f"{_MB_A_CORE * cores}m",
        "spark.executor.extraJavaOptions": _JAVA_OPTIONS,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        **{f"spark.executorEnv.{name}": value for name, value in ENVIRONMENT.items()},
    }
    for name, value in usual.items():
        conf.setIfMissing(name, value)
    # Executors take what this variable says; the setting alone counts only below spark-submit.
    os.environ.setdefault("PYSPARK_PYTHON", conf.get("spark.pyspark.python") or sys.executable)
    context = SparkContext(conf=conf, gateway=gateway)
    return SparkSession(context)


def _listen(stream: BinaryIO, notice: Callable[[str], None]) -> None:
    """Pass on what the scheduler says; most of the rest of what Spark logs is of no use to who runs a night."""
    for line in stream:
        if found := _OF_SCHEDULER.search(line.decode("utf-8", "replace")):
            notice(f"Spark: {found[1]}")


def _require_java() -> None:
    if not (os.environ.get("JAVA_HOME") or shutil.which("java") or "PYSPARK_GATEWAY_PORT" in os.environ):
        message = "--engine spark: there is no Java; install version 17 or newer, or let JAVA_HOME name one"
        raise Fault(message)


def _require(modules: tuple[str, ...]) -> None:
    for name in modules:
        try:
            import_module(name)
        except ImportError as error:
            message = (
                f"--engine spark: this Python has no module {name}; run `pip install 'autopilot-intake[spark]'`, and "
                "ask `autopilot-intake doctor --engine spark` what else is missing"
            )
            raise Fault(message) from error


def _require_answer(master: str) -> None:
    """Ask whether anybody listens, where the address says where: Spark itself would try for minutes."""
    parts = urlsplit(master.partition(",")[0])
    if parts.scheme not in _PORTS:
        return
    try:
        socket.create_connection((parts.hostname, parts.port or _PORTS[parts.scheme]), _SECONDS_TO_ANSWER).close()
    except OSError as error:
        message = (
            f"--spark-master {master.partition(';')[0]}: {error.strerror or error}; start the cluster, or name another"
        )
        raise Fault(message) from error


def told(error: BaseException) -> str:
    """What Spark says of an error, in a line: its own code, what a Python process lacks, what a JVM says of it."""
    text = str(error)
    found = next((found for telling in _TELLING if (found := re.search(telling, text, re.MULTILINE))), None)
    return f"{type(error).__name__}: {(found[0] if found else text)[:_LONGEST_TOLD]}".replace("\n", " ")
