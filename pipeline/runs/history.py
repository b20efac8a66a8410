"""Published runs, as their `run.json` tells of them."""

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Fault
from pipeline.runs.workspace import MANIFEST
from schemas.run import RunManifest

Bring = Callable[[str, str], None]
"""Has the files below a folder of the output at hand whose names end so."""


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """A published run: its folder, and what its `run.json` holds."""

    folder: Path
    manifest: RunManifest


def published_runs(output: Path, latest: int | None = None) -> list[PublishedRun]:
    """The published runs, in the order of their commits.

    Args:
        output: where they are.
        latest: only so many of those that were written last, so that a night costs the same however many there are.

    Raises:
        Fault: one of them cannot be read.
    """
    paths = list(output.glob(f"*/{MANIFEST}"))
    if latest is not None:
        paths = heapq.nlargest(latest, paths, key=lambda path: path.stat().st_mtime_ns)
    found = [PublishedRun(path.parent, _manifest(path)) for path in paths]
    return sorted(found, key=lambda run: (run.manifest["registry_version"]["after"], run.folder.name))


def count_published(output: Path) -> int:
    """How many runs are published."""
    return sum(1 for _ in output.glob(f"*/{MANIFEST}"))


def _manifest(path: Path) -> RunManifest:
    try:
        manifest: RunManifest = json.loads(path.read_text(encoding="utf-8"))
        int(manifest["registry_version"]["after"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path}: is not what a run wrote; restore it, or move its folder out of the output"
        raise Fault(message) from error
    return manifest
