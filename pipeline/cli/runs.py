"""`runs`: what was published."""

import json
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.run import told
from pipeline.errors import UsageError
from schemas.run import RunManifest


@click.group()
def runs() -> None:
    """Look at published runs."""


@runs.command("list")
@options.output_beside
@options.output_format
@options.config
def list_(output: Path, form: str) -> None:
    """List the published runs, the latest first."""
    found = sorted(_published(output), key=lambda run: str(run["finished_at"]), reverse=True)
    if form == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for run in found:
        rows = run["rows"]
        click.echo(
            f"{run['finished_at'][:19]}  {run['run_id']:<28} {rows['read']:>9,} rows = "
            f"{rows['registered']:,} registered + {rows['rejected']:,} rejected"
        )


@runs.command()
@click.argument("run_id")
@options.output_beside
@options.output_format
@options.config
def show(run_id: str, output: Path, form: str) -> None:
    """Show what the run RUN_ID did."""
    manifest = next((run for run in _published(output) if run["run_id"] == run_id), None)
    if manifest is None:
        message = f"run {run_id}: not published in {output}; `runs list` names those that are"
        raise UsageError(message)
    as_json = json.dumps(manifest, indent=2, ensure_ascii=False)
    click.echo(as_json if form == "json" else told(manifest, output / run_id))


def _published(output: Path) -> list[RunManifest]:
    """What `run.json` holds of each run."""
    from pipeline.history import published_runs  # noqa: PLC0415 - heavy

    return [run.manifest for run in published_runs(output)]
