"""Findings and evidence to one decision for each row. Matching proposes; nothing but this disposes."""

from pipeline.decide.deciding import beside, concluded, decide, has_reason, listed
from pipeline.decide.finding import find
from pipeline.decide.heeding import WORD

__all__ = ["WORD", "beside", "concluded", "decide", "find", "has_reason", "listed"]
