"""`inspect`: what a hardware hash holds."""

import codecs
import os
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json
from pipeline.errors import UsageError
from pipeline.settings import FILE_LIMIT

_FINDINGS = 1
_WIDEST = 120
"""Characters of a value that are shown."""
_LONGEST_NAME = 4_096
"""Characters of the longest path; a hash is as long, and asking the system for such a name is an error."""


@click.command()
@click.argument("hash_", metavar="HASH|-|FILE")
@options.of("inspect")
def inspect(hash_: str, row: int, unmask: bool, form: str) -> int:  # noqa: FBT001 - a flag
    """Show what a hardware hash holds.

    Give the hash itself, - for standard input, or a FILE: a manifest, an OA3 XML file, or a file of the hash alone.
    What a device is recognised by is marked with *, and shown in part; its serial number is shown.
    """
    from pipeline.report.inspection import inspect as inspect_hash  # noqa: PLC0415 - heavy

    described = inspect_hash(_read(hash_, row), unmask=unmask)
    if form == "json":
        tell_json(described)
    else:
        tell(*_told(described))
    return _FINDINGS if described["fault"] else 0


def _read(given: str, row: int) -> str:
    if given == "-":
        raw = sys.stdin.buffer.read()
        marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return raw.decode("utf-16" if marked else "utf-8", "replace")
    try:
        is_file = len(os.fsencode(given)) < _LONGEST_NAME and Path(given).is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        return given
    from pipeline.ingest import Forms, Manifest, begin_reading, ingest  # noqa: PLC0415 - heavy

    reading = begin_reading(Manifest(Path(given).resolve(), given, None, None), FILE_LIMIT)
    seen = 0
    for rows in ingest([reading], Forms()):
        if reading.course.headers and seen + rows.height >= row:
            return str(rows["hardware_hash"][row - seen - 1] or "")
        seen += rows.height
    if reading.course.headers:
        message = f"{given}: has {seen} rows; --row {row} is none of them"
        raise UsageError(message)
    return reading.text()


def _told(described: dict[str, Any]) -> list[str]:
    if "records" not in described:
        return [f"cannot be used: {described['fault']}; `autopilot-intake explain {described['fault']}` says more"]
    verdict = f"cannot be used: {described['fault']}" if described["fault"] else "verified"
    repaired = ", its text repaired" if described["repaired"] else ""
    lines = [f"{verdict}{repaired}: {described['bytes']:,} bytes, id {described['hardware_hash_id']}", "", "identity"]
    lines += [f"  {name:<20} {_value(value)}" for name, value in described["identity"].items()]
    lines += ["", "records"]
    return lines + [
        f"{'*' if entry['identity'] else ' '} {entry['type']:>3} {entry['name']:<20} {_value(entry['value'])}"
        for entry in described["records"]
    ]


def _value(value: object) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{name} {part}" for name, part in value.items())
    elif isinstance(value, list):
        text = "; ".join(_value(part) for part in value)
    else:
        text = "-" if value is None else str(value)
    return text if len(text) <= _WIDEST else text[:_WIDEST] + "…"
