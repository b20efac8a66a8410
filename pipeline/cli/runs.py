"""`runs`: what was published."""

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_coloured, tell_json
from pipeline.cli.summary import summary
from pipeline.errors import UsageError
from pipeline.storage.locations import Location, below
from schemas.run import RunManifest


@click.group()
def runs() -> None:
    """Look at published runs, and remove old ones."""


@runs.command("list")
@options.of("runs list")
def list_(output: Location, form: str) -> None:
    """List the published runs, the latest first."""
    found = sorted(_published(output), key=lambda run: str(run["finished_at"]), reverse=True)
    if form == "json":
        tell_json(found)
        return
    for run in found:
        rows = run["rows"]
        tell(
            f"{run['finished_at'][:19]}  {run['run_id']:<28} {rows['read']:>9,} rows = "
            f"{rows.get('settled', 0):,} settled + {rows['registered']:,} registered + "
            f"{rows.get('deregistered', 0):,} deregistered + {rows['rejected']:,} rejected"
        )


@runs.command()
@click.argument("run_id")
@options.of("runs show")
def show(run_id: str, output: Location, form: str) -> None:
    """Show what the run RUN_ID did."""
    manifest = next((run for run in _published(output) if run["run_id"] == run_id), None)
    if manifest is None:
        message = f"run {run_id}: not published in {output}; `runs list` names those that are"
        raise UsageError(message)
    if form == "json":
        tell_json(manifest)
    else:
        tell_coloured(summary(manifest, below(output, run_id)))


@runs.command()
@options.of("runs prune")
def prune(older_than: int, output: Location, form: str, *, dry_run: bool) -> None:
    """Remove published runs. Devices stay registered, and nothing is read or registered again for it."""
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy
    from pipeline.runs.pruning import prune_runs  # noqa: PLC0415 - heavy

    with output_at(output) as at_hand:
        removed = prune_runs(at_hand, older_than, dry_run=dry_run)
    if form == "json":
        tell_json({"runs": removed})
    else:
        tell(*removed, f"{len(removed):,} runs {'would be removed' if dry_run else 'removed'}")


def _published(output: Location) -> list[RunManifest]:
    """What `run.json` holds of each run."""
    from pipeline.runs.history import published_runs  # noqa: PLC0415 - heavy
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy

    with output_at(output) as at_hand:
        return [run.manifest for run in published_runs(at_hand.folder)]
