"""Settings of where a run works."""

from pipeline.settings.setting import Kind, Setting

HERE, SPARK = "polars", "spark"
"""Engines: processes of this machine, or the executors of a cluster, which do the same."""

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
