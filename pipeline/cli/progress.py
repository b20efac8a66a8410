"""Progress and notices on standard error; progress only where somebody watches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress


class _Notices:
    """Notices alone, for a job's log."""

    def notice(self, text: str) -> None:
        click.echo(f"notice: {text}", err=True)

    def stage(self, name: str) -> None:
        """Say nothing."""

    def files(self, total: int) -> None:
        """Say nothing."""

    def file_read(self, source_file: str, rows: int) -> None:
        """Say nothing."""


class _Bar(_Notices):
    """A bar of files and rows, and the stage at work."""

    def __init__(self, progress: "Progress") -> None:
        self._progress, self._task, self._rows = progress, progress.add_task("starting", total=None), 0

    def notice(self, text: str) -> None:
        self._progress.console.print(f"notice: {text}", markup=False, highlight=False)

    def stage(self, name: str) -> None:
        self._progress.update(self._task, description=name)

    def files(self, total: int) -> None:
        self._progress.update(self._task, total=total)

    def file_read(self, source_file: str, rows: int) -> None:  # noqa: ARG002 - the bar counts files
        self._rows += rows
        self._progress.update(self._task, advance=1, description=f"ingest, {self._rows:,} rows", refresh=False)


@contextmanager
def listening() -> Iterator[_Notices]:
    """Somebody to tell progress to."""
    if not sys.stderr.isatty():
        yield _Notices()
        return
    from rich.console import Console  # noqa: PLC0415 - loaded only where it is seen
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)
