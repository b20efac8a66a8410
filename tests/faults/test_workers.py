import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from tests.conftest import TENANT

DEVICES = 3_000


@pytest.fixture
def delivered(world):
    rows = [{INTUNE[2]: capture(world.factory.device())} for _ in range(300)]
    for number in range(DEVICES // 300):
        world.deliver(f"contoso/{TENANT}/{number}.csv", *rows)
    return world


def start(world, **settings):
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "inbox", "--run-id", "night", "--workers", "2"],
        cwd=world.home,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **settings,
    )


def workers_of(process):
    """The worker processes, once they are there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pids = [int(pid) for pid in children.read_text().split()]
        if len(pids) == 2:
            return pids
        time.sleep(0.01)
    raise AssertionError


def wait_until_gone(pids):
    until = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.01)


def assert_nothing_published(world):
    assert not (world.home / "runs" / "night").exists()
    assert not list((world.home / "registry").glob("*.parquet"))


def test_workers_that_are_killed_again_and_again_are_a_fault_of_the_run(delivered):
    process = start(delivered)
    workers_of(process)
    children = Path(f"/proc/{process.pid}/task")
    killed = set()
    while process.poll() is None:
        for task in children.glob("*/children"):
            with suppress(OSError):
                for pid in map(int, task.read_text().split()):
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "a worker process ended twice at the same task, with status -9" in told
    assert_nothing_published(delivered)
    wait_until_gone(killed)


def test_an_interrupt_ends_all_processes_at_once(delivered):
    process = start(delivered)
    workers = workers_of(process)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "is not published" in told
    assert told.splitlines()[-1] == "error: interrupted"
    assert_nothing_published(delivered)
    wait_until_gone(workers)


def test_workers_end_with_the_process_that_they_work_for(delivered):
    process = start(delivered)
    workers = workers_of(process)
    process.kill()
    process.communicate(timeout=60)
    wait_until_gone(workers)
    assert_nothing_published(delivered)
    assert delivered.run(run_id="next").manifest["rows"]["read"] == DEVICES


def test_a_worker_that_cannot_write_is_a_fault_of_the_run(delivered):
    process = start(delivered, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "File too large" in told
    assert_nothing_published(delivered)


def test_workers_change_nothing(delivered):
    alone, shared = delivered.run(dry_run=True, workers=1), delivered.run(dry_run=True, workers=3)
    keys = ["source_file", "source_line"]
    for first, second in ((alone.registered, shared.registered), (alone.rejected, shared.rejected)):
        apart = ["run_id", "device_id"]
        assert first.drop(apart, strict=False).sort(keys).equals(second.drop(apart, strict=False).sort(keys))


def test_deals_change_nothing(world, monkeypatch):
    for number in range(3):
        rows = [{INTUNE[2]: capture(world.factory.device())} for _ in range(100)]
        world.deliver(f"contoso/{TENANT}/{number}.csv", *rows)
    world.run(workers=1)
    for path in sorted(world.inbox.rglob("*.csv")):
        lines = path.read_bytes().splitlines(keepends=True)
        world.put(f"contoso/{TENANT}/again-{path.name}", b"".join([*lines, lines[1]]))
    whole = world.run(run_id="again", dry_run=True, workers=1)
    monkeypatch.setattr("pipeline.deals.dealing.PAIRS", 100)
    dealt = world.run(run_id="again", dry_run=True, workers=2)
    assert whole.rejected.height == 303
    assert dealt.rejected.equals(whole.rejected)
    assert dealt.registered.equals(whole.registered)
