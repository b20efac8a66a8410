import csv
import io
import json
import os
import subprocess
import sys
import time

import polars as pl
import pytest

from pipeline.synthesize.night import AS_OF

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


def test_ingest_against_a_bare_csv_scan(tmp_path, request, capsys):
    """The front of the pipeline beside the fastest reader of the same files, which checks nothing."""
    rows = request.config.getoption("--rows")
    home = make_night(tmp_path, rows, 0)
    paths = sorted((home / "inbox").glob("contoso/*/new-by-hash-*.csv"))
    plain = [path for path in paths if path.read_bytes()[:6] == b"Device" and b"," in path.read_bytes()[:40]]
    begun = time.perf_counter()
    bare = pl.scan_csv(plain, infer_schema=False).collect(engine="streaming").height
    bare_seconds = time.perf_counter() - begun
    files = [str(path) for path in plain]
    checked = subprocess.run(
        [sys.executable, "-c", _FRONT, *files], capture_output=True, text=True, check=True
    ).stdout.split()
    seconds, counted = float(checked[0]), int(checked[1])
    with capsys.disabled():
        print(f"\n{counted:,} rows in {len(files)} files: {counted / seconds:,.0f} rows/s, {float(checked[2]):,.0f} MB")
        print(f"{seconds / bare_seconds:.1f} times the time of a bare scan, {bare / bare_seconds:,.0f} rows/s")
    assert counted == bare


_FRONT = """
import resource, sys, time
from datetime import UTC, datetime
from pathlib import Path
from pipeline.ingest import Manifest, ManifestReader
from pipeline.intake import Rulebook, take_in
from pipeline.listener import Silence
from pipeline.reference import no_reference
from pipeline.staging import Staging
readers = [ManifestReader(Manifest(Path(name), name, "contoso", None)) for name in sys.argv[1:]]
begun = time.perf_counter()
rulebook = Rulebook(no_reference("contoso"), datetime.now(UTC), 128)
rows = take_in(readers, rulebook, Staging(None), Silence(), frozenset()).rows.height
print(time.perf_counter() - begun, rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
