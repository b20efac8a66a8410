"""Who does the pieces of work: this process, or worker processes of its own.

Workers are plain child processes that take pieces from their standard input, so that a run can be started from
anywhere: from a script without a main guard, from a daemon, from a thread. A worker ends when its parent does.
"""

import heapq
import os
import pickle
import queue
import subprocess
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Self

from pipeline.errors import Fault, IntakeError

Key = tuple[int, ...]
"""Where a piece of work stands in the order of all: the smallest is done first."""

_NO_MORE: tuple[Key, int, bytes] = ((), 0, b"")
"""Stands before all work, and tells that there is none left."""

_SECONDS_TO_END = 5
"""A process that closed its output is as good as ended."""

_SERVE = "from pipeline.engine.crew import serve; serve()"

_ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
"""Lets a worker keep the memory of one block for the next: giving it back each time cost a fifth of the time."""


class Crew(ABC):
    """Does pieces of work, the smallest key first; what is not done when its block is left is dropped."""

    @abstractmethod
    def give(self, key: Key, work: Callable[..., object], *arguments: object) -> None:
        """Give a piece of work: a function of a module, and what it is called with."""

    @abstractmethod
    def take(self) -> tuple[Key, Any]:
        """Wait for a piece to be done; its key, and what the function gave.

        Raises:
            Fault: a worker died.
            IntakeError: (or OSError) the function raised it.
        """

    @abstractmethod
    def begin(self) -> None:
        """Start to work."""

    @abstractmethod
    def end(self) -> None:
        """Stop at once."""

    def __enter__(self) -> Self:
        """Start to work."""
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at once."""
        self.end()


class ThisProcess(Crew):
    """Works alone, when asked for a result."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Key, int, Callable[..., object], tuple[object, ...]]] = []
        self._given = 0

    def give(self, key: Key, work: Callable[..., object], *arguments: object) -> None:
        """Keep it in its place."""
        self._given += 1
        heapq.heappush(self._waiting, (key, self._given, work, arguments))

    def take(self) -> tuple[Key, Any]:
        """Do the first piece."""
        key, _, work, arguments = heapq.heappop(self._waiting)
        return key, work(*arguments)

    def begin(self) -> None:
        """Wait to be asked."""

    def end(self) -> None:
        """Forget what is left."""
        self._waiting.clear()


class Workers(Crew):
    """Some worker processes; all are ended at once when the block is left."""

    def __init__(self, number: int) -> None:
        self._waiting: queue.PriorityQueue[tuple[Key, int, bytes]] = queue.PriorityQueue()
        self._done: queue.SimpleQueue[tuple[Key, Any]] = queue.SimpleQueue()
        self._given = 0
        self._processes = [_start() for _ in range(number)]
        self._leaders: list[threading.Thread] = []

    def give(self, key: Key, work: Callable[..., object], *arguments: object) -> None:
        """Keep it in its place."""
        self._given += 1
        self._waiting.put((key, self._given, pickle.dumps((work, arguments))))

    def take(self) -> tuple[Key, Any]:
        """Wait for whichever is done next."""
        key, result = self._done.get()
        if isinstance(result, BaseException):
            raise result
        return key, result

    def begin(self) -> None:
        """Hand out work."""
        self._leaders = [
            threading.Thread(target=self._lead, args=(process,), daemon=True) for process in self._processes
        ]
        for leader in self._leaders:
            leader.start()

    def end(self) -> None:
        """Kill the workers."""
        for process in self._processes:
            process.kill()
            self._waiting.put(_NO_MORE)
        for leader in self._leaders:
            leader.join()
        for process in self._processes:
            process.communicate()

    def _lead(self, process: "subprocess.Popen[bytes]") -> None:
        """Hand pieces to one worker, one at a time, as long as it lives."""
        tasks, results = process.stdin, process.stdout
        while tasks and results:
            key, _, task = self._waiting.get()
            if not task:
                return
            try:
                tasks.write(task)
                tasks.flush()
                self._done.put((key, pickle.load(results)))  # noqa: S301 - our own process wrote it
            except Exception:  # noqa: BLE001 - half a result fails in any way, and whoever waits must hear of it
                self._done.put((key, Fault(_ended(process))))
                return


def _ended(process: "subprocess.Popen[bytes]") -> str:
    """What to say of a worker that gives no more results."""
    try:
        status = process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        return "a worker process gave no result that can be read; nothing was published; please report this"
    return (
        f"a worker process ended with status {status}; nothing was published; start the run again, with fewer "
        "--workers if memory is short"
    )


def _start() -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        **_ALLOCATION,
        # Workers share the processors among themselves, so each uses one.
        "POLARS_MAX_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),  # noqa: PTH109 - as sys.path means it
    }
    return subprocess.Popen(  # noqa: S603 - this interpreter and our own words
        [sys.executable, "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        process_group=0,  # an interrupt from the terminal is for the parent, which ends its workers
    )


def serve() -> None:
    """Be a worker: take pieces of work from standard input, and write what they give to standard output."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    tasks: queue.SimpleQueue[tuple[Callable[..., object], tuple[object, ...]]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True).start()
    while True:
        work, arguments = tasks.get()
        try:
            result: object = work(*arguments)
        except (IntakeError, OSError) as error:
            result = error
        except BaseException as error:  # noqa: BLE001 - a library's panic is no Exception
            place = traceback.extract_tb(error.__traceback__)[-1]
            result = Fault(
                f"this is a bug ({type(error).__name__} at {Path(place.filename).name}:{place.lineno} in a worker); "
                "nothing of this run was published; please report it"
            )
        pickle.dump(result, results)
        results.flush()


def _receive(stream: BinaryIO, tasks: "queue.SimpleQueue[Any]") -> None:
    """Pass pieces of work on; without a parent there is nobody left to work for."""
    try:
        while True:
            tasks.put(pickle.load(stream))  # noqa: S301 - the parent wrote it
    except (EOFError, OSError):
        os._exit(0)
