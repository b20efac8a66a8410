"""The existing device records: one Delta table, whose commit is the only commit point of a run."""

from pipeline.registry.identifiers import request_id
from pipeline.registry.looking import LookingByTasks
from pipeline.registry.requests import FILE_TYPES, PENDING_TYPES, Requests
from pipeline.registry.table import Registry
from pipeline.registry.writer import RegistryWriter, Written, fill

__all__ = [
    "FILE_TYPES",
    "PENDING_TYPES",
    "LookingByTasks",
    "Registry",
    "RegistryWriter",
    "Requests",
    "Written",
    "fill",
    "request_id",
]
