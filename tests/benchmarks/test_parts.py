"""How much of a night the process that runs it does itself: CPU and memory of it and of all, by workers."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.deliveries import delivery
from tests.conftest import AUTHORIZATIONS, PARTNERS, TENANT

pytestmark = pytest.mark.benchmark
_ROWS_OF_FILE = 25_000


@pytest.fixture
def delivered(tmp_path, request):
    inbox = tmp_path / "inbox" / "contoso" / TENANT
    inbox.mkdir(parents=True)
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "partners.csv").write_text(PARTNERS)
    (tmp_path / "reference" / "authorizations.csv").write_text(AUTHORIZATIONS)
    files = max(1, request.config.getoption("--rows") // _ROWS_OF_FILE)
    for number in range(files):
        rows = min(_ROWS_OF_FILE, request.config.getoption("--rows"))
        (inbox / f"{number:04}.csv").write_text(delivery(number, rows), newline="")
    return tmp_path


def stat(pid, name):
    """Of a living process its CPU seconds, or MB of its memory that no file stands behind; 0 of a dead one."""
    try:
        if name == "cpu":
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(lines["RssAnon"].split()[0]) / 1024
    except (OSError, KeyError):
        return 0.0


def measured(home, workers):
    """Wall time, CPU seconds of all and of the first process, and the most memory in MB of that and of a worker."""
    out = ["--registry", f"registry-{workers}", "--create-registry", "--output", f"runs-{workers}"]
    command = [sys.executable, "-m", "pipeline", "run", "inbox", *out, "--workers", str(workers)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    own = own_memory = worker = 0.0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        own, own_memory = max(own, stat(process.pid, "cpu")), max(own_memory, stat(process.pid, "memory"))
        for task in Path(f"/proc/{process.pid}/task").glob("*/children"):
            worker = max([worker, *(stat(child, "memory") for child in task.read_text().split())])
        time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, own, own_memory, worker


def test_the_share_of_the_process_that_runs_a_night(delivered, capsys):
    with capsys.disabled():
        for workers in (1, 2, 4):
            wall, everything, own, memory, worker = measured(delivered, workers)
            print(
                f"\n{workers} workers: {wall:.1f} s, {everything:.1f} CPU s, of which it did {own:.1f} "
                f"({own / everything:.1%}); memory {memory:,.0f} MB, a worker {worker:,.0f} MB"
            )
            if workers > 1:
                assert own / everything <= 0.15 or everything < 30, "of a small night imports are the largest part"
