"""`report`: the pages of published runs, made anew."""

from pathlib import Path

import click

from pipeline.cli import options
from pipeline.errors import UsageError


@click.command()
@click.argument("run_id", nargs=-1)
@options.output_beside
@options.option("--all", "every", is_flag=True, help="Make the pages of every run anew, too.")
@options.config
def report(run_id: tuple[str, ...], output: Path, every: bool) -> None:  # noqa: FBT001 - a flag
    """Make the page of all published runs anew, and the pages of the runs RUN_ID...

    Pages are made from each run's report.json; nothing else of a run is touched.
    """
    from pipeline.history import published_runs  # noqa: PLC0415 - heavy
    from pipeline.report import rebuild_pages, write_history  # noqa: PLC0415 - heavy

    runs = published_runs(output)
    unknown = set(run_id) - {run.folder.name for run in runs}
    if unknown:
        message = f"run {min(unknown)}: not published in {output}; `runs list` names those that are"
        raise UsageError(message)
    wanted = [run.folder for run in runs if every or run.folder.name in run_id]
    pages = sum(rebuild_pages(folder) for folder in wanted)
    if output.is_dir():
        write_history(output, [run.manifest for run in runs])
    click.echo(f"{output / 'index.html'}: {len(runs):,} runs; {pages:,} pages of {len(wanted):,} runs made anew")
