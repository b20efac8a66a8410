"""Who executes tasks: the one interface that the stages of a run know, and how many they ask for."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

Key = tuple[int, ...]
"""Where a task stands in the order of all: the smallest is executed first."""


class Executor(ABC):
    """Executes tasks, the smallest key first; what is not done when its block is left is dropped.

    A task is a function of a module, and what it is called with. It reads files, writes only under names that are its
    own, and answers in some kilobytes, so that it may be executed once more where its process died.

    Attributes:
        is_alone: no other process works for it, so that what is done as a task is done no sooner.
    """

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
