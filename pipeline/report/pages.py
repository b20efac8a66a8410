"""Pages: self-contained, offline, readable without their script. They are made from `report.json` and nothing else."""

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError
from markupsafe import Markup, escape

from pipeline.errors import Fault
from pipeline.report.charts import heat_map, labels, round_ticks, stack
from pipeline.report.compiled import CompiledTemplates
from pipeline.report.content import REPORT_VERSION
from pipeline.report.grouping import departing, sections, tiles
from pipeline.report.masking import brief_text
from pipeline.report.telling import said_to_operator, said_to_partner
from pipeline.report.trends import night
from pipeline.storage.durable import replace_text
from schemas.run import RunManifest

REPORT = "report"
"""Folder of a published run that holds what people read."""

_DATA, _PAGE = "report.json", "index.html"

_TEMPLATES = Path(__file__).with_name("templates")

DOWNLOADS = {
    "resubmit.xlsx": "your rows to correct, as a workbook",
    "resubmit": "your rows to correct, as CSV",
    "errors": "what is wrong with each row",
    "registered": "what was registered",
    "open": "all that is open, and what it waits for",
    "departures-resubmit": "departures to correct",
    "departures": "what remains to be done for devices that left",
}
"""What the files beside a partner's page are, by how their names begin, in the order in which they are wanted."""

MOST_LISTED = 100
"""Runs that a night lists on the page of all runs, so that no night has to read them all."""
_MOST_RUNS = 1_000
"""Runs that the page lists at most: nearly three years of nights."""
_MOST_CHARTED = 100
"""Runs in the history's charts."""
_PAIR = 2
_FEW_PARTNERS = 15
"""Partners that are shown before the table of all is opened."""
_MOST_PARTNERS = 500
"""Partners of that table; report.json has all."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Ids of the runs that were published before and after one; None where there is none, or not yet."""

    previous: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _Inline:
    """Text that a page carries, and the digest by which its policy allows it."""

    text: Markup
    digest: str


def write_page(folder: Path, content: dict[str, Any], neighbours: Neighbours | None = None) -> None:
    """Write `report.json` and the page that it makes."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (folder / _DATA).write_text(text + "\n", encoding="utf-8")
    (folder / _PAGE).write_text(render(content, neighbours), encoding="utf-8")


def rebuild_pages(run: Path, neighbours: Neighbours | None = None) -> int:
    """Make the pages of a published run anew; each appears at once.

    Args:
        run: its folder.
        neighbours: the runs before and after it.

    Returns:
        How many.

    Raises:
        Fault: a report.json is not what a run of this version wrote.
    """
    sources = [run / REPORT / _DATA, *sorted((run / REPORT).glob(f"*/{_DATA}"))]
    for source in sources:
        _rebuild(source, neighbours)
    return len(sources)


def link_to_next(output: Path, runs: list[str]) -> str | None:
    """Make the page of the last run but one anew, so that it leads to the last one.

    Args:
        output: where runs are published.
        runs: their ids, the latest last.

    Returns:
        The name of the page; None where there is no such run, or an earlier version wrote it.

    Raises:
        Fault: its report.json cannot be read.
    """
    if len(runs) < _PAIR:
        return None
    source = output / runs[-2] / REPORT / _DATA
    if not source.is_file() or f'"report_version":{REPORT_VERSION},' not in source.read_text(encoding="utf-8")[:99]:
        return None
    _rebuild(source, Neighbours(runs[-3] if len(runs) > _PAIR else None, runs[-1]))
    return f"{runs[-2]}/{REPORT}/{_PAGE}"


def _rebuild(source: Path, neighbours: Neighbours | None) -> None:
    try:
        page = render(json.loads(source.read_text(encoding="utf-8")), neighbours)
    except (OSError, ValueError, LookupError, TypeError, TemplateError) as error:
        message = f"{source}: is not what this version wrote ({type(error).__name__}); its page stays as it is"
        raise Fault(message) from error
    replace_text(source.with_name(_PAGE), page)


def render(content: dict[str, Any], neighbours: Neighbours | None = None) -> str:
    """The page of a run or a partner."""
    template = _environment().get_template(f"{content['page']}.html.jinja")
    found = sections(content)
    return template.render(report=content, sections=found, by_tile=tiles(found), neighbours=neighbours or Neighbours())


def write_history(output: Path, runs: list[RunManifest], of: int) -> str:
    """Write the page of all published runs; it appears at once.

    Returns:
        Its name.

    Args:
        output: where runs are published.
        runs: what `run.json` holds of each, the latest last.
        of: how many there are in all.
    """
    listed = [_of_history(run) for run in reversed(runs[-_MOST_RUNS:])]
    trend = [night(run, run) for run in runs[-_MOST_CHARTED:]]
    page = _environment().get_template("history.html.jinja").render(runs=listed, of=of, trend=trend)
    replace_text(output / _PAGE, page)
    return _PAGE


def _of_history(run: RunManifest) -> dict[str, Any]:
    return {
        **night(run, run),
        "files": run["files"]["found"],
        "partners": len(run["partners"]),
        "top_reason": max(run["reasons"], key=lambda code: run["reasons"][code], default=None),
        "seconds": sum(run["seconds"].values()),
    }


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        bytecode_cache=CompiledTemplates(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=lambda value: f"{value:,}",
        percent=lambda value: f"{100 * value:.1f} %",
        change=lambda value: f"{100 * value:+.1f}",
        count=lambda value, noun: f"{value:,} {noun}{'' if value == 1 else 's'}",
        moment=lambda value: f"{value[:10]} {value[11:16]} UTC",
        brief=brief_text,
        changed_first=_changed_first,
        at_underscores=lambda code: escape(code).replace("_", Markup("_<wbr>")),
        said=lambda reason, report: (
            said_to_partner(reason) if report["page"] == "partner" else said_to_operator(reason, report["run_id"])
        ),
        download=lambda name: next((text for stem, text in DOWNLOADS.items() if name.startswith(stem)), ""),
        departing=departing,
        wanted_first=_wanted_first,
    )
    environment.globals.update(few=_FEW_PARTNERS, most_partners=_MOST_PARTNERS)
    environment.globals.update(stack=stack, heat_map=heat_map, labels=labels, round_ticks=round_ticks)
    environment.globals.update(style=_inline("style.css"), script=_inline("page.js"))
    return environment


def _changed_first(partners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scorecard's lines, those whose rejected share changed most first, then those with most rejected rows."""
    return sorted(partners, key=lambda one: (-abs(one["change"] or 0), -one["rows"]["rejected"]))


def _wanted_first(downloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Files beside a page in the order of `DOWNLOADS`, what has no place there last."""
    stems = list(enumerate(DOWNLOADS))
    places = [next((at for at, stem in stems if one["file"].startswith(stem)), len(stems)) for one in downloads]
    return [one for _, one in sorted(zip(places, downloads, strict=True), key=lambda pair: pair[0])]


def _inline(name: str) -> _Inline:
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return _Inline(Markup(text), digest)  # noqa: S704 - our own file
