"""Settings of where a run works, and which of their values fit together."""

import re

from pipeline.errors import UsageError
from pipeline.settings.setting import Kind, Setting

HERE, SPARK = "polars", "spark"
"""Engines: processes of this machine, or the executors of a cluster, which do the same."""

_MASTER = re.compile(r"(spark|k8s|sc)://.|yarn$|local(\[.+\])?$")
"""Begins the name of a cluster."""

OF_ENGINE = (
    Setting(
        "engine",
        Kind.CHOICE,
        ("run", "doctor"),
        "where the work runs: on this machine, or on a Spark cluster",
        default=HERE,
        choices=(HERE, SPARK),
    ),
    Setting(
        "spark-master",
        Kind.TEXT,
        ("run", "doctor"),
        "the cluster: spark://HOST:PORT, yarn, k8s://URL, sc://HOST:PORT (Spark Connect), local[N] for a trial",
        otherwise="that of the active session, of spark-submit, or of spark-defaults.conf",
        shape="URL",
        example='"spark://cluster.example:7077"',
    ),
    Setting(
        "workers",
        Kind.COUNT,
        ("run",),
        "worker processes that read manifests and write what is decided; 1 for none but this one",
        otherwise="one a processor, where the files are large",
        example="2",
    ),
)


def require_engine(engine: str, spark_master: str | None) -> None:
    """Refuse a cluster that cannot be one, or is of no use.

    Raises:
        UsageError: it is.
    """
    if spark_master is None:
        return
    if engine != SPARK:
        message = "--spark-master: is of no use to this machine's own engine; add --engine spark"
        raise UsageError(message)
    if "token=" in spark_master.lower() or "@" in spark_master:
        message = (
            "--spark-master: holds a credential, which others could read; let SPARK_CONNECT_AUTHENTICATE_TOKEN in "
            "the environment have it"
        )
        raise UsageError(message)
    if not _MASTER.match(spark_master):
        message = (
            f"--spark-master {spark_master.partition(';')[0]}: expected spark://HOST:PORT, yarn, k8s://URL, "
            "sc://HOST:PORT or local[N]"
        )
        raise UsageError(message)
