"""Which sheets of a workbook are read, and what is known of it as a file."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pipeline.ingest.encoding import CHUNK
from pipeline.ingest.layout import Forms
from pipeline.ingest.preamble import find_opening
from pipeline.ingest.states import State, state_of_open
from pipeline.ingest.stored import NO_TEXT, NUMBER, ROUNDED
from pipeline.ingest.survey import Survey, unread
from pipeline.ingest.unheaded import compound_kind
from pipeline.ingest.workbook import SEPARATED, UNREADABLE, Sheet, TooLargeError, read_workbook
from schemas.identities import HARDWARE_HASH, THIRTEEN_DIGITS

SPOILT = {
    "serial_number": NUMBER + ROUNDED + NO_TEXT,
    "manufacturer": NUMBER + ROUNDED + NO_TEXT,
    "model": ROUNDED + NO_TEXT,
}
"""How a cell is stored that may be another than was typed, by column; a product ID shows it by its form."""

_IDENTIFIES = re.compile(f"{HARDWARE_HASH}|{THIRTEEN_DIGITS}".encode(), re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Book:
    """A workbook that was read.

    Attributes:
        survey: what is known of it as a file.
        sheets: what its sheets hold, by name; none where it cannot be read.
        passed_over: sheets without a header, and nothing that may be a device, beside one that has a header.
    """

    survey: Survey
    sheets: dict[str, Sheet]
    passed_over: frozenset[str]


def book_of(path: Path, opened: Callable[[], BinaryIO], kind: str, limit: int, most_rows: int) -> Book:
    """Read a workbook, or find it read already; its sheets are asked for one after the other.

    Args:
        path: the file.
        opened: opens it.
        kind: of the manifest.
        limit: most bytes of what is packed in it, and of its text.
        most_rows: most rows of a sheet below its first.
    """
    try:
        with opened() as file:
            return _book(_Opened(file, path), state_of_open(file), kind, limit, most_rows)
    except OSError:
        return Book(unread(State(0, 0, 0, 0)), {}, frozenset())


class _Opened:
    """An open file that is told from others by its path alone."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path

    def __hash__(self) -> int:
        return hash(self.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opened) and other.path == self.path


@lru_cache(maxsize=1)
def _book(opened: _Opened, state: State, kind: str, limit: int, most_rows: int) -> Book:
    digest = hashlib.sha256()
    while chunk := opened.file.read(CHUNK):
        digest.update(chunk)
    survey = replace(unread(state), readable=True, sha256=digest.hexdigest())
    opened.file.seek(0)
    try:
        sheets = read_workbook(opened.file, limit, most_rows)
    except TooLargeError:
        return Book(replace(survey, readable=False, too_large=True), {}, frozenset())
    except UNREADABLE:
        opened.file.seek(0)
        return Book(replace(survey, readable=False, what=compound_kind(opened.file.read(limit))), {}, frozenset())
    openings = {name: find_opening(sheet.text, Forms(), kind, is_whole=True) for name, sheet in sheets.items()}
    headers = {name: opening.header for name, opening in openings.items() if opening and opening.header}
    for name, header in headers.items():
        if len(header.cells) == 1:
            sheets[name] = replace(sheets[name], text=SEPARATED + sheets[name].text)
    named = {name for name, header in headers.items() if not header.is_assumed}
    others = (name for name in sheets if named and name not in named)
    return Book(survey, sheets, frozenset(name for name in others if not _IDENTIFIES.search(sheets[name].text)))
