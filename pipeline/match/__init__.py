"""Devices against each other and against the existing records: pairs with evidence, and who is one device."""

from pipeline.match.existing import ExistingRecords
from pipeline.match.matching import Matches, match

__all__ = ["ExistingRecords", "Matches", "match"]
