"""How exceptions become a message and an exit code. A message never holds data, whatever the exception does."""

import traceback
from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.errors import Fault, IntakeError, UsageError

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is told of an exception that ended a command."""

    message: str
    exit_code: int


def failure(error: BaseException) -> Failure:
    """The message and exit code of an exception."""
    if isinstance(error, IntakeError):
        return Failure(str(error), error.exit_code)
    if isinstance(error, click.ClickException):
        return Failure(error.format_message(), UsageError.exit_code)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return Failure("interrupted; nothing of this run was published", Fault.exit_code)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Failure(f"{where}{error.strerror or error}; nothing of this run was published", Fault.exit_code)
    frames = traceback.extract_tb(error.__traceback__)
    place = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents][-1]
    where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
    return Failure(f"this is a bug ({where}); nothing of this run was published; please report it", Fault.exit_code)
