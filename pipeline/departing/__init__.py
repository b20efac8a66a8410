"""Departures: which registration each row ends, and none but exactly the one that it names."""

from pipeline.departing.deciding import Terms
from pipeline.departing.left import departed, final_before
from pipeline.departing.night import Departures, departing, for_customers

__all__ = ["Departures", "Terms", "departed", "departing", "final_before", "for_customers"]
