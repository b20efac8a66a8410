"""Small deliveries that want to be expensive: each costs what its size or its rows do, or is refused for its size."""

import gzip
import json
import os
import random
import subprocess
import sys
import time
from itertools import chain, repeat

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory

pytestmark = pytest.mark.benchmark

TENANT = "11111111-1111-4111-8111-111111111111"
HEADER = "Device Serial Number,Windows Product ID,Hardware Hash,Manufacturer name,Device model\n"
PARTNER = "{},{},direct_csp,partner_center_csv,EU,\n"
GRANT = "{}," + TENANT + ",active,2024-01-01T00:00:00Z,\n"


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)


def make_reference(home, partners=("contoso",)):
    header = "partner_id,name,partner_type,channel,region,provider_id\n"
    write(home / "reference" / "partners.csv", chain([header], (PARTNER.format(one, one) for one in partners)))
    header = "partner_id,tenant_id,status,granted_at,revoked_at\n"
    write(home / "reference" / "authorizations.csv", chain([header], map(GRANT.format, partners)))


def delivery(home, name="a.csv", partner="contoso"):
    return home / "inbox" / partner / TENANT / name


def different_headers(home, many):
    write(delivery(home), (f"PKID,Note {number:05d}\n1,2\n" for number in range(many)))


def columns(home, many):
    write(delivery(home), ["PKID", *(f",x{number}" for number in range(many)), "\n3305123456789\n"])


def letters(home, many):
    path = delivery(home, "a.csv.gz")
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wt", encoding="ascii") as file:
        file.write("PKID\n")
        file.writelines(repeat("a\n" * 10_000, many // 10_000))


def partners(home, many):
    names = [f"p{number:05d}" for number in range(many)]
    make_reference(home, names)
    for number, name in enumerate(names):
        write(delivery(home, partner=name), ["PKID\n", f"{3_300_000_000_001 + number}\n"])


def files(home, many):
    for number in range(many):
        path = delivery(home, f"{number // 1_000:03d}/{number:07d}.csv")
        write(path, ["PKID\n", f"{3_300_000_000_001 + number}\n"])


def equal_exclusions(home, many):
    header = "tenant_id,serial_number,manufacturer,reason\n"
    write(home / "reference" / "exclusions.csv", chain([header], repeat(f"{TENANT},5CG1,HP,mdm_only\n", many)))
    write(delivery(home), chain([HEADER], repeat("5CG1,,,HP,840 G8\n", many)))


def hashes_as_serial_numbers(home, many):
    factory = Factory(random.Random(1))
    hashes = [capture(factory.device()) for _ in range(10)]
    # Each is another one by its first letters behind the mark, as pasted ones are.
    lines = (f"T0{number:08d}{hashes[number % 10][10:]},,,HP,840 G8\n" for number in range(many))
    write(delivery(home), chain([HEADER], lines))


def measured(home):
    """Seconds and peak MB of a run, what it wrote, and its last words where it did not publish."""
    command = [sys.executable, "-m", "pipeline", "run", "inbox", "--run-id", "night"]
    begun = time.perf_counter()
    with (home / "errors").open("w") as errors:
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    assert process.returncode == 0, (home / "errors").read_text()[-2_000:]
    manifest = json.loads((home / "runs" / "night" / "run.json").read_text())
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, manifest


def cost(home, make, many):
    home.mkdir()
    make_reference(home)
    make(home, many)
    return measured(home)


CASES = {
    "different headers": (different_headers, 3_000),
    "columns of one header": (columns, 100_000),
    "records of one letter": (letters, 2_000_000),
    "partners": (partners, 10_000),
    "files": (files, None),
    "equal exclusions and rows": (equal_exclusions, 20_000),
    "hashes as serial numbers": (hashes_as_serial_numbers, 1_500),
}


@pytest.mark.parametrize("name", CASES)
def test_what_wants_to_be_expensive(tmp_path, request, capsys, name):
    make, many = CASES[name]
    many = many or request.config.getoption("--files")
    few = cost(tmp_path / "empty", lambda *_: delivery(tmp_path / "empty").parent.mkdir(parents=True), 0)
    half, whole = (cost(tmp_path / str(number), make, number) for number in (many // 2, many))
    rows, reasons = whole[3]["rows"]["read"], whole[3]["reasons"]
    # Twice the work may take twice the time; a start takes some in any case, and the machine is never the same.
    factor = (whole[1] - few[1]) / max(half[1] - few[1], 0.5)
    with capsys.disabled():
        print(
            f"\n{many:>9,} {name:<26} {whole[0]:7.1f} s {whole[1]:7.1f} CPU s {whole[2]:6,.0f} MB  {rows:,} rows; "
            f"{factor:.1f} times half as many ({half[1]:.1f} CPU s, {half[2]:,.0f} MB); {reasons}"
        )
    assert factor < 3 or "FILE_TOO_LARGE" in reasons
