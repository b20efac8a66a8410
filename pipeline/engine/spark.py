"""Tasks executed by the executors of a Spark cluster: each row of a range is one, and nothing is shuffled.

What waits when a result is asked for becomes one Spark job, a wave. Spark carries numbers there and answers of some
kilobytes back; tasks themselves lie in a file that executors read, as all else that they work on.
"""

import os
import pickle
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.engine.archive import write_archive
from pipeline.engine.executor import ENVIRONMENT, Executor, Key, bug
from pipeline.engine.session import Session, told
from pipeline.errors import Fault, IntakeError

_ANSWERS = "number bigint, answer binary"


class Spark(Executor):
    """Executors of a cluster.

    A task whose executor died is executed again by another one, also one that fails unexpectedly, as often as the
    cluster says (`spark.task.maxFailures`). Two attempts at one task may work at the same time.
    """

    ahead = sys.maxsize

    def __init__(self, master: str | None, place: Path) -> None:
        """Prepare.

        Args:
            master: the cluster; None for that of the session that is active.
            place: a folder that executors reach by the same path.
        """
        self._master, self._place = master, place
        self._waiting: list[tuple[Key, int, bytes]] = []
        self._done: deque[tuple[Key, Any]] = deque()
        self._submitted = 0

    def begin(self) -> None:
        """Open a session, and let its executors have the program.

        Raises:
            UsageError: no cluster is named.
            Fault: a library or Java is missing here, or the cluster does not answer.
        """
        self._session = Session(self._master)
        try:
            self._session.spark.addArtifacts(str(write_archive(self._place)), pyfile=True)
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
        answers = self._answers(path, ends)
        path.unlink()
        for number, (key, _, _) in enumerate(wave):
            yield key, pickle.loads(answers[number])  # noqa: S301 - our own process wrote it

    def _answers(self, path: Path, ends: list[int]) -> dict[int, bytes]:
        number = len(ends) - 1
        try:
            rows = (
                self._session.spark.range(0, number, 1, number).mapInArrow(_work(str(path), ends), _ANSWERS).collect()
            )
        except Exception as error:
            found = re.search(rf"{_TaskError.__name__}: (.*)", str(error))
            message = (
                found[1]
                if found
                else (
                    f"Spark: {told(error)}; nothing was published; look at what `autopilot-intake doctor --engine spark` "
                    "says of the cluster, then start the run again"
                )
            )
            raise Fault(message) from error
        return {row.number: bytes(row.answer) for row in rows}


class _TaskError(Exception):
    """A task failed unexpectedly; the message holds no data, since it stands in the logs of the cluster."""


def _work(path: str, ends: list[int]) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """What an executor does with some numbers of tasks: of it Spark carries no more than these arguments."""

    def work(batches: Iterator[Any]) -> Iterator[Any]:
        return _answered(batches, path, ends)

    return work


def _answered(batches: Iterator[Any], path: str, ends: list[int]) -> Iterator[Any]:
    os.environ.update(ENVIRONMENT)  # before anything that reads it is loaded
    import pyarrow as pa  # noqa: PLC0415 - Spark has it wherever this is called

    for batch in batches:
        for number in batch.column(0).to_pylist():
            answer = pickle.dumps(_answer(path, ends[number], ends[number + 1]), pickle.HIGHEST_PROTOCOL)
            yield pa.RecordBatch.from_pydict({"number": [number], "answer": [answer]})


def _answer(path: str, begin: int, end: int) -> object:
    """Execute a task; what it gave, or an error that would be the same again."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(begin)
            text = file.read(end - begin)
    except OSError as error:
        return Fault(
            f"{path}: {error.strerror} where executors work; nothing was published; name an --output that all of them "
            "reach by this path, as the same user"
        )
    try:
        task, arguments = pickle.loads(text)  # noqa: S301 - our own process wrote it
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
