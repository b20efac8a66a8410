"""Who executes the tasks of a run: this process, worker processes of its own, or the executors of a cluster."""

from pipeline.engine.attempts import of_attempt
from pipeline.engine.context import share, shared
from pipeline.engine.executor import Executor, Key, processors
from pipeline.engine.in_process import InProcess
from pipeline.engine.probing import Sought, Surroundings
from pipeline.engine.processes import Processes
from pipeline.engine.spark import Spark, probe

__all__ = [
    "Executor",
    "InProcess",
    "Key",
    "Processes",
    "Sought",
    "Spark",
    "Surroundings",
    "executor_for",
    "of_attempt",
    "probe",
    "share",
    "shared",
]

_WORTH_WORKERS = 256 << 20
"""Bytes of manifests from which the second or so that worker processes take to start is gained back."""


def executor_for(size: int, workers: int | None) -> Executor:
    """Who executes the tasks of a run on this machine.

    Args:
        size: bytes of the manifests.
        workers: worker processes; 1 for none but this, None for as many as the size is worth.
    """
    number = workers or (processors() if size > _WORTH_WORKERS else 1)
    return Processes(number) if number > 1 else InProcess()
