"""What a run tells people: numbers, pages, and files that a partner can act on."""

from pipeline.report.exports import Exports
from pipeline.report.pages import write_pages
from pipeline.report.summary import Summary, summarize

__all__ = ["Exports", "Summary", "summarize", "write_pages"]
