"""Removes published runs that nobody looks at any more. Nothing of what they did is undone or done again."""

import shutil
from datetime import UTC, datetime, timedelta

from pipeline.runs.history import published_runs
from pipeline.runs.outputs import Output


def prune_runs(output: Output, days: int, *, dry_run: bool) -> list[str]:
    """Remove runs that were finished more than so many days ago.

    Returns:
        Their ids, the oldest first.

    Raises:
        Fault: a run cannot be read.
    """
    latest = datetime.now(UTC) - timedelta(days=days)
    runs = [
        run for run in published_runs(output.folder) if datetime.fromisoformat(run.manifest["finished_at"]) < latest
    ]
    for run in () if dry_run else runs:
        # The run is one no more from the first moment on.
        (run.folder / "run.json").unlink()
        shutil.rmtree(run.folder, ignore_errors=True)
        output.remove(run.folder.name)
    return [run.folder.name for run in runs]
