"""What a run costs: seconds, and CPU and memory of the process that runs it and of its workers."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import AUTHORIZATIONS, PARTNERS, TENANT


@dataclass(frozen=True)
class Cost:
    """What a run cost.

    Attributes:
        seconds: wall time.
        cpu: CPU seconds of all its processes.
        own_cpu: those of the first one.
        own_memory: most MB of that which no file stands behind.
        worker_memory: of the largest worker, likewise.
    """

    seconds: float
    cpu: float
    own_cpu: float
    own_memory: float
    worker_memory: float


def inbox_of(home, texts):
    """A home with reference data and an inbox of these manifests."""
    inbox = home / "inbox" / "contoso" / TENANT
    inbox.mkdir(parents=True)
    (home / "reference").mkdir()
    (home / "reference" / "partners.csv").write_text(PARTNERS)
    (home / "reference" / "authorizations.csv").write_text(AUTHORIZATIONS)
    for number, text in enumerate(texts):
        (inbox / f"{number:04}.csv").write_text(text, newline="")
    return inbox


def _stat(pid, name):
    """Of a living process its CPU seconds, or MB of its memory that no file stands behind; 0 of a dead one."""
    try:
        if name == "cpu":
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(lines["RssAnon"].split()[0]) / 1024
    except (OSError, KeyError):
        return 0.0


def run_night(home, workers, name="runs"):
    """Run a home's night into a registry and an output of this name; what it cost."""
    out = ["--registry", f"registry-{name}", "--create-registry", "--output", name]
    command = [sys.executable, "-m", "pipeline", "run", "inbox", *out, "--workers", str(workers)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    own = own_memory = worker = 0.0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        own, own_memory = max(own, _stat(process.pid, "cpu")), max(own_memory, _stat(process.pid, "memory"))
        for task in Path(f"/proc/{process.pid}/task").glob("*/children"):
            worker = max([worker, *(_stat(child, "memory") for child in task.read_text().split())])
        time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    seconds = time.perf_counter() - begun
    return Cost(seconds, usage.ru_utime + usage.ru_stime, own, own_memory, worker)
