"""The log of the registry's table: what a commit says, and how it comes to be there: whole and durable, or not at all.

The text is that of the Delta protocol. It is written here, since a commit has to be on the disk before it has its name:
one that a power cut emptied would stop every later night.
"""

import json
import os
import secrets
import time
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from pipeline.storage.durable import replace_text, sync, sync_folder

WRITER = "registry-writer"
"""Application transaction that every commit raises by one: a stale handle can then not commit, and one of another
program is found out."""

LOG = "_delta_log"
"""Folder of the log."""

_COMMITS_TO_A_CHECKPOINT = 100
"""So many commits are read one by one at most."""

_DIGEST = "autopilotIntakeDigest"
"""Key of a commit's information whose value is the CRC-32 of the lines after it."""

_END_BYTES = 1_024
"""Bytes that the transactions of a commit take at most."""

_SETTLED = "_settled"
"""File beside the data files that holds the newest version known to have been durable."""

Action = dict[str, dict[str, Any]]
"""A line of a commit, by its kind."""


def place_of(folder: Path, version: int) -> Path:
    """Where the commit of a version lies."""
    return folder / LOG / f"{version:020}.json"


def add(path: Path, records: int) -> Action:
    """A data file that belongs to the table from now on."""
    status = path.stat()
    return {
        "add": {
            "path": path.name,
            "partitionValues": {},
            "size": status.st_size,
            "modificationTime": int(status.st_mtime * 1_000),
            "dataChange": True,
            "stats": json.dumps({"numRecords": records}),
        }
    }


def remove(path: Path) -> Action:
    """A data file whose records another one holds from now on."""
    return {
        "remove": {
            "path": path.name,
            "deletionTimestamp": int(time.time() * 1_000),
            "dataChange": False,
            "extendedFileMetadata": True,
            "partitionValues": {},
            "size": path.stat().st_size,
        }
    }


def transaction(name: str, version: int) -> Action:
    """What an application says of itself with a commit."""
    return {"txn": {"appId": name, "version": version}}


def creation(schema: pa.Schema, description: str) -> list[Action]:
    """A new table, without records."""
    described = {
        "id": str(uuid.uuid4()),
        "name": "registry",
        "description": description,
        "partition_columns": [],
        "configuration": {},
        "created_time": int(time.time() * 1_000),
    }
    protocol: Action = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    return [protocol, _metadata(deltalake.Schema.from_arrow(schema), described)]


def widened(table: DeltaTable, schema: pa.Schema) -> list[Action]:
    """The table's description with the columns that it lacks; nothing where it has them all."""
    own = table.schema()
    known = {field.name for field in own.fields}
    new = [field for field in deltalake.Schema.from_arrow(schema).fields if field.name not in known]
    if not new:
        return []
    told = table.metadata()
    names = ("id", "name", "description", "partition_columns", "configuration", "created_time")
    return [_metadata(deltalake.Schema([*own.fields, *new]), {name: getattr(told, name) for name in names})]


def _metadata(schema: deltalake.Schema, described: dict[str, Any]) -> Action:
    return {
        "metaData": {
            "id": described["id"],
            "name": described["name"],
            "description": described["description"],
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema.to_json(),
            "partitionColumns": described["partition_columns"],
            "configuration": described["configuration"],
            "createdTime": described["created_time"],
        }
    }


def commit(folder: Path, version: int, actions: Iterable[Action]) -> None:
    """Make a version; of several that try at once one succeeds. It is durable before it is there.

    Raises:
        FileExistsError: the version is there already.
    """
    said = "\n".join(_line(action) for action in actions)
    info: Action = {
        "commitInfo": {
            "timestamp": int(time.time() * 1_000),
            "operation": "WRITE",
            "operationParameters": {"mode": "Append", "partitionBy": "[]"},
            "engineInfo": "autopilot-intake",
            _DIGEST: zlib.crc32(said.encode()),
        }
    }
    text = f"{_line(info)}\n{said}"
    unfinished = folder / LOG / f".{version:020}.{secrets.token_hex(8)}.tmp"
    try:
        unfinished.write_text(text, encoding="utf-8")
        sync(unfinished)
        os.link(unfinished, place_of(folder, version), follow_symlinks=False)
        sync_folder(folder / LOG)
    finally:
        unfinished.unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """Whether a commit is what was written: it ends as each does, and no bit of what it says has changed since."""
    text = path.read_bytes()
    first, _, said = text.partition(b"\n")
    try:
        digest = json.loads(first).get("commitInfo", {}).get(_DIGEST)
    except (ValueError, AttributeError):
        return False
    version = int(path.stem)
    end = f'"appId":"{WRITER}","version":{version}}}' if version else '"metaData"'
    return end.encode() in said[-_END_BYTES if version else 0 :] and digest in (None, zlib.crc32(said))


def _is_torn(path: Path) -> bool:
    """Whether a commit is none that any program would write: nothing, or lines without their ends."""
    first, _, said = path.read_bytes().partition(b"\n")
    try:
        lines = [json.loads(line) for line in (first, *said.splitlines())]
        digest = lines[0].get("commitInfo", {}).get(_DIGEST)
    except (ValueError, AttributeError):
        return True
    return digest not in (None, zlib.crc32(said))


def set_torn_aside(folder: Path, published: int) -> list[str]:
    """Take a newest commit that cannot be read out of the log, if a power cut came before it was durable.

    Once it was, something says so: what followed it, the note of `settle`, or the run that was published by it.

    Args:
        folder: the registry.
        published: the newest version of which a published run tells; negative where none does.

    Returns:
        What was done, in sentences.
    """
    newest = max((path for path in (folder / LOG).glob("*.json") if path.stem.isdigit()), default=None)
    if newest is None or not _is_torn(newest) or int(newest.stem) <= max(published, settled(folder)):
        return []
    newest.rename(newest.with_suffix(".torn"))
    sync_folder(folder / LOG)
    told = "was not on the disk when the machine stopped; it is set aside, and what it was to register is read again"
    return [f"registry log {newest}: {told}"]


def settle(folder: Path, version: int) -> None:
    """Note that a version was durable and all that it stood for is done: damage of it is damage from now on."""
    if version > settled(folder):
        replace_text(folder / _SETTLED, f"{version}\n")
        sync(folder / _SETTLED)


def settled(folder: Path) -> int:
    """The newest version that was noted; negative where none was."""
    try:
        return int((folder / _SETTLED).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return -1


def _line(action: Action) -> str:
    return json.dumps(action, separators=(",", ":"))


def checkpoint(folder: Path, version: int) -> None:
    """Sum the log up where it is long; a log that is not summed up is as good."""
    if version % _COMMITS_TO_A_CHECKPOINT:
        return
    table = DeltaTable(folder, version=version)
    try:
        table.create_checkpoint()
        for path in [*(folder / LOG).glob(f"{version:020}.checkpoint*"), folder / LOG / "_last_checkpoint"]:
            sync(path)
        table.cleanup_metadata()
    except (DeltaError, OSError):
        return
