"""The existing device records: one Delta table, whose commit is the only commit point of a run."""

from pipeline.registry.table import Registry
from pipeline.registry.writer import RegistryWriter, Written

__all__ = ["Registry", "RegistryWriter", "Written"]
