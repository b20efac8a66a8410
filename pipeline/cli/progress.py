"""Progress and notices on standard error; progress only where somebody watches."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.cli.printing import masked, shown, warn

if TYPE_CHECKING:
    from rich.progress import Progress


class _Notices:
    """Notices alone, for a job's log."""

    def notice(self, text: str) -> None:
        warn(f"notice: {text}")

    def stage(self, name: str) -> None:
        """Say nothing."""

    def reading(self, files: int, size: int) -> None:
        """Say nothing."""

    def read(self, files: int, size: int, rows: int) -> None:
        """Say nothing."""


class _Errors(_Notices):
    """Nothing, for who has asked for quiet; what ends a command is told all the same."""

    def notice(self, text: str) -> None:
        """Say nothing."""


class _Bar(_Notices):
    """The stage at work; while files are read a bar of their bytes, with files, rows, rate and the time left."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._told = ""
        self._task = progress.add_task("starting", total=None, told="")
        self._of_files = self._files = self._rows = 0
        self._begun = time.monotonic()

    def notice(self, text: str) -> None:
        self._progress.console.print(f"notice: {shown(masked(text))}", markup=False, highlight=False)

    def stage(self, name: str) -> None:
        # How long another stage takes nobody knows: a full bar would say that all is done.
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=None, told=self._told)

    def reading(self, files: int, size: int) -> None:
        self._of_files, self._begun = files, time.monotonic()
        self._progress.update(self._task, total=size)

    def read(self, files: int, size: int, rows: int) -> None:
        self._files += files
        self._rows += rows
        rate = self._rows / max(time.monotonic() - self._begun, 1e-3)
        self._told = f"{self._files:,}/{self._of_files:,} files, {self._rows:,} rows"
        self._progress.update(self._task, advance=size, told=f"{self._told}, {rate:,.0f} rows/s")


@contextmanager
def listening(*, quiet: bool = False) -> Iterator[_Notices]:
    """Somebody to tell progress to."""
    if quiet:
        yield _Errors()
        return
    if not sys.stderr.isatty():
        yield _Notices()
        return
    from rich.console import Console  # noqa: PLC0415 - loaded only where it is seen
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)
