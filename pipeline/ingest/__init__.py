"""Bytes to rows: finds the manifests of an inbox and reads their records, whatever their form and damage."""

from pipeline.ingest.file_read import FileRead, file_read
from pipeline.ingest.inbox import Inbox, Manifest, find_manifests, inbox_at, with_sheets
from pipeline.ingest.layout import Forms
from pipeline.ingest.manifest import Reading, begin_reading, ingest, unread_rows

__all__ = [
    "FileRead",
    "Forms",
    "Inbox",
    "Manifest",
    "Reading",
    "begin_reading",
    "file_read",
    "find_manifests",
    "inbox_at",
    "ingest",
    "unread_rows",
    "with_sheets",
]
