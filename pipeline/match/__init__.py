"""Devices against each other and against the existing records: pairs with evidence, and who is one device."""

from pipeline.match.cluster import connected_components
from pipeline.match.compare import FEATURES, relations
from pipeline.match.damaged import serial_forms
from pipeline.match.existing import ExistingRecords, NoRecords
from pipeline.match.keys import (
    BLOCKING_TYPES,
    STRONG_KEYS,
    fingerprint,
    identity_key,
    named_key,
    with_blocking_keys,
    with_keys,
)
from pipeline.match.lookalikes import find_lookalikes, met_by_serial
from pipeline.match.matching import Candidates, compare_all, compare_candidates, find_candidates, match

__all__ = [
    "BLOCKING_TYPES",
    "FEATURES",
    "STRONG_KEYS",
    "Candidates",
    "ExistingRecords",
    "NoRecords",
    "compare_all",
    "compare_candidates",
    "connected_components",
    "find_candidates",
    "find_lookalikes",
    "fingerprint",
    "identity_key",
    "match",
    "met_by_serial",
    "named_key",
    "relations",
    "serial_forms",
    "with_blocking_keys",
    "with_keys",
]
