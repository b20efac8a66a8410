"""Who executes tasks: the one interface that the stages of a run know, and how many they ask for."""

import ctypes
import os
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

Key = tuple[int, ...]
"""Where a task stands in the order of all: the smallest is executed first."""

ENVIRONMENT = {
    # Those that execute tasks share the processors among themselves, so each uses one.
    "POLARS_MAX_THREADS": "1",
    # They keep the memory of one block for the next: giving it back each time cost a fifth of the time.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
}
"""Of each process that executes tasks for another one."""


class Executor(ABC):
    """Executes tasks, the smallest key first; what is not done when its block is left is dropped.

    A task is a function of a module, and what it is called with. It reads files, writes only under names of its own
    attempt (`of_attempt`), and answers in some kilobytes, so that it may be executed once more where its process died,
    or is only taken for dead.

    Attributes:
        ahead: how many tasks are worth being submitted before the first is done; more would only fill memory.
        is_alone: no other process works for it, so that what is done as a task is done no sooner.
    """

    ahead = 32
    is_alone = False

    @abstractmethod
    def submit(self, key: Key, task: Callable[..., object], *arguments: object) -> None:
        """Ask for a task to be executed."""

    @abstractmethod
    def next_result(self) -> tuple[Key, Any]:
        """Wait for a task to be done; its key, and what the function gave.

        Raises:
            Fault: it cannot be executed.
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


def processors() -> int:
    """Processors that this process may use, where the system tells; else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def give_back_memory() -> None:
    """Give back what `ENVIRONMENT` had this process keep, where the C library can."""
    getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)


def bug(error: BaseException, where: str) -> str:
    """What to say of an exception that nobody expects: where it came about, and nothing of what it holds."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"this is a bug ({type(error).__name__} at {Path(place.filename).name}:{place.lineno} {where}); nothing of "
        "this run was published; please report it"
    )
