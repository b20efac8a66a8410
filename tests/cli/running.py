"""The real command line, in this process or in one of its own."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from pipeline.cli.main import main


def command(*arguments, cwd, stdin=None, full=(), **environment):
    """What the entry point does, without the seconds that a process of its own takes to import.

    Of `stdout` and `stderr` those that are `full` take nothing.
    """
    out, err = (_stream(is_full=name in full) for name in ("stdout", "stderr"))
    given = io.TextIOWrapper(io.BytesIO((stdin or "").encode()), encoding="utf-8")
    argv = ["autopilot-intake", *map(str, arguments)]
    place, handler, mask = Path.cwd(), signal.getsignal(signal.SIGTERM), os.umask(0o022)
    os.umask(mask)
    os.chdir(cwd)
    try:
        with (
            patch.dict(os.environ, environment),
            patch.multiple(sys, argv=argv, stdin=given, stdout=out, stderr=err),
        ):
            main()
    except SystemExit as done:
        code = done.code
    finally:
        os.chdir(place)
        os.umask(mask)
        signal.signal(signal.SIGTERM, handler)
    return subprocess.CompletedProcess(argv, code, _told(out), _told(err))


def _stream(*, is_full):
    return io.TextIOWrapper(open("/dev/full", "wb") if is_full else io.BytesIO(), encoding="utf-8")  # noqa: PTH123


def _told(stream):
    with stream:
        stream.flush()
        return stream.buffer.getvalue().decode() if isinstance(stream.buffer, io.BytesIO) else ""


def process(*arguments, cwd, stdin=None, **environment):
    """The same in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
