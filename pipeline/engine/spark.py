"""Tasks executed by the executors of a Spark cluster: each row of a range is one, and nothing is shuffled.

What waits when a result is asked for becomes one Spark job, a wave. Spark carries numbers there and answers of some
kilobytes back; tasks themselves lie in a file that executors read, as all else that they work on.
"""

import gc
import os
import pickle
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.engine.archive import archive
from pipeline.engine.executor import ENVIRONMENT, Executor, Key, bug
from pipeline.engine.probing import Sought, Surroundings, look_around
from pipeline.engine.session import Session, told
from pipeline.errors import Fault, IntakeError

_PROBES = 32
"""Executors are asked more often than there are many, so that each gets its turn."""

_SECONDS_OF_A_PROBE = 0.25
"""Long enough for the others to begin theirs."""


def _ignore(_: str) -> None:
    """Tell nobody."""


class Spark(Executor):
    """Executors of a cluster.

    A task whose executor died is executed again by another one, also one that fails unexpectedly, as often as the
    cluster says (`spark.task.maxFailures`). Two attempts at one task may work at the same time.
    """

    ahead = sys.maxsize

    def __init__(
        self, master: str | None, place: Path, reached: Iterable[Path] = (), notice: Callable[[str], None] = _ignore
    ) -> None:
        """Prepare.

        Args:
            master: the cluster; None for that of the session that is active.
            place: a folder that executors reach by the same path.
            reached: what is there, and executors have to find as well, before they take anything for missing.
            notice: hears of executors that are waited for, or were lost, in sentences.
        """
        self._master, self._place, self._notice = master, place, notice
        self._reached = tuple(str(path) for path in (place, *reached))
        self._waiting: list[tuple[Key, int, bytes]] = []
        self._done: deque[tuple[Key, Any]] = deque()
        self._submitted = 0

    def begin(self) -> None:
        """Open a session, and let its executors have the program.

        Raises:
            UsageError: no cluster is named.
            Fault: a library or Java is missing here, or the cluster does not answer.
        """
        self._session = Session(self._master, self._notice)
        try:
            self._session.bring(archive())
        except BaseException:
            self._session.end()
            raise

    def submit(self, key: Key, task: Callable[..., object], *arguments: object) -> None:
        """Keep it for the next wave."""
        self._submitted += 1
        self._waiting.append((key, self._submitted, pickle.dumps((task, arguments), pickle.HIGHEST_PROTOCOL)))

    def next_result(self) -> tuple[Key, Any]:
        """Have all that waits executed, unless results are left."""
        if not self._done:
            self._done.extend(self._executed())
        key, result = self._done.popleft()
        if isinstance(result, BaseException):
            raise result
        return key, result

    def end(self) -> None:
        """Forget what is left, and stop what executors do."""
        self._waiting.clear()
        self._done.clear()
        self._session.end()

    def _executed(self) -> Iterator[tuple[Key, Any]]:
        wave = sorted(self._waiting)
        self._waiting.clear()
        path = self._place / f"tasks-{self._submitted}"
        ends = [0]
        with path.open("wb") as file:
            for _, _, task in wave:
                ends.append(ends[-1] + file.write(task))
        try:
            answers = self._answers(str(path), ends)
        finally:
            path.unlink()
        for number, (key, _, _) in enumerate(wave):
            yield key, pickle.loads(answers[number])  # noqa: S301 - our own process wrote it

    def _answers(self, path: str, ends: list[int]) -> dict[int, bytes]:
        try:
            return self._session.each(len(ends) - 1, _work(path, ends, self._reached))
        except Exception as error:
            found = re.search(rf"{_TaskError.__name__}: (.*)", str(error))
            message = f"Spark: {told(error)}; nothing was published; ask `autopilot-intake doctor --engine spark` why"
            raise Fault(found[1] if found else message) from error


class _TaskError(Exception):
    """A task failed unexpectedly; the message holds no data, since it stands in the logs of the cluster."""


def _work(path: str, ends: list[int], reached: tuple[str, ...]) -> Callable[[int], bytes]:
    """What an executor does for a number: of a task Spark carries no more than these arguments."""

    def work(number: int) -> bytes:
        os.environ.update(ENVIRONMENT)  # before anything that reads it is loaded
        answer = pickle.dumps(_answer(path, ends[number], ends[number + 1], reached), pickle.HIGHEST_PROTOCOL)
        _leave_alone(len(sys.modules))
        return answer

    return work


@cache
def _leave_alone(_modules: int) -> None:
    """Have the collector look no more at what so many modules hold, which stays.

    Spark collects garbage after each task; that took a sixth of a night's CPU where it looked through all modules.
    """
    gc.collect()
    gc.freeze()


@cache
def _first_missing(reached: tuple[str, ...]) -> str | None:
    """What is not there where executors work; each process looks once, since there may be thousands."""
    return next((place for place in reached if not os.path.exists(place)), None)  # noqa: PTH110


def _answer(path: str, begin: int, end: int, reached: tuple[str, ...]) -> object:
    """Execute a task; what it gave, or an error that would be the same again."""
    if missing := _first_missing(reached):
        return Fault(
            f"{missing}: is not there where executors work; nothing was published; let all of them reach it by this "
            "path, as the same user"
        )
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(begin)
            task, arguments = pickle.loads(file.read(end - begin))  # noqa: S301 - our own process wrote it
        result: object = task(*arguments)
    except (IntakeError, OSError) as error:
        return error
    except ImportError as error:
        return Fault(
            f"executors cannot import {error.name}; nothing was published; give them what the program needs, which "
            "`autopilot-intake doctor --engine spark` lists"
        )
    except BaseException as error:  # noqa: BLE001 - a library's panic is no Exception
        raise _TaskError(bug(error, "on an executor")) from None
    return result


def probe(master: str | None, sought: Sought) -> list[Surroundings]:
    """What the executors of a cluster find, one of those that find the same.

    Args:
        master: as of `Spark`.
        sought: what they look for.

    Raises:
        UsageError: as `Spark.begin`.
        Fault: likewise; or executors cannot even be asked.
    """
    session = Session(master, _ignore)
    try:
        session.bring(archive())
        found = session.each(_PROBES, _look(sought))
    except Exception as error:
        message = f"executors cannot be asked: {told(error)}; see to their Python, its libraries, and their logs"
        raise Fault(message) from error
    finally:
        session.end()
    return [pickle.loads(one) for one in sorted(set(found.values()))]  # noqa: S301 - our own process wrote it


def _look(sought: Sought) -> Callable[[int], bytes]:
    def look(_number: int) -> bytes:
        time.sleep(_SECONDS_OF_A_PROBE)
        return pickle.dumps(look_around(sought), pickle.HIGHEST_PROTOCOL)

    return look
