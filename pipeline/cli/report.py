"""`report`: the pages of published runs, made anew."""

import click

from pipeline.cli import options
from pipeline.cli.printing import tell
from pipeline.errors import UsageError
from pipeline.storage.locations import Location, below


@click.command()
@click.argument("run_id", nargs=-1)
@options.of("report")
def report(run_id: tuple[str, ...], output: Location, *, every: bool) -> None:
    """Make the page of all published runs anew, and the pages of the runs RUN_ID...

    Pages are made from each run's report.json; nothing else of a run is touched.
    """
    from pipeline.report import Neighbours, rebuild_pages, write_history  # noqa: PLC0415 - heavy
    from pipeline.runs.history import published_runs  # noqa: PLC0415 - heavy
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy

    with output_at(output) as at_hand:
        if not at_hand.folder.is_dir():
            message = f"output {output}: not found; name the folder of published runs with --output"
            raise UsageError(message)
        runs = published_runs(at_hand.folder)
        unknown = set(run_id) - {run.folder.name for run in runs}
        if unknown:
            message = f"run {min(unknown)}: not published in {output}; `runs list` names those that are"
            raise UsageError(message)
        wanted = [run.folder.name for run in runs if every or run.folder.name in run_id]
        pages = 0
        names = [None, *(run.folder.name for run in runs), None]
        beside = {name: Neighbours(*pair) for name, *pair in zip(names[1:], names, names[2:], strict=False)}
        for name in wanted:
            at_hand.bring(f"{name}/report", "report.json")
            pages += rebuild_pages(at_hand.folder / name, beside[name])
            at_hand.show(f"{name}/report")
        at_hand.show(write_history(at_hand.folder, [run.manifest for run in runs], len(runs)))
    tell(f"{below(output, 'index.html')}: {len(runs):,} runs; {pages:,} pages of {len(wanted):,} runs made anew")
