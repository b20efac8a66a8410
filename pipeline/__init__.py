"""Nightly intake of device manifests for Windows Autopilot registration.

    from pathlib import Path
    from pipeline import RunConfig, run

    result = run(RunConfig.beside(Path("inbox")))

The names are loaded when they are first used, so that the command line starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import RunConfig
    from pipeline.errors import IntakeError
    from pipeline.flow import RunResult, run

__all__ = ["IntakeError", "RunConfig", "RunResult", "run"]

_HOMES = {
    "IntakeError": "pipeline.errors",
    "RunConfig": "pipeline.config",
    "RunResult": "pipeline.flow",
    "run": "pipeline.flow",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOMES:
        message = f"module 'pipeline' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)
