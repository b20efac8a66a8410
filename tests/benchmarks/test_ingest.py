"""The front of the pipeline, from files to judged rows with staging written, beside plainer ways to read them."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from tests.benchmarks.deliveries import delivery
from tests.workbooks import row, write_workbook

pytestmark = pytest.mark.benchmark

_FRONT = """
import json, sys, time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from pipeline.ingest import Manifest, with_sheets
from pipeline.clock import Stopwatch
from pipeline.config import Limits
from pipeline.engine import executor_for
from pipeline.intake.judge import Rulebook
from pipeline.intake.schedule import Front
from pipeline.intake.taking_in import take_in
from pipeline.listener import Silence
from pipeline.intake.read_part import Delivered
from pipeline.reference.tables import no_reference
from pipeline.intake.staging import Staging
workers, folder = int(sys.argv[1]) or None, Path(sys.argv[2])
tenant = "11111111-1111-4111-8111-111111111111"
manifests = [Manifest(path, path.name, "contoso", tenant) for path in sorted(folder.iterdir())]
rulebook = Rulebook(no_reference("contoso"), datetime.now(UTC), 128)
with TemporaryDirectory(dir=folder.parent) as place:
    begun = time.perf_counter()
    manifests = with_sheets(manifests, lambda _: ())
    delivered = [Delivered(at, one, one.state().size) for at, one in enumerate(manifests)]
    with executor_for(sum(one.size for one in delivered), workers) as executor:
        front = Front.of(rulebook, Limits(), executor, Staging(Path(place) / "rows"))
        rows = take_in(delivered, front, Silence(), Stopwatch()).rows.height
    print(json.dumps([time.perf_counter() - begun, rows]))
"""
_BARE = """
import json, sys, time
from pathlib import Path
import polars as pl
files = sorted(Path(sys.argv[2]).iterdir())
begun = time.perf_counter()
rows = pl.scan_csv(files, infer_schema=False).collect(engine="streaming").height
print(json.dumps([time.perf_counter() - begun, rows]))
"""
_LOOP = """
import base64, csv, hashlib, json, struct, sys, time
from pathlib import Path
begun, rows = time.perf_counter(), 0
for path in sorted(Path(sys.argv[2]).iterdir()):
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            blob = base64.b64decode(row["Hardware Hash"], validate=True)
            total = struct.unpack_from("<H", blob, 2)[0]
            assert hashlib.sha256(blob[:total]).digest() == blob[total + 4 : total + 36]
            at, records = 4, {}
            while at < total:
                kind, size = struct.unpack_from("<HH", blob, at)
                records.setdefault(kind, []).append(blob[at + 4 : at + size])
                at += size
            rows += 1
print(json.dumps([time.perf_counter() - begun, rows]))
"""
_LOOP_TO_COLUMNS = """
import csv, json, sys, time
from pathlib import Path
from tests.oracles.decoder import decode
begun, rows = time.perf_counter(), []
for path in sorted(Path(sys.argv[2]).iterdir()):
    with path.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            decoded = decode(row.pop("Hardware Hash"))
            assert decoded["hash_fault"] is None
            rows.append({"line": number, **row, **decoded})
