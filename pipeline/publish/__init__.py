"""Decisions and staged rows to the published sets and the registry's new records."""

from pipeline.publish.assembling import Stamp
from pipeline.publish.bundle import Context
from pipeline.publish.sets import publish, write_files

__all__ = ["Context", "Stamp", "publish", "write_files"]
