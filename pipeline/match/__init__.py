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
from pipeline.match.matching import match

__all__ = [
    "BLOCKING_TYPES",
    "FEATURES",
    "STRONG_KEYS",
    "ExistingRecords",
    "NoRecords",
    "connected_components",
    "fingerprint",
    "identity_key",
    "match",
    "named_key",
    "relations",
    "serial_forms",
    "with_blocking_keys",
    "with_keys",
]