print(json.dumps([time.perf_counter() - begun, len(rows)]))
"""


def measured(program, folder, workers=0):
    """Seconds and rows that a program tells, and the most memory of all its processes together, in MB."""
    command = [sys.executable, "-c", program, str(workers), str(folder)]
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(resident, [process.pid, *children_of(process.pid)])))
            time.sleep(0.2)  # asking is not free: each answer walks all pages
        told = process.stdout.read()
    assert process.returncode == 0
    seconds, rows = json.loads(told)
    return seconds, rows, peak / 1024


def children_of(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def resident(pid):
    """Memory of a process in kB, of what it shares with others its share."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def written(folder, texts, name="{:05d}.csv"):
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / name.format(number)).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def size_of(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


def tell(name, folder, result):
    seconds, rows, memory = result
    print(
        f"{name:<34} {seconds:7.2f} s {rows / seconds:10,.0f} rows/s {size_of(folder) / seconds / 1e6:8,.0f} MB/s "
        f"{memory:7,.0f} MB"
    )


def test_beside_plainer_readers(tmp_path, request, capsys):
    rows = request.config.getoption("--rows")
    files = max(rows // 25_000, 2)
    folder = written(tmp_path / "large", (delivery(number, rows // files) for number in range(files)))
    sample = written(tmp_path / "sample", [delivery(0, 10_000)])
    # Each twice, in turn, and each in a process of its own: the machine's mood and caches are the same for all.
    runs = [[measured(_BARE, folder), measured(_FRONT, folder)] for _ in range(2)]
    bare, front = (min(side) for side in zip(*runs, strict=True))
    loop, loop_to_columns = measured(_LOOP, sample), measured(_LOOP_TO_COLUMNS, sample)
    with capsys.disabled():
        print(f"\n{front[1]:,} rows in {files} files of {size_of(folder) / 1e9:.2f} GB")
        tell("bare scan_csv", folder, bare)
        tell("ingest to judged rows", folder, front)
        tell("csv, base64, struct, hashlib", sample, loop)
        tell("the same, to decoded columns", sample, loop_to_columns)
        print(f"{front[0] / bare[0]:.1f} times a bare scan; ", end="")
        faster, faster_to_columns = (own[0] / own[1] / (front[0] / front[1]) for own in (loop, loop_to_columns))
        print(f"{faster:.1f} times as fast as the loop, {faster_to_columns:.1f} times as the one to columns")
    assert front[1] == bare[1]


def test_workbook(tmp_path, capsys):
    lines = delivery(0, 10_000).splitlines()
    plain = written(tmp_path / "plain", ["\n".join(lines)])
    (tmp_path / "workbook").mkdir()
    rows = "".join(row(at, *line.split(",")) for at, line in enumerate(lines, 1))
    write_workbook(tmp_path / "workbook" / "00000.xlsx", {"Devices": rows})
    runs = [[measured(_FRONT, folder, 1) for folder in (plain, tmp_path / "workbook")] for _ in range(3)]
    csv, workbook = (min(side) for side in zip(*runs, strict=True))
    with capsys.disabled():
        print()
        tell("as CSV", plain, csv)
        tell("as a workbook", tmp_path / "workbook", workbook)
    assert workbook[1] == csv[1] == 10_000
    assert workbook[0] < 5 * csv[0]
    assert workbook[2] < 1_000


def test_suspect_records(tmp_path, capsys):
    clean = [delivery(number, 25_000) for number in range(4)]
    quoted = ["\n".join('"' + line.replace(",", '","') + '"' for line in text.splitlines()) for text in clean]
    surplus = ["\n".join(line + ",," for line in text.splitlines()) for text in clean]
    broken = [text.replace(",,T0", ",,T\x00", 1).replace(",T", ',"T') for text in clean]
    compare(tmp_path, capsys, {"clean": clean, "quoted": quoted, "surplus fields": surplus, "odd quotes": broken})


def test_many_small_files(tmp_path, capsys):
    lines = delivery(1, 100_000).splitlines(keepends=True)
    small = [lines[0] + "".join(lines[at : at + 100]) for at in range(1, len(lines), 100)]
    compare(tmp_path, capsys, {"one file": ["".join(lines)], "1,000 files": small})


def test_encodings_and_compressions(tmp_path, capsys):
    plain = [delivery(number, 25_000).encode() for number in range(4)]
    compare(
        tmp_path,
        capsys,
        {
            "ASCII": plain,
            "UTF-16LE with BOM": [("\ufeff" + text.decode()).encode("utf-16-le") for text in plain],
            "cp1252": [text.replace(b"Surface", "Sürface".encode("cp1252")) for text in plain],
            "gzip": [compressed(text, "gzip") for text in plain],
            "zstd": [compressed(text, "zstd") for text in plain],
        },
        {"gzip": "{:05d}.csv.gz", "zstd": "{:05d}.csv.zst"},
    )
    for codec in ("gzip", "zstd"):
        packed = [compressed(text, codec) for text in plain]
        begun = time.perf_counter()
        for text in packed:
            with pa.CompressedInputStream(pa.BufferReader(text), codec) as stream:
                while stream.read(1 << 16):
                    pass
        with capsys.disabled():
            print(f"{codec} alone, on one processor: {time.perf_counter() - begun:.2f} s")


def compressed(content, codec):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def compare(folder, capsys, variants, names=None):
    """The same rows in several forms: seconds of each, and how many times the first form's."""
    folders = {
        name: written(folder / str(number), texts, (names or {}).get(name, "{:05d}.csv"))
        for number, (name, texts) in enumerate(variants.items())
    }
    runs = [{name: measured(_FRONT, place, 2) for name, place in folders.items()} for _ in range(3)]
    best = {name: min(run[name] for run in runs) for name in folders}
    first = next(iter(best.values()))
    with capsys.disabled():
        print()
        for name, result in best.items():
            tell(f"{name} ({result[0] / first[0]:.2f} times)", folders[name], result)
    assert {result[1] for result in best.values()} == {first[1]}
