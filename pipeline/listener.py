"""What a run tells while it works; the caller decides whether anybody hears it."""

from typing import Protocol


class Listener(Protocol):
    """Hears of a run's progress."""

    def notice(self, text: str) -> None:
        """Something that an operator should know, and that stops nothing."""
        ...

    def stage(self, name: str) -> None:
        """A stage of the flow begins."""
        ...

    def files(self, total: int) -> None:
        """So many files will be read."""
        ...

    def file_read(self, source_file: str, rows: int) -> None:
        """A file was read."""
        ...


class Silence:
    """Hears nothing."""

    def notice(self, text: str) -> None:
        """Ignore it."""

    def stage(self, name: str) -> None:
        """Ignore it."""

    def files(self, total: int) -> None:
        """Ignore it."""

    def file_read(self, source_file: str, rows: int) -> None:
        """Ignore it."""
