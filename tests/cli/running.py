"""The real command line, in this process or in one of its own."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from pipeline.cli.main import main


def command(*arguments, cwd, stdin=None, **environment):
    """What the entry point does, without the seconds that a process of its own takes to import."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
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
    told = (stream.buffer.getvalue().decode() for stream in (out, err) if stream.flush() is None)
    return subprocess.CompletedProcess(argv, code, *told)


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
