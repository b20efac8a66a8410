"""Tasks executed by this process, when their results are asked for."""

import heapq
from collections.abc import Callable
from typing import Any

from pipeline.engine.context import shared
from pipeline.engine.executor import Executor, Key


class InProcess(Executor):
    """Executes alone, one task after the other."""

    is_alone = True

    def __init__(self) -> None:
        self._waiting: list[tuple[Key, int, Callable[..., object], tuple[object, ...]]] = []
        self._submitted = 0

    def submit(self, key: Key, task: Callable[..., object], *arguments: object) -> None:
        """Keep it in its place."""
        self._submitted += 1
        heapq.heappush(self._waiting, (key, self._submitted, task, arguments))

    def next_result(self) -> tuple[Key, Any]:
        """Execute the first one."""
        key, _, task, arguments = heapq.heappop(self._waiting)
        return key, task(*arguments)

    def begin(self) -> None:
        """Wait to be asked."""

    def end(self) -> None:
        """Forget what is left, and what was shared."""
        self._waiting.clear()
        shared.cache_clear()
