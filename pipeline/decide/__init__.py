"""Findings and evidence to one decision for each row. Matching proposes; nothing but this disposes."""

from pipeline.decide.deciding import decide, has_reason, listed

__all__ = ["decide", "has_reason", "listed"]
