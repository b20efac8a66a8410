import json
import subprocess
import sys

import polars as pl
import pytest

from pipeline.match.keys import with_keys
from pipeline.registry import Registry
from pipeline.registry.writer import fill
from schemas.registry import REGISTERED
from tests.benchmarks.registries import devices

pytestmark = pytest.mark.benchmark

CHUNK = 50_000
TENANTS = pl.Series([f"{number:08x}-0000-4000-8000-000000000000" for number in range(1, 201)])
TAGS = pl.Series(["Sales", "Büro", "Kiosk", None])
HASH_BYTES = 1_000
MOST_MB, A_MILLION = 500, 1_000_000
"""What a list or an export of a million devices may take: what they are sorted by, and nothing else that grows."""
SCRIPT = """
import json, pathlib, sys, time
from pipeline.cli.main import cli

def peak(): return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024

begun = time.perf_counter()
cli.main(sys.argv[1:], standalone_mode=False)
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu": time.process_time(), "peak": peak()}), file=sys.stderr)
"""


def build(folder, rows):
    """A registry of so many devices with hashes of a usual size."""
    registry = Registry.open(folder, create=True)
    with registry.writer() as writer:
        for first in range(0, rows, CHUNK):
            own = with_keys(devices(1, first, min(CHUNK, rows - first)))
            number = pl.int_range(first, first + own.height, eager=True)
            noise = pl.Series([f"{at:08x}".encode() * (HASH_BYTES // 8) for at in number])
            told = own.with_columns(
                event=pl.lit(REGISTERED),
                device_id=number.cast(pl.String).str.pad_start(8, "0") + "-0000-4000-8000-000000000000",
                tenant_id=TENANTS.gather(number % len(TENANTS)),
                group_tag=TAGS.gather(number % 7 % len(TAGS)),
                partner_id=pl.lit("contoso"),
                registered_via=pl.lit("partner_center"),
                identity=pl.lit("hash"),
                hardware_hash=noise,
            )
            for part in fill(told).iter_slices(5_000):  # as a night writes them
                writer.write(part)
        registry.commit(writer)


def measured(home, *words):
    words = [sys.executable, "-c", SCRIPT, "registry", *words]
    done = subprocess.run(words, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "--format", "json", "--sort", "model"),
        ("list", "--format", "csv", "--to", "devices.csv"),
        ("list", "--format", "parquet", "--to", "devices.parquet"),
        ("export", "--layout", "intune", "intune"),
        ("export", "--layout", "partner_center", "partner_center"),
    ],
)
def test_many_devices(tmp_path_factory, request, capsys, words):
    rows = request.config.getoption("--rows")
    home = tmp_path_factory.getbasetemp() / f"listing-{rows}"
    if not home.exists():
        home.mkdir()
        build(home / "registry", rows)
    told = measured(home, *words)
    took = f"{told['seconds']:.1f} s, {told['cpu']:.1f} s of processors, {told['peak']:,.0f} MB at most"
    with capsys.disabled():
        print(f"\n{rows:,} devices, {' '.join(words)}: {took}")
    assert told["peak"] <= MOST_MB * max(1, rows / A_MILLION)
