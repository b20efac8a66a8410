"""Sessions of Spark: opened where a cluster is named, or the one that is active already."""

import os
import socket
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any
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
_MB_A_CORE = 512
"""Memory that an executor's Python processes need for each task at once, beside its JVM; they take up to 450."""


class Session:
    """A session of Spark, and whether it is ours to be ended."""

    def __init__(self, master: str | None) -> None:
        """Open one, or take the active one.

        Args:
            master: the cluster; None for that of the active session, of spark-submit, or of spark-defaults.conf.

        Raises:
            UsageError: no cluster is named anywhere.
            Fault: a library or Java is missing, or the cluster does not answer.
        """
        _require(_NEEDED)
        self.spark, self._is_ours = _session(master)

    def end(self) -> None:
        """Give back what the cluster gave us; a session that was there before stays."""
        if self._is_ours:
            self.spark.stop()


def _session(master: str | None) -> "tuple[SparkSession, bool]":
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
        return _of_cluster(master), True
    except (UsageError, Fault):
        raise
    except Exception as error:
        message = f"Spark {master or ''}: {told(error)}; nothing was published; see to the cluster, then start again"
        raise Fault(message) from error


def _of_cluster(master: str | None) -> "SparkSession":
    """A session whose driver is this process; what spark-defaults.conf or spark-submit say wins against us."""
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - there on request
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    gateway = SparkContext._gateway or launch_gateway()  # noqa: SLF001 - one is left by a session before
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
        message = f"--spark-master {shown(master)}: {error.strerror or error}; start the cluster, or name another"
        raise Fault(message) from error


def shown(master: str) -> str:
    """An address without what stands behind it, which may be a token."""
    return master.partition(";")[0].partition("@")[0]


def told(error: BaseException) -> str:
    """What Spark says of an error, in a line: it begins with what went wrong, and goes on with where in Spark."""
    lines: list[Any] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
