"""What a night on a cluster costs beside the same on this machine: CPU of those that execute tasks, and all else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.deliveries import unlike
from tests.benchmarks.metering import inbox_of
from tests.spark.cluster import cluster_in
from tests.spark.comparing import published

pytestmark = pytest.mark.benchmark


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
    """Wall time; CPU seconds of the process that runs the night, of those that execute tasks, and of all else."""
    before = {pid: looked_at(pid)[0] for other in others for pid in processes_below(other)}
    used, executing = {}, set()
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
    return wall, own, tasks, sum(used.values()) - tasks, memory


def test_a_night_on_a_cluster(tmp_path, request, capsys):
    """Run with `--rows 500000`, and with `--rows 100` for what any night costs."""
    rows = request.config.getoption("--rows")
    home, files = tmp_path / "night", max(1, rows // 25_000)
    inbox_of(home, (unlike(number, rows // files) for number in range(files)))
    run = [sys.executable, "-m", "pipeline", "run", "inbox", "--run-id", "night", "--as-of", "2026-01-15T02:00:00Z"]
    (tmp_path / "cluster").mkdir()
    with cluster_in(tmp_path / "cluster") as cluster, capsys.disabled():
        alone = [*run, "--workers", "2", "--registry", "here", "--create-registry", "--output", "runs-here"]
        here = measured(alone, home, cluster.environment)
        spread = [*run, "--registry", "there", "--create-registry", "--output", "runs-there"]
        spread += ["--engine", "spark", "--spark-master", cluster.url]
        there = measured(spread, home, cluster.environment, [worker.pid for worker in cluster.workers])
        for name, (wall, own, tasks, other, memory) in (("two workers", here), ("two executors", there)):
            print(
                f"\n{rows:,} rows, {name}: {wall:.1f} s; CPU {own:.1f} s in the process that runs it, {tasks:.1f} s in "
                f"tasks, {other:.1f} s beside; memory {memory:,.0f} MB"
            )
        print(f"tasks {there[2] / here[2]:.2f} times those here; load {os.getloadavg()[0]:.1f}")
    assert published(home / "runs-here" / "night") == published(home / "runs-there" / "night")
    assert there[3] <= 40
    assert rows < 100_000 or there[2] <= 1.15 * here[2]
