"""What a night costs when many requests were settled before it."""

import json
import shutil

import pytest

from tests.benchmarks.deliveries import HEADER, delivery
from tests.benchmarks.test_night import measured
from tests.conftest import AUTHORIZATIONS, PARTNERS, TENANT, TENANTS

pytestmark = pytest.mark.benchmark

NIGHT_ROWS, FILE_ROWS = 10_000, 1_000
STRANGER = "33333333-3333-4333-8333-333333333333"
_ROUNDS = 3


def by_tuple(seed, rows):
    """Text of a manifest of rows without a hash, each with a serial of its own."""
    lines = (f"5CG{seed:04d}{at:06d},,,HP,EliteBook 840\r\n" for at in range(rows))
    return HEADER + "".join(lines)


def deliver(home, folder, name, text):
    place = home / "inbox" / "contoso" / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.csv").write_text(text, encoding="ascii", newline="")


def run(home, run_id):
    seconds, memory = measured(
        "run", "inbox", "--run-id", run_id, "--as-of", "2026-01-15T02:00:00Z", "--workers", "1", cwd=home
    )
    return seconds, memory, json.loads((home / "runs" / run_id / "run.json").read_text())


def make_home(home, settled):
    """Folders in which so many requests are settled and 10,000 wait, and 10,000 new rows are delivered."""
    (home / "reference").mkdir(parents=True)
    for name, text in (("partners", PARTNERS), ("authorizations", AUTHORIZATIONS), ("tenants", TENANTS)):
        (home / "reference" / f"{name}.csv").write_text(text)
    for number in range(NIGHT_ROWS // FILE_ROWS):
        deliver(home, STRANGER, f"waits-{number}", delivery(900 + number, FILE_ROWS))
    for number in range(-(-settled // 50_000)):
        deliver(home, TENANT, f"settled-{number:03d}", by_tuple(number, min(settled, 50_000)))
    run(home, "before")
    measured("registry", "compact", cwd=home)
    for number in range(NIGHT_ROWS // FILE_ROWS):
        deliver(home, TENANT, f"new-{number}", delivery(100 + number, FILE_ROWS))
    return home


def test_settled_requests_cost_a_night_little(tmp_path, request, capsys):
    settled = request.config.getoption("--existing")
    homes = {number: make_home(tmp_path / str(number), number) for number in (0, settled)}
    told = {number: [] for number in homes}
    for at in range(_ROUNDS):
        for number, home in homes.items():
            shutil.copytree(home, tmp_path / "night", copy_function=shutil.copy2)
            seconds, memory, manifest = run(tmp_path / "night", f"night-{at}")
            rows = manifest["rows"]
            assert (rows["registered"], rows["waiting"], rows["settled"]) == (NIGHT_ROWS, NIGHT_ROWS, 0)
            told[number].append((seconds, memory))
            shutil.rmtree(tmp_path / "night")
    best = {number: min(runs) for number, runs in told.items()}
    with capsys.disabled():
        for number, (seconds, memory) in best.items():
            print(
                f"\n{NIGHT_ROWS:,} new rows, {NIGHT_ROWS:,} waiting, {number:,} settled: "
                f"{seconds:.2f} s, {memory:,.0f} MB"
            )
        print(f"{best[settled][0] / best[0][0]:.2f} times")
