"""Findings and evidence to one decision for each row. Matching proposes; nothing but this disposes."""

from pipeline.decide.deciding import beside, concluded, decide, has_reason, listed

__all__ = ["beside", "concluded", "decide", "has_reason", "listed"]
