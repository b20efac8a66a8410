"""What a night on a cluster costs beside the same on this machine: CPU of those that execute tasks, and all else."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from pipeline.engine import Spark
from pipeline.match.keys import BLOCKING_TYPES, with_blocking_keys
from pipeline.registry import LookingByTasks, Registry
from tests.benchmarks.deliveries import unlike
from tests.benchmarks.metering import inbox_of
from tests.benchmarks.registries import batch, build
from tests.benchmarks.test_matching import looked_up
from tests.spark.cluster import cluster_in
from tests.spark.comparing import published

pytestmark = pytest.mark.benchmark
_FEW, _ROWS_OF_FILE = 100, 25_000


@dataclass(frozen=True)
class Cost:
    """What a night cost.

    Attributes:
        seconds: wall time.
        own: CPU seconds of the process that runs it.
        tasks: those of processes that execute tasks.
        others: those of all others: JVMs, and what starts processes.
        memory: most MB of the process that runs it, which no file stands behind.
    """

    seconds: float
    own: float
    tasks: float
    others: float
    memory: float

    def __str__(self):
        return (
            f"{self.seconds:.1f} s; CPU {self.own:.1f} s in the process that runs it, {self.tasks:.1f} s in tasks, "
            f"{self.others:.1f} s beside; memory {self.memory:,.0f} MB"
        )


def processes_below(pid):
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += processes_below(int(child))
    except OSError:
        pass
    return found


def looked_at(pid):
    """CPU seconds of a process, its memory in MB that no file stands behind, and whether it executes tasks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return None
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    memory = int(lines.get("RssAnon", "0 kB").split()[0]) / 1024
    return cpu, memory, b"pyspark.daemon" in words or b"import serve" in words


def measured(command, home, environment, others=()):
    """What a command costs, and the processes below others meanwhile."""
    before = {pid: looked_at(pid)[0] for other in others for pid in processes_below(other)}
    used, executing = {}, set()
    os.sync()  # what was written before is no part of it
    begun = time.perf_counter()
    memory = 0.0
    with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for pid in [pid for root in (process.pid, *others) for pid in processes_below(root)]:
                if found := looked_at(pid):
                    used[pid] = max(used.get(pid, 0), found[0])
                    memory = max(memory, found[1]) if pid == process.pid else memory
                    executing |= {pid} if found[2] else set()
            time.sleep(0.1)
        wall = time.perf_counter() - begun
    assert process.returncode == 0
    used = {pid: cpu - before.get(pid, 0) for pid, cpu in used.items()}
    own, tasks = used.pop(process.pid), sum(used[pid] for pid in executing)
    return Cost(wall, own, tasks, sum(used.values()) - tasks, memory)


