"""Pages about several runs: the list of all, and the way from one to the next."""

from pipeline.report import MOST_LISTED, link_to_next, write_history
from pipeline.runs.history import count_published, published_runs
from pipeline.runs.outputs import Output


def renew_pages(output: Output) -> None:
    """Write the page of all runs anew, and let the page of the last but one lead to the last.

    Raises:
        Fault: a run cannot be read.
        OSError: a page cannot be written.
    """
    runs = [run.manifest for run in published_runs(output.folder, MOST_LISTED)]
    output.show(write_history(output.folder, runs, count_published(output.folder)))
    names = [run["run_id"] for run in runs]
    for before in names[-2:-1]:
        output.bring(f"{before}/report", f"{before}/report/report.json")
    page = link_to_next(output.folder, names)
    if page is not None:
        output.show(page)
