"""What a run tells people: numbers, pages, and files that a partner can act on."""

from pipeline.report.cases import tell_cases
from pipeline.report.pages import rebuild_pages, write_history
from pipeline.report.reporter import Reporter
from pipeline.report.summary import Summary, summarize

__all__ = ["Reporter", "Summary", "rebuild_pages", "summarize", "tell_cases", "write_history"]
