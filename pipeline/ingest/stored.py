"""How a spreadsheet stores a cell, and what field of a line that makes."""

import re
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TypeAlias

from pipeline.ingest.fields import LINE_BREAKS
from schemas.identities import HARDWARE_HASH

_ROUNDED_FROM = 10**15
"""Spreadsheets keep fifteen digits of a number."""

_QUOTED = re.compile(r'[\t"]')
_BREAKS = re.compile(r"\r\n?|\n")
NUMBER, ROUNDED, NO_TEXT, TEXT = "nxo."
"""How a cell is stored: as a whole number, as one that lost digits or has a fraction, as a date, truth value or error,
and as text."""

Cell: TypeAlias = str | float | bool | date | time | timedelta


def as_field(cell: str) -> str:
    """A cell as a field; line breaks inside become a character that no name or number has, but in a hash blanks."""
    if "\n" in cell or "\r" in cell:
        inside = " " if re.search(HARDWARE_HASH, cell) else "\v"
        cell = _BREAKS.sub(inside, cell.strip(LINE_BREAKS))
    if _QUOTED.search(cell):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def value_as_field(cell: float | date | time | timedelta) -> tuple[str, str]:
    """What is no text, as text, and how it is stored."""
    if isinstance(cell, bool):
        return str(cell).upper(), NO_TEXT
    if not isinstance(cell, int | float):
        return str(cell), NO_TEXT
    if cell != cell or cell in (float("inf"), float("-inf")):  # noqa: PLR0124 - no number
        return str(cell), NO_TEXT
    if cell == int(cell):
        return str(int(cell)), NUMBER if abs(cell) < _ROUNDED_FROM else ROUNDED
    return f"{Decimal(repr(cell)):f}", ROUNDED
