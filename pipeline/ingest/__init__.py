"""Bytes to rows: finds the manifests of an inbox and reads their records, whatever their form and damage."""

from pipeline.ingest.cells import Forms
from pipeline.ingest.inbox import Inbox, Manifest, find_manifests
from pipeline.ingest.manifest import ManifestReader, read_rows

__all__ = ["Forms", "Inbox", "Manifest", "ManifestReader", "find_manifests", "read_rows"]
