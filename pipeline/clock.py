"""The wall time of a run, stage by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pipeline.listener import Listener


class Clock:
    """Adds up the wall time of each stage.

    Attributes:
        started_at: when the run began.
        seconds: wall time by stage.
    """

    def __init__(self, listener: Listener) -> None:
        self.started_at = datetime.now(UTC)
        self.seconds: dict[str, float] = {}
        self._listener = listener

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is done within."""
        self._listener.stage(stage)
        begun = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begun
