"""How exceptions become a message and an exit code. A message never holds data, whatever the exception does."""

import os
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.errors import Fault, IntakeError, UsageError

_PACKAGE = Path(__file__).parents[1]


class Terminated(KeyboardInterrupt):
    """Another program asked this one to end."""


def end_when_asked() -> None:
    """Let SIGTERM end a command as an interrupt does: what it prepared is cleaned up, and what ended it is told.

    Asked again, it ends at once.
    """
    own = os.getpid()

    def end(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getpid() == own:
            raise Terminated
        os.kill(os.getpid(), signal.SIGTERM)  # a process that this one made, which shall only end

    signal.signal(signal.SIGTERM, end)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is told of an exception that ended a command.

    Attributes:
        message: what happened.
        exit_code: what the command ends with.
        frames: of a bug, where it came about, the innermost last; without any value.
    """

    message: str
    exit_code: int
    frames: tuple[str, ...] = ()


def failure(error: BaseException) -> Failure:
    """The message and exit code of an exception."""
    if isinstance(error, IntakeError):
        return Failure(str(error), error.exit_code)
    if isinstance(error, click.ClickException):
        return Failure(error.format_message(), UsageError.exit_code)
    is_terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
    if is_terminated or isinstance(error, click.Abort | KeyboardInterrupt):
        return Failure("ended by SIGTERM" if is_terminated else "interrupted", Fault.exit_code)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Failure(f"{where}{error.strerror or type(error).__name__}", Fault.exit_code)
    if isinstance(error, ModuleNotFoundError) and error.name == "fcntl":
        message = "this command needs Linux or macOS; check, inspect and explain run on Windows, others in WSL"
        return Failure(message, UsageError.exit_code)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    where = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in own[-1:])
    return Failure(
        f"this is a bug ({type(error).__name__}{where}); please report it, with the lines of the log",
        Fault.exit_code,
        tuple(f"{_brief(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames),
    )


def _brief(path: str) -> str:
    """A source file without where it is installed."""
    return "/".join(Path(path).parts[-3:])
