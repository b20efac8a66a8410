"""Pages: self-contained, offline, readable without their script. They are made from `report.json` and nothing else."""

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from pipeline.errors import Fault
from pipeline.report.masking import brief_text
from pipeline.report.trends import night
from pipeline.storage.durable import replace_text
from schemas.run import RunManifest

REPORT = "report"
"""Folder of a published run that holds what people read."""

_DATA, _PAGE = "report.json", "index.html"

_MOST_PARTNERS = 500
"""Partners of a scorecard, those with most rejected rows first; report.json has all."""
MOST_LISTED = 100
"""Runs that a night lists on the page of all runs, so that no night has to read them all."""
_MOST_RUNS = 1_000
"""Runs that the page lists at most: nearly three years of nights."""
_MOST_CHARTED = 100
"""Runs in the history's chart."""


@dataclass(frozen=True, slots=True)
class _Inline:
    """Text that a page carries, and the digest by which its policy allows it."""

    text: Markup
    digest: str


def write_page(folder: Path, content: dict[str, Any]) -> None:
    """Write `report.json` and the page that it makes."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (folder / _DATA).write_text(text + "\n", encoding="utf-8")
    (folder / _PAGE).write_text(render(content), encoding="utf-8")


def rebuild_pages(run: Path) -> int:
    """Make the pages of a published run anew; each appears at once.

    Returns:
        How many.

    Raises:
        Fault: a report.json is not what a run of this version wrote.
    """
    sources = [run / REPORT / _DATA, *sorted((run / REPORT).glob(f"*/{_DATA}"))]
    for source in sources:
        try:
            page = render(json.loads(source.read_text(encoding="utf-8")))
        except (OSError, ValueError, LookupError, TypeError, TemplateError) as error:
            message = f"{source}: is not what this version wrote ({type(error).__name__}); its page stays as it is"
            raise Fault(message) from error
        replace_text(source.with_name(_PAGE), page)
    return len(sources)


def render(content: dict[str, Any]) -> str:
    """The page of a run or a partner."""
    template = _environment().get_template(f"{content['page']}.html.jinja")
    return template.render(report=content, most_partners=_MOST_PARTNERS)


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
    )
    environment.globals.update(style=_inline("style.css"), script=_inline("page.js"))
    return environment


def _inline(name: str) -> _Inline:
    text = (files("pipeline.report") / "templates" / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return _Inline(Markup(text), digest)  # noqa: S704 - our own file
