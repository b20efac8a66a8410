"""What the files for partners cost when most of a night is refused."""

import json
import subprocess
import sys

import pytest

from tests.benchmarks.test_report import SCRIPT, make_inbox

pytestmark = pytest.mark.benchmark

PARTNERS = 200
COUNTED = """
import functools, time
from collections import Counter
from pipeline.report.exports import Exports
from pipeline.report.reporter import Reporter
from pipeline.report.shown import ShownRows

seconds, used = Counter(), Counter()

def count(name, owner, method):
    done = getattr(owner, method)
    @functools.wraps(done)
    def counted(*arguments):
        begun, cpu = time.perf_counter(), time.process_time()
        try:
            return done(*arguments)
        finally:
            seconds[name] += time.perf_counter() - begun
            used[name] += time.process_time() - cpu
    setattr(owner, method, counted)

count("lines of CSV", Exports, "tables")
count("rows of pages", ShownRows, "tables")
count("gathering", Reporter, "add")
count("pages and open.csv", Reporter, "finish")
count("workbooks", Reporter, "write_workbooks")
"""


def test_files_of_many_rejected_rows(tmp_path, request, capsys):
    """Run with `--rows 1000000`: seconds of all pages and CSV, those of workbooks, and memory.

    Pages and CSV are what publishing spends on their rows and what reporting takes but for workbooks. The night is too
    small in bytes for workers, so that all of it is counted here.
    """
    make_inbox(tmp_path, request.config.getoption("--rows"), PARTNERS)
    script = COUNTED + SCRIPT + "print(json.dumps([seconds, used]))"
    done = subprocess.run(
        [sys.executable, "-c", script, "first"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told, (seconds, used) = map(json.loads, done.stdout.splitlines())
    report = tmp_path / "runs" / "first" / "report"
    sizes = {
        ending: sum(path.stat().st_size for path in report.glob(f"*/*.{ending}")) / 2**20
        for ending in ("csv", "xlsx", "html")
    }
    with capsys.disabled():
        print(f"\n{told['rejected']:,} rejected rows of {PARTNERS} partners: {told}")
        for name in seconds:
            print(f"{name}: {seconds[name]:.1f} s ({used[name]:.1f} s of processors)")
        wall, cpu = (sum(of.values()) - of["workbooks"] for of in (seconds, used))
        print(f"all pages and CSV {wall:.1f} s ({cpu:.1f} s of processors)")
        print(f"{told['peak'] - told['before']:,.0f} MB above {told['before']:,.0f} MB")
        print(", ".join(f"{ending} {size:,.1f} MB" for ending, size in sizes.items()))
