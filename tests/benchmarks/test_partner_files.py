"""What the files for partners cost when most of a night is refused."""

import json
import subprocess
import sys

import pytest

from tests.benchmarks.test_report import SCRIPT, make_inbox

pytestmark = pytest.mark.benchmark

PARTNERS = 200


def test_files_of_many_rejected_rows(tmp_path, request, capsys):
    """Run with `--rows 1000000`: seconds of publishing (CSV) and reporting (workbooks and pages), and memory.

    Workbooks written cell by cell took 380 microseconds a row, put in as text they take a tenth.
    """
    make_inbox(tmp_path, request.config.getoption("--rows"), PARTNERS)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "first"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    report = tmp_path / "runs" / "first" / "report"
    sizes = {
        ending: sum(path.stat().st_size for path in report.glob(f"*/*.{ending}")) / 2**20
        for ending in ("csv", "xlsx", "html")
    }
    with capsys.disabled():
        print(f"\n{told['rejected']:,} rejected rows of {PARTNERS} partners: {told}")
        print(f"publish {told['publish']:.1f} s, report {told['report']:.1f} s ({told['cpu']:.1f} s of processors)")
        print(f"{told['peak'] - told['before']:,.0f} MB above {told['before']:,.0f} MB")
        print(", ".join(f"{ending} {size:,.1f} MB" for ending, size in sizes.items()))
