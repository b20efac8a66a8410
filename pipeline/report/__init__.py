"""What a run tells people: numbers, pages, and files that a partner can act on."""

from pipeline.report.cases import tell_cases
from pipeline.report.fragments import Fragment, Tables
from pipeline.report.names import Names
from pipeline.report.open_rows import OpenRows, Tonight
from pipeline.report.pages import MOST_LISTED, Neighbours, link_to_next, rebuild_pages, write_history
from pipeline.report.reporter import Reporter
from pipeline.report.summary import Summary, summarize
from pipeline.report.trends import MOST_NIGHTS

__all__ = [
    "MOST_LISTED",
    "MOST_NIGHTS",
    "Fragment",
    "Names",
    "Neighbours",
    "OpenRows",
    "Reporter",
    "Summary",
    "Tables",
    "Tonight",
    "link_to_next",
    "rebuild_pages",
    "summarize",
    "tell_cases",
    "write_history",
]
