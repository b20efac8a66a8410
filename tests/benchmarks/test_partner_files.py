"""What the files for partners cost when most of a night is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.test_report import HEADER, REJECTED, SCRIPT, TENANT

pytestmark = pytest.mark.benchmark

PARTNERS = 40


def make_inbox(home: Path, rows: int) -> None:
    (home / "reference").mkdir()
    names = [f"partner-{number:03d}" for number in range(PARTNERS)]
    (home / "reference" / "partners.csv").write_text(
        "partner_id,name,partner_type,channel,region,provider_id\n"
        + "".join(f"{name},,direct_csp,partner_center_csv,EU,\n" for name in names)
    )
    (home / "reference" / "authorizations.csv").write_text(
        "partner_id,tenant_id,status,granted_at,revoked_at\n"
        + "".join(f"{name},{TENANT},active,2024-01-01T00:00:00Z,\n" for name in names)
    )
    (home / "reference" / "tenants.csv").write_text(
        f"tenant_id,region,cloud,verified_domains\n{TENANT},EU,public,contoso.example\n"
    )
    for number, name in enumerate(names):
        lines = (REJECTED[at % len(REJECTED)].format(number * rows + at) for at in range(rows // PARTNERS))
        path = home / "inbox" / name / TENANT / "night.csv"
        path.parent.mkdir(parents=True)
        path.write_text(HEADER + "".join(lines))


def test_files_of_many_rejected_rows(tmp_path, request, capsys):
    """Run with `--rows 200000`; seconds of publishing (CSV) and reporting (workbooks and pages), and memory."""
    make_inbox(tmp_path, request.config.getoption("--rows"))
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
        print(f"publish {told['publish']:.1f} s, report {told['report']:.1f} s, to {told['peak']:,.0f} MB")
        print(", ".join(f"{ending} {size:,.1f} MB" for ending, size in sizes.items()))
