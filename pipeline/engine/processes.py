"""Tasks executed by worker processes of this one.

Workers are plain child processes that take tasks from their standard input, so that a run can be started from
anywhere: from a script without a main guard, from a daemon, from a thread. A worker ends when its parent does.
"""

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from pipeline.engine.executor import ENVIRONMENT, Executor, Key, bug, give_back_memory
from pipeline.errors import Fault, IntakeError

_Task = tuple[Callable[..., object], tuple[object, ...]]

_NO_MORE: tuple[Key, int, bytes] = ((), 0, b"")
"""Stands before all tasks, and tells that there is none left."""

_SECONDS_TO_END = 5
"""A process that closed its output is as good as ended."""

_SECONDS_OF_REST = 0.1
"""Tasks of one stage follow each other sooner."""

_SERVE = "from pipeline.engine.processes import serve; serve()"


class Processes(Executor):
    """Some worker processes; all are ended at once when the block is left.

    A task whose worker died, whatever killed it, is executed once more, by a new one; if that dies too, the task is to
    blame.
    """

    def __init__(self, number: int) -> None:
        self._waiting: queue.PriorityQueue[tuple[Key, int, bytes]] = queue.PriorityQueue()
        self._done: queue.SimpleQueue[tuple[Key, Any]] = queue.SimpleQueue()
        self._submitted = 0
        self._processes = [_start() for _ in range(number)]
        self._leaders: list[threading.Thread] = []
        self._replacing = threading.Lock()
        self._is_over = False

    def submit(self, key: Key, task: Callable[..., object], *arguments: object) -> None:
        """Keep it in its place."""
        self._submitted += 1
        self._waiting.put((key, self._submitted, pickle.dumps((task, arguments))))

    def next_result(self) -> tuple[Key, Any]:
        """Wait for whichever is done next."""
        key, result = self._done.get()
        if isinstance(result, BaseException):
            raise result
        return key, result

    def begin(self) -> None:
        """Hand out tasks."""
        self._leaders = [
            threading.Thread(target=self._lead, args=(at,), daemon=True) for at in range(len(self._processes))
        ]
        for leader in self._leaders:
            leader.start()

    def end(self) -> None:
        """Kill the workers."""
        with self._replacing:
            self._is_over = True
            for process in self._processes:
                process.kill()
        for _ in self._leaders:
            self._waiting.put(_NO_MORE)
        for leader in self._leaders:
            leader.join()
        for process in self._processes:
            process.communicate()

    def _lead(self, at: int) -> None:
        """Hand tasks to one worker, one at a time."""
        while True:
            key, _, task = self._waiting.get()
            if not task:
                return
            try:
                self._done.put((key, self._executed(at, task)))
            except _WorkerError:
                if not self._replace(at):
                    return
                try:
                    self._done.put((key, self._executed(at, task)))
                except _WorkerError as died:
                    self._done.put((key, Fault(str(died))))
                    return

    def _executed(self, at: int, task: bytes) -> object:
        process = self._processes[at]
        try:
            tasks, results = _pipes(process)
            tasks.write(task)
            tasks.flush()
            return pickle.load(results)  # noqa: S301 - our own process wrote it
        except Exception as error:  # half a result fails in any way, and whoever waits must hear of it
            raise _WorkerError(_ended(process)) from error

    def _replace(self, at: int) -> bool:
        """Put a new worker in the place of one that died, unless all is over."""
        with self._replacing:
            if self._is_over:
                return False
            self._processes[at].communicate()
            self._processes[at] = _start()
            return True


class _WorkerError(Exception):
    """A worker gives no more results."""


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[BinaryIO, BinaryIO]:
    if process.stdin is None or process.stdout is None:
        message = "a worker process has no pipes"
        raise ValueError(message)
    return process.stdin, process.stdout  # type: ignore[return-value]


def _ended(process: "subprocess.Popen[bytes]") -> str:
    """What to say of a worker that gives no more results, which has ended then."""
    try:
        status = process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        return "a worker process gave no result that can be read; nothing was published; please report this"
    return (
        f"a worker process ended twice at the same task, with status {status}; nothing was published; start the run "
        "again, with fewer --workers if memory is short"
    )


def _start() -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        **ENVIRONMENT,
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
    """Be a worker: take tasks from standard input, and write what they give to standard output."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True).start()
    while True:
        task, arguments = _next(tasks)
        try:
            result: object = task(*arguments)
        except (IntakeError, OSError) as error:
            result = error
        except BaseException as error:  # noqa: BLE001 - a library's panic is no Exception
            result = Fault(bug(error, "in a worker"))
        pickle.dump(result, results)
        results.flush()


def _next(tasks: "queue.SimpleQueue[_Task]") -> _Task:
    """The next task. Who waits for it gives memory back: what comes after a barrier needs other blocks."""
    try:
        return tasks.get(timeout=_SECONDS_OF_REST)
    except queue.Empty:
        give_back_memory()
        return tasks.get()


def _receive(stream: BinaryIO, tasks: "queue.SimpleQueue[Any]") -> None:
    """Pass tasks on; without a parent there is nobody left to work for."""
    try:
        while True:
            tasks.put(pickle.load(stream))  # noqa: S301 - the parent wrote it
    except (EOFError, OSError):
        os._exit(0)
