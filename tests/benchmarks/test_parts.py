"""How much of a night the process that runs it does itself, how a night grows, and what one large file costs."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.deliveries import unlike
from tests.benchmarks.metering import inbox_of, run_night
from tests.benchmarks.plot import draw

pytestmark = pytest.mark.benchmark
_ROWS_OF_FILE = 25_000
_SCAN = """
import sys, time
import polars as pl
print(pl.scan_csv(sys.argv[1] + "/*.csv", infer_schema=False).collect(engine="streaming").height)
"""


def delivered(home, rows):
    """A home with so many rows of devices that share nothing, every twentieth captured twice."""
    files = max(1, rows // _ROWS_OF_FILE)
    return inbox_of(home, (unlike(number, rows // files) for number in range(files)))


def scanned(inbox):
    """Seconds of a process that scans the same files and does nothing else."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", _SCAN, str(inbox)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def told(rows, cost):
    return (
        f"{rows:>9,} rows: {cost.seconds:6.1f} s, {cost.cpu:6.1f} CPU s, of which the main process {cost.own_cpu:5.1f} "
        f"({cost.own_cpu / cost.cpu:.1%}); its memory {cost.own_memory:,.0f} MB, a worker {cost.worker_memory:,.0f} MB"
    )


def test_the_share_of_the_process_that_runs_a_night(tmp_path, request, capsys):
    rows = request.config.getoption("--rows")
    inbox = delivered(tmp_path, rows)
    with capsys.disabled():
        print()
        for workers in (1, 2, 4):
            cost = run_night(tmp_path, workers, f"runs-{workers}")
            print(f"{workers} workers, {told(rows, cost)}; {cost.seconds / scanned(inbox):.1f} times a bare scan")
            if workers > 1:
                assert cost.own_cpu / cost.cpu <= 0.15 or cost.cpu < 30, "of a small night imports are the largest part"


def test_how_a_night_grows(tmp_path, request, capsys):
    most, plot = (request.config.getoption(name) for name in ("--rows", "--plot"))
    costs = {}
    with capsys.disabled():
        print()
        for rows in (most // 30, most // 10, most // 3, most):
            home = tmp_path / str(rows)
            delivered(home, rows)
            costs[rows] = run_night(home, 2)
            print(told(rows, costs[rows]))
            shutil.rmtree(home)
    if plot:
        Path(plot).write_text(draw(costs), encoding="utf-8")
    few, many = sorted(costs)[-2:]
    assert costs[many].seconds / costs[few].seconds < 1.5 * many / few, "it grows faster than its rows"


def test_one_large_file_or_many(tmp_path, request, capsys):
    rows = request.config.getoption("--rows")
    many = delivered(tmp_path / "many", rows)
    one = inbox_of(tmp_path / "one", [])
    with (one / "0000.csv").open("wb") as whole:
        for number, path in enumerate(sorted(many.iterdir())):
            header, _, lines = path.read_bytes().partition(b"\r\n")
            whole.write(b"" if number else header + b"\r\n")
            whole.write(lines)
    costs = [[run_night(tmp_path / name, 2, f"runs-{turn}") for name in ("many", "one")] for turn in range(2)]
    in_many, in_one = (min(cost.seconds for cost in side) for side in zip(*costs, strict=True))
    with capsys.disabled():
        print(f"\n{rows:,} rows in {len(list(many.iterdir()))} files: {in_many:.1f} s")
        print(
            f"in one of {(one / '0000.csv').stat().st_size / 1e9:.1f} GB: {in_one:.1f} s, {in_one / in_many:.2f} times"
        )