def on_both(home, rows, cluster):
    """What a night of so many rows costs on two workers, and on two executors; it leaves the same."""
    files = max(1, rows // _ROWS_OF_FILE)
    inbox_of(home, (unlike(number, rows // files) for number in range(files)))
    run = [sys.executable, "-m", "pipeline", "run", "inbox", "--run-id", "night", "--as-of", "2026-01-15T02:00:00Z"]
    here = [*run, "--workers", "2", "--registry", "here", "--create-registry", "--output", "runs-here"]
    there = [*run, "--registry", "there", "--create-registry", "--output", "runs-there"]
    there += ["--engine", "spark", "--spark-master", cluster.url]
    workers = [worker.pid for worker in cluster.workers]
    costs = measured(here, home, cluster.environment), measured(there, home, cluster.environment, workers)
    assert published(home / "runs-here" / "night") == published(home / "runs-there" / "night")
    return costs


def test_a_night_on_a_cluster(tmp_path, request, capsys):
    """Run with `--rows 500000`. What a night of 100 rows takes is what any night does, and no work on rows."""
    rows = request.config.getoption("--rows")
    (tmp_path / "cluster").mkdir()
    with cluster_in(tmp_path / "cluster") as cluster:
        few = on_both(tmp_path / "few", _FEW, cluster)
        many = on_both(tmp_path / "many", rows, cluster)
    on_rows = [each.tasks - least.tasks for each, least in zip(many, few, strict=True)]
    beyond = many[1].others + few[1].tasks
    with capsys.disabled():
        for number, (here, there) in ((_FEW, few), (rows, many)):
            print(f"\n{number:,} rows, two workers:   {here}\n{number:,} rows, two executors: {there}")
        times = on_rows[1] / on_rows[0]
        print(
            f"CPU of work on rows {times:.2f} times that here, beyond it {beyond:.1f} s; load {os.getloadavg()[0]:.1f}"
        )
    assert beyond <= 40
    assert rows < _ROWS_OF_FILE or times <= 1.15


@dataclass
class Meter:
    """What all processes of this one and of a cluster have used."""

    workers: list[int]

    def spent(self):
        found = [looked_at(pid) for root in (os.getpid(), *self.workers) for pid in processes_below(root)]
        return sum(one[0] for one in found if one)

    def of(self, work):
        """What came of work, and the CPU seconds and the seconds that it took."""
        before, begun = self.spent(), time.perf_counter()
        found = work()
        return found, self.spent() - before, time.perf_counter() - begun


def joined(registry, keys):
    """How many records hold a key, by a join of the active session that shuffles both sides."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - not there everywhere
    from pyspark.sql import functions as f  # noqa: PLC0415

    session = SparkSession.getActiveSession()
    session.range(1_000).selectExpr("id % 7").distinct().collect()  # what the first shuffle loads is no part of it
    session.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
    records = session.read.parquet(*map(str, registry.data_files())).withColumn(
        "record", f.monotonically_increasing_id()
    )
    held = None
    for name in BLOCKING_TYPES:
        key = f.explode(name) if name.endswith("keys") else f.col(name)
        own = records.select(f.lit(name).alias("name"), key.alias("key"), "record").where("key is not null")
        held = own if held is None else held.unionAll(own)
    found = held.join(session.read.parquet(str(keys)), ["name", "key"]).groupBy("name").count().collect()
    return dict.fromkeys(BLOCKING_TYPES, 0) | {row["name"]: row["count"] for row in found}


def test_the_registry_is_looked_up_by_tasks_and_not_joined(tmp_path, request, capsys, monkeypatch):
    """Run with `--rows 100000 --existing 5000000`. Both find the same, on executors that have begun."""
    rows, existing = (request.config.getoption(name) for name in ("--rows", "--existing"))
    keyed = with_blocking_keys(batch(1, rows, rows // 100))
    build(tmp_path / "registry", 1, existing, most=max(1, existing // 5))
    registry, keys = Registry.open(tmp_path / "registry", create=False), tmp_path / "keys.parquet"
    own = {name: keyed[name].explode() if name.endswith("keys") else keyed[name] for name in BLOCKING_TYPES}
    named = [pl.DataFrame({"key": key}).select(name=pl.lit(name), key="key") for name, key in own.items()]
    pl.concat(named).drop_nulls().unique().write_parquet(keys)
    (tmp_path / "cluster").mkdir()
    with cluster_in(tmp_path / "cluster") as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        meter = Meter([worker.pid for worker in cluster.workers])
        with Spark(cluster.url, tmp_path) as executor:
            by_tasks = registry.looked_through_by(LookingByTasks(executor, tmp_path, always=True))
            looked_up(keyed.head(10), by_tasks)
            found, by_tasks_cpu, by_tasks_wall = meter.of(lambda: looked_up(keyed, by_tasks))
            same, joined_cpu, joined_wall = meter.of(lambda: joined(registry, keys))
    assert found == same
    with capsys.disabled():
        print(f"\n{rows:,} rows in {existing:,} records, {sum(found.values()):,} found, load {os.getloadavg()[0]:.1f}")
        print(f"by tasks {by_tasks_cpu:.1f} CPU s, {by_tasks_wall:.1f} s; by a join {joined_cpu:.1f} CPU s, ", end="")
        print(f"{joined_wall:.1f} s: {by_tasks_cpu / joined_cpu:.3f} times")
    assert existing < 1_000_000 or by_tasks_cpu <= 0.1 * joined_cpu
