"""The wall time of a run, stage by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pipeline.listener import Listener


class Stopwatch:
    """Adds up the wall time of each stage.

    Attributes:
        seconds: wall time by stage.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is done within."""
        begun = time.perf_counter()
        yield
        self.add({stage: time.perf_counter() - begun})

    def add(self, seconds: dict[str, float]) -> None:
        """Add what others have timed."""
        for stage, more in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + more


class Clock(Stopwatch):
    """The stopwatch of a run.

    Attributes:
        started_at: when the run began.
    """

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.started_at = datetime.now(UTC)
        self._listener = listener

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is done within, and tell that it begins."""
        self._listener.stage(stage)
        with super().__call__(stage):
            yield

    @contextmanager
    def at_once(self, first: str) -> Iterator[Stopwatch]:
        """Time stages that tasks go through part by part.

        The wall time is shared out among them by what they took in the tasks, which is noted in the stopwatch given.
        """
        self._listener.stage(first)
        parts, begun = Stopwatch(), time.perf_counter()
        parts.add({first: 0.0})
        yield parts
        wall, work = time.perf_counter() - begun, sum(parts.seconds.values())
        self.add({stage: wall * own / work for stage, own in parts.seconds.items()} if work else {first: wall})
