"""The one place where anything is printed: no value reaches a terminal as more than text.

What cannot be written is no matter of its own. A pipe that was closed has heard enough; a log that takes no more must
not end a run; only a full standard output is told of, since the result is lost there.
"""

import io
import json
import os
import re
import select
import sys
from collections.abc import Iterable
from typing import IO

import click

from pipeline.errors import Fault

_CONTROLS = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]",
)
"""Characters that move, colour, hide or reorder what stands around them, and bytes of names that are no text."""

_BYTES = re.compile("[\udc80-\udcff]")
_BEYOND_BYTES = 0x100
_KEPT_IN_TEXTS = "\n"


class Unheard(Fault):
    """The result could not be written to standard output."""


def shown(text: str, kept: str = "") -> str:
    r"""Text with its controls as `\x1b`, but for those to be kept."""
    return _CONTROLS.sub(lambda control: control[0] if control[0] in kept else _escaped(control[0]), text)


def _escaped(control: str) -> str:
    code = ord(control)
    if _BYTES.match(control):
        code -= 0xDC00
    return f"\\x{code:02x}" if code < _BEYOND_BYTES else f"\\u{code:04x}"


def tell(*lines: str) -> None:
    """Print lines of the result.

    Raises:
        Unheard: standard output takes no more.
    """
    _print("".join(f"{shown(line)}\n" for line in lines))


def tell_text(text: str) -> None:
    """Print a result of several lines."""
    _print(shown(text, kept=_KEPT_IN_TEXTS) + "\n")


def tell_coloured(lines: Iterable[tuple[str, str | None]]) -> None:
    """Print lines of the result, on a terminal in their colours where `NO_COLOR` does not ask for none."""
    stream = sys.stdout
    wanted = (
        stream is not None and stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )
    told = ((shown(line), colour if wanted else None) for line, colour in lines)
    _print("".join(f"{click.style(line, fg=colour) if colour else line}\n" for line, colour in told))


def tell_json(value: object) -> None:
    """Print a result as JSON."""
    tell_document(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n", "\\u{:04x}")


def tell_document(part: str, escape: str) -> None:
    """Print a part of a document in a form that has an escape of its own for characters, such as `&#x{:x};`."""
    _print(_CONTROLS.sub(lambda found: found[0] if found[0] in "\r\n" else escape.format(ord(found[0])), part))


def warn(line: str) -> None:
    """Print a line on standard error, product keys masked; where that takes no more nobody hears it."""
    warn_raw(shown(masked(line)))


def masked(text: str) -> str:
    """Text in which no product key stands, such as one in the name of a file."""
    from pipeline.ingest.secrets import mask_in_name  # noqa: PLC0415 - heavy

    return mask_in_name(text)


def warn_raw(line: str) -> None:
    """Print a line that has no controls on standard error."""
    try:
        _write(sys.stderr, line + "\n")
    except OSError:
        _silence(sys.stderr)


def ready() -> None:
    """Let no character be one that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_heard() -> bool:
    """Whether anybody still reads standard output, to which something was printed by others."""
    stream = sys.__stdout__
    if stream is None:
        return False
    if not hasattr(select, "poll"):  # Windows, where nothing but writing tells
        return True
    asked = select.poll()
    asked.register(stream.fileno(), select.POLLOUT)
    if any(told & select.POLLERR for _, told in asked.poll(0)):
        _silence(stream)
        return False
    return True


def finish() -> None:
    """Write out what was printed by others.

    Raises:
        Unheard: standard output takes no more.
    """
    _print("")


def _print(text: str) -> None:
    try:
        _write(sys.stdout, text)
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        message = f"standard output: {error.strerror}; what the command did stands, and its result is not shown"
        raise Unheard(message) from error


def _write(stream: IO[str] | None, text: str) -> None:
    if stream is not None:  # None where it was closed before this process began
        stream.write(text)
        stream.flush()


def _silence(stream: IO[str]) -> None:
    """Let what is left in a stream, and what is still to come, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
