"""Matching by deals: what hangs together is compared, and its findings put together, by one task."""

from pipeline.deals.dealing import Dealer

__all__ = ["Dealer"]
