import os
import signal
import time

import pytest

from pipeline.engine.crew import ThisProcess, Workers
from pipeline.errors import Fault, UsageError


def double(number):
    return 2 * number


def fail(kind, *arguments):
    raise kind(*arguments)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("make", [ThisProcess, lambda: Workers(2)])
def test_all_work_is_done(make):
    with make() as crew:
        for number in range(20):
            crew.give((number,), double, number)
        assert sorted(crew.take() for _ in range(20)) == [((number,), 2 * number) for number in range(20)]


def test_the_smallest_key_comes_first():
    crew = ThisProcess()
    for number in (3, 1, 2):
        crew.give((number,), double, number)
    assert [crew.take()[0] for _ in range(3)] == [(1,), (2,), (3,)]


def test_a_dead_worker_is_a_fault():
    with Workers(2) as crew:
        crew.give((0,), die)
        with pytest.raises(Fault, match="status -9"):
            crew.take()


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (UsageError("x"), UsageError),
        (OSError(28, "No space left on device"), OSError),
        (ZeroDivisionError("secret"), Fault),
    ],
)
def test_what_work_raises_is_raised_here(error, raised):
    with Workers(1) as crew:
        crew.give((0,), fail, type(error), *error.args)
        with pytest.raises(raised) as caught:
            crew.take()
    assert "secret" not in str(caught.value)


def test_leaving_ends_the_workers_at_once():
    with Workers(2) as crew:
        workers = [process.pid for process in crew._processes]
        crew.give((0,), time.sleep, 600)
        crew.give((1,), time.sleep, 600)
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


def test_a_result_that_cannot_be_read_is_a_fault_and_no_hang():
    with Workers(1) as crew:
        crew.give((0,), half_a_result)
        with pytest.raises(Fault, match="nothing was published"):
            crew.take()
