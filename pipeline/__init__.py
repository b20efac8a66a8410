"""Nightly intake of device manifests for Windows Autopilot registration.

    from pathlib import Path
    from pipeline import RunConfig, run

    result = run(RunConfig.beside(Path("inbox")))

`check` judges files before they are delivered, `inspect` shows what a hardware hash holds.
The names are loaded when they are first used, so that the command line starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.check import CheckConfig, Checked, check
    from pipeline.config import RunConfig
    from pipeline.errors import IntakeError
    from pipeline.flow import run
    from pipeline.report.inspection import inspect
    from pipeline.runs.concluding import RunResult

__all__ = ["CheckConfig", "Checked", "IntakeError", "RunConfig", "RunResult", "check", "inspect", "run"]

_HOMES = {
    "CheckConfig": "pipeline.check",
    "Checked": "pipeline.check",
    "IntakeError": "pipeline.errors",
    "RunConfig": "pipeline.config",
    "RunResult": "pipeline.runs.concluding",
    "check": "pipeline.check",
    "inspect": "pipeline.report.inspection",
    "run": "pipeline.flow",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOMES:
        message = f"module 'pipeline' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
