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

    def reading(self, files: int, size: int) -> None:
        """So many files of so many bytes in all will be read."""
        ...

    def read(self, files: int, size: int, rows: int) -> None:
        """So many more files were read, of so many bytes and rows."""
        ...


class Silence:
    """Hears nothing."""

    def notice(self, text: str) -> None:
        """Ignore it."""

    def stage(self, name: str) -> None:
        """Ignore it."""

    def reading(self, files: int, size: int) -> None:
        """Ignore it."""

    def read(self, files: int, size: int, rows: int) -> None:
        """Ignore it."""
