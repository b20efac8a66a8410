"""What a night costs whose folders are in an object store, against the same on disk: bytes, wall time, CPU."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from pipeline.registry import Registry
from pipeline.registry.compacting import compact
from pipeline.storage.objects import Prefix
from tests.benchmarks.deliveries import delivery
from tests.benchmarks.registries import build
from tests.conftest import AUTHORIZATIONS, PARTNERS, TENANT
from tests.stores import servers
from tests.stores.proxy import counting

pytestmark = pytest.mark.benchmark
_ROWS_OF_FILE = 5_000


def deliver(home, night, rows):
    inbox = home / "inbox" / "contoso" / TENANT
    inbox.mkdir(parents=True, exist_ok=True)
    for number in range(max(1, rows // _ROWS_OF_FILE)):
        text = delivery(100 * night + number, min(rows, _ROWS_OF_FILE))
        (inbox / f"{night}-{number:03}.csv").write_text(text, newline="")


def put(home, base, *under):
    files = [path for folder in under for path in (home / folder).rglob("*") if path.is_file()]
    Prefix(base).upload({path.relative_to(home).as_posix(): path for path in files})


def sizes(base):
    return {name: entry.size for name, entry in Prefix(base).names().items()}


def measured(inbox, night, *options, cwd):
    """Wall time and CPU seconds of a run with its workers."""
    command = [sys.executable, "-m", "pipeline", "run", str(inbox), "--run-id", night, "--quiet", *options]
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime


def test_a_store_against_a_disk(tmp_path, request, capsys, monkeypatch):
    rows, existing = request.config.getoption("--rows"), request.config.getoption("--existing")
    home, registry = tmp_path / "home", request.config.getoption("--registry") or tmp_path / "home" / "registry"
    (home / "reference").mkdir(parents=True)
    (home / "reference" / "partners.csv").write_text(PARTNERS)
    (home / "reference" / "authorizations.csv").write_text(AUTHORIZATIONS)
    if not registry.exists():
        build(registry, 3, existing)
    if registry.parent != home:
        shutil.copytree(registry, home / "registry")
    compact(Registry.open(home / "registry", create=False))
    cached = ["--cache", str(tmp_path / "cache")]
    with servers.s3() as (uri, environment, port), capsys.disabled():
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        base = f"{uri}/home"
        put(home, base, "reference", "registry")
        print(
            f"\n{rows:,} rows a night, {existing:,} records of {sum(sizes(f'{base}/registry').values()) / 1e6:,.0f} MB"
        )
        for night in range(3):
            deliver(home, night, rows)
            put(home, base, "inbox")
            new = sizes(base)
            disk = measured(home / "inbox", f"night-{night}", cwd=home)
            through = servers.free_port()
            with counting(port, through) as came:
                monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{through}")
                store = measured(f"{base}/inbox", f"night-{night}", *cached, cwd=home)
                monkeypatch.setenv("AWS_ENDPOINT_URL", environment["AWS_ENDPOINT_URL"])
            fetched = came[0]
            needed = sum(size for name, size in new.items() if name.startswith(f"inbox/contoso/{TENANT}/{night}-"))
            print(
                f"night {night}: fetched {fetched / 1e6:,.1f} MB, of which manifests {needed / 1e6:,.1f}; "
                f"wall {store[0]:.1f} s, {store[0] / disk[0]:.2f} x of disk; "
                f"CPU {store[1]:.1f} s, {store[1] / disk[1]:.2f} x"
            )
            if night:
                assert fetched <= 1.01 * needed
                assert store[1] <= 1.5 * disk[1]
        here = Registry.open(home / "registry", create=False)
        there = Registry.open(f"{base}/registry", create=False)
        assert sum(here.data_files().values()) == sum(there.data_files().values()) > existing
