import os
import signal
import sys
import time
from pathlib import Path

import pytest

from pipeline.engine import InProcess, Processes
from pipeline.errors import Fault, UsageError


def double(number):
    return 2 * number


def fail(kind, *arguments):
    raise kind(*arguments)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("make", [InProcess, lambda: Processes(2)])
def test_all_work_is_done(make):
    with make() as executor:
        for number in range(20):
            executor.submit((number,), double, number)
        assert sorted(executor.next_result() for _ in range(20)) == [((number,), 2 * number) for number in range(20)]


def test_the_smallest_key_comes_first():
    executor = InProcess()
    for number in (3, 1, 2):
        executor.submit((number,), double, number)
    assert [executor.next_result()[0] for _ in range(3)] == [(1,), (2,), (3,)]


def die_once(marker):
    if not marker.exists():
        marker.touch()
        die()
    return "done"


def test_the_task_of_a_dead_worker_is_executed_once_more(tmp_path):
    with Processes(2) as executor:
        for number in range(4):
            executor.submit((number,), die_once, tmp_path / str(number))
        assert sorted(executor.next_result() for _ in range(4)) == [((number,), "done") for number in range(4)]


def test_a_task_that_kills_two_workers_is_a_fault():
    with Processes(2) as executor:
        executor.submit((0,), die)
        with pytest.raises(Fault, match="status -9"):
            executor.next_result()


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (UsageError("x"), UsageError),
        (OSError(28, "No space left on device"), OSError),
        (ZeroDivisionError("secret"), Fault),
    ],
)
def test_what_work_raises_is_raised_here(error, raised):
    with Processes(1) as executor:
        executor.submit((0,), fail, type(error), *error.args)
        with pytest.raises(raised) as caught:
            executor.next_result()
    assert "secret" not in str(caught.value)


def test_leaving_ends_the_workers_at_once():
    with Processes(2) as executor:
        workers = [process.pid for process in executor._processes]
        executor.submit((0,), time.sleep, 600)
        executor.submit((1,), time.sleep, 600)
        time.sleep(0.2)
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


class Unreadable:
    """What pickles, and cannot be read back."""

    def __reduce__(self):
        return (fail, (IndexError, "half a result"))


def half_a_result():
    return Unreadable()


def test_a_result_that_cannot_be_read_is_a_fault_and_no_hang(monkeypatch):
    monkeypatch.setattr("pipeline.engine.processes._SECONDS_TO_END", 0.1)
    with Processes(1) as executor:
        executor.submit((0,), half_a_result)
        with pytest.raises(Fault, match="nothing was published"):
            executor.next_result()


def own_memory():
    """MB of this process that no file stands behind."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(told["RssAnon"].split()[0]) / 1024


def fill(blocks):
    """Use memory in blocks, and leave it."""
    return len([b"." * (1 << 20) for _ in range(blocks)])


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system for a process's memory")
def test_a_worker_that_waits_gives_memory_back():
    with Processes(1) as executor:
        for at, (task, *arguments) in enumerate([(own_memory,), (fill, 200), (own_memory,)]):
            executor.submit((at,), task, *arguments)
        before, _, kept = (executor.next_result()[1] for _ in range(3))
        assert kept > before + 150, "the next task finds what the one before used"
        deadline = time.monotonic() + 60
        while kept > before + 50 and time.monotonic() < deadline:
            time.sleep(0.5)
            executor.submit((0,), own_memory)
            kept = executor.next_result()[1]
        assert kept <= before + 50
