import csv
import io
import json
import os
import subprocess
import sys
import time

import polars as pl
import pytest

from pipeline.lab.synthesize.night import AS_OF

pytestmark = pytest.mark.benchmark


def make_night(folder, rows, existing):
    """A night made by another process: memory that this one ever held would count as its children's."""
    measured("synthesize", "night", "--rows", str(rows), "--existing", str(existing), "--seed", "11", cwd=folder)
    return folder / "night"


def measured(*arguments, cwd):
    """Seconds and peak memory in MB of a command."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "pipeline", *arguments], cwd=cwd, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def share_right(home, folder):
    """Shares of rows in the right set, and there for the right reason."""
    rejected = pl.read_parquet(folder / "rejected" / "*.parquet", columns=["source_file", "source_line", "reason"])
    reasons = {(file, line): reason for file, line, reason in rejected.rows()}
    truths = list(csv.DictReader(io.StringIO((home / "truth.csv").read_text(encoding="utf-8"))))
    found = [reasons.get((truth["source_file"], int(truth["source_line"]))) for truth in truths]
    in_set = [
        (reason is not None) == (truth["want"] == "rejected") for truth, reason in zip(truths, found, strict=True)
    ]
    right = [(reason or "") in truth["reasons"].split("|") for truth, reason in zip(truths, found, strict=True)]
    return sum(in_set) / len(truths), sum(right) / len(truths)


def test_a_night(tmp_path, request, capsys):
    rows, existing = request.config.getoption("--rows"), request.config.getoption("--existing")
    home = make_night(tmp_path, rows, existing)
    imported = measured("registry", "import", "existing_devices.csv", cwd=home)
    ran = measured("run", "inbox", "--run-id", "night", "--as-of", AS_OF, cwd=home)
    manifest = json.loads((home / "runs" / "night" / "run.json").read_text())
    made = manifest["rows"]["read"]
    in_set, right = share_right(home, home / "runs" / "night")
    with capsys.disabled():
        print(f"\n{made:,} rows in {manifest['files']['found']:,} files against {existing:,} existing devices")
        print(f"import: {imported[0]:.1f} s, {imported[1]:,.0f} MB")
        print(f"run:    {ran[0]:.1f} s, {made / ran[0]:,.0f} rows/s, {ran[1]:,.0f} MB; stages {manifest['seconds']}")
        print(f"right set {in_set:.5f}, right reason {right:.5f}")
    assert (in_set, right) == (1.0, 1.0)
