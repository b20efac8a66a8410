"""Departures: which registration each row ends, and none but exactly the one that it names."""

from pipeline.departing.deciding import Terms
from pipeline.departing.left import with_departed
from pipeline.departing.night import Departures, departing, for_customers

__all__ = ["Departures", "Terms", "departing", "for_customers", "with_departed"]
