"""Header lines to canonical columns."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from pipeline.ingest.fields import TRIMMED, split_line
from pipeline.ingest.headings import CORRECTS, RESENT, SENT_AGAIN, column_of, compared, is_label, near_column
from pipeline.ingest.secrets import MASK, mask_in_name
from schemas.columns import MANIFEST_COLUMNS, TENANT
from schemas.identities import HARDWARE_HASH, THIRTEEN_DIGITS
from schemas.kinds import KINDS, REGISTRATION

CELLS = tuple(MANIFEST_COLUMNS)
"""Canonical columns of a row of any manifest, as delivered."""

DELIMITERS = (",", ";", "\t")

HEADER_HINTS = tuple(
    dict.fromkeys(max(name.lower().split(), key=len) for column in MANIFEST_COLUMNS.values() for name in column.names)
)
"""Any name of a column holds one of these, its longest word: the cheap test before the exact one."""

SEPARATOR = re.compile(r'\ufeff?"?sep=([,;\t])"?[,;\t ]*', re.IGNORECASE)
"""The line that tells a spreadsheet what separates fields."""

_TYPE = re.compile(r'\ufeff?"?#TYPE\b.*', re.IGNORECASE)

_EXACT = frozenset(
    {
        "Device Serial Number,Windows Product ID,Hardware Hash",
        "Device Serial Number,Windows Product ID,Hardware Hash,Group Tag",
        "Device Serial Number,Windows Product ID,Hardware Hash,Group Tag,Assigned User",
        "Device Serial Number,Windows Product ID,Hardware Hash,Manufacturer name,Device model",
    }
)
_ROW_LIMIT_INTUNE, _ROW_LIMIT_OTHERS = 500, 1_000
_MAY_BE_MISSING = {name for name, column in MANIFEST_COLUMNS.items() if column.may_be_missing}
_LEAST_FILLED = 3
_MOST_SPARE = 100
"""Columns without a name at the end of a header of which cells are read; a sheet may be exported at its full width."""

_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Header:
    """One header line.

    Attributes:
        cells: the names as written.
        columns: for each of them the canonical column, None for an unknown one.
        delimiter: what separates the fields of the lines below it.
        exact: it is one of the documented lines, character for character.
        kind: of the manifest that it stands in.
        is_assumed: no line is it; the file is a list of one column.
        spare: empty fields at its end: columns without a name, which records may have or not.
    """

    cells: tuple[str, ...]
    columns: tuple[str | None, ...]
    delimiter: str
    exact: bool
    kind: str = REGISTRATION
    is_assumed: bool = False
    spare: int = 0

    def __post_init__(self) -> None:
        """A product key in a name is seen by nobody."""
        object.__setattr__(self, "cells", tuple(mask_in_name(cell) for cell in self.cells))

    @property
    def exposes_key(self) -> bool:
        """Whether a column was named by a product key."""
        return any(MASK in cell for cell in self.cells)

    @property
    def layout(self) -> str:
        """Name of the layout by its columns, whatever their order and spelling; the tenant column does not count."""
        known = {column for column in self.columns if column not in {None, TENANT}}
        for name, columns in _LAYOUTS.items():
            if known in columns:
                return name
        return "other"

    @property
    def least(self) -> int:
        """Fields that a record must have: cells of the last columns may be missing where they are seldom filled."""
        width = len(self.columns)
        while width > 1 and self.columns[width - 1] in _MAY_BE_MISSING:
            width -= 1
        return width

    @property
    def most(self) -> int:
        """Fields that a record may have."""
        return len(self.columns) + self.spare

    @property
    def others(self) -> list[int]:
        """Positions of the columns that are not on the list."""
        names = [compared(cell) for cell in self.cells]
        silent = RESENT if SENT_AGAIN in names else frozenset[str]()
        unknown = (
            at
            for at, (cell, name, column) in enumerate(zip(self.cells, names, self.columns, strict=True))
            if column is None and name not in silent and not is_label(cell)
        )
        return [*unknown, *range(len(self.cells), self.most)]

    @property
    def corrects(self) -> int | None:
        """Position of the column that names what a row corrects; None where it is no list of rows to be corrected."""
        names = [compared(cell) for cell in self.cells]
        return names.index(CORRECTS) if CORRECTS in names and SENT_AGAIN in names else None

    @property
    def unnamed(self) -> list[int]:
        """Positions of the columns that have no name."""
        return [at for at in self.others if not self._name(at)]

    @property
    def ignored(self) -> list[str]:
        """Names of columns that are not on the list."""
        return [name for at in self.others if (name := self._name(at))]

    @property
    def other_names(self) -> str | None:
        """Names of the columns that are not on the list, one a line; None where all are."""
        return "\n".join(map(self._name, self.others)) if self.others else None

    def _name(self, at: int) -> str:
        return self.cells[at].strip(TRIMMED) if at < len(self.cells) else ""

    @property
    def unclear(self) -> list[tuple[str, str]]:
        """Names that may mean a column, or stand for one that has another already, each with that column's."""
        return [(name, meaning) for name in self.ignored if (meaning := near_column(name, self.kind))]

    def separated_by(self, delimiter: str) -> "Header":
        """The same of a single name, which does not show what separates fields."""
        return replace(self, delimiter=delimiter, spare=self.spare if delimiter == self.delimiter else 0)


def row_limit(layout: str | None) -> int:
    """Most rows that Microsoft's upload of a layout takes."""
    return _ROW_LIMIT_INTUNE if layout == "intune" else _ROW_LIMIT_OTHERS


_BASE = {"serial_number", "windows_product_id", "hardware_hash"}
_LAYOUTS = {
    "store": (_BASE,),
    "intune": (_BASE | {"group_tag"}, _BASE | {"assigned_user"}, _BASE | {"group_tag", "assigned_user"}),
    "partner_center": (_BASE | {"manufacturer", "model"},),
}


def parse_header(line: str, kind: str = REGISTRATION) -> Header | None:
    """The header of a kind of manifest that a line is, or None.

    A header names what a device is known by, and no column twice.
    """
    bare = line.removeprefix(_BYTE_ORDER_MARK)
    for delimiter in DELIMITERS:
        cells, spare = _names(bare, delimiter)
        columns = _columns(cells, kind)
        known = {column for column in columns if column}
        if len(known) == sum(map(bool, columns)) and any(group <= known for group in KINDS[kind].headers):
            return Header(cells, columns, delimiter, exact=bare in _EXACT, kind=kind, spare=spare)
    return None


def parse_names(line: str, delimiter: str, kind: str) -> Header | None:
    """The header that a line is of which at least half the filled cells are names of columns, or None.

    Of two names of one column only the first stands for it.
    """
    cells, spare = _names(line.removeprefix(_BYTE_ORDER_MARK), delimiter)
    columns: list[str | None] = []
    named = 0
    for column in _columns(cells, kind):
        named += column is not None
        columns.append(None if column in columns else column)
    filled = sum(1 for cell in cells if cell.strip(TRIMMED))
    is_one = named and 2 * named >= filled
    return Header(cells, tuple(columns), delimiter, exact=False, kind=kind, spare=spare) if is_one else None


def assumed_header(kind: str, delimiter: str) -> Header | None:
    """The header of a file without one that is a list; None where a file of this kind is none."""
    column = KINDS[kind].list_of
    if column is None:
        return None
    return Header((KINDS[kind].columns[column][0],), (column,), delimiter, exact=True, kind=kind, is_assumed=True)


def _columns(cells: tuple[str, ...], kind: str) -> tuple[str | None, ...]:
    names = [compared(cell) for cell in cells]
    silent = RESENT if SENT_AGAIN in names else frozenset[str]()
    return tuple(None if name in silent else column_of(cell, kind) for cell, name in zip(cells, names, strict=True))


def _names(line: str, delimiter: str) -> tuple[tuple[str, ...], int]:
    """Fields of a line up to the last that is not empty, and how many follow it."""
    cells = split_line(line, delimiter) or []
    given = len(cells)
    while cells and not cells[-1].strip(TRIMMED):
        cells.pop()
    return tuple(cells), min(given - len(cells), _MOST_SPARE)


def is_blank(line: str, delimiter: str) -> bool:
    """Whether a line holds only delimiters and blanks, and so is no record."""
    return not line.strip(TRIMMED + delimiter)


def is_remark(line: str) -> bool:
    """Whether a line before the header only says something to a program."""
    return bool(SEPARATOR.fullmatch(line) or _TYPE.fullmatch(line))


def may_be_row(line: str, header: Header) -> bool:
    """Whether a line before the header could be a device's: by a hash or product ID in it, or as full as the header."""
    filled = sum(
        1 for cell in split_line(line, header.delimiter) or line.split(header.delimiter) if cell.strip(TRIMMED)
    )
    names = sum(1 for cell in header.cells if cell.strip(TRIMMED))
    is_full = filled >= max(names, _LEAST_FILLED)
    return is_full or bool(re.search(HARDWARE_HASH, line) or re.search(THIRTEEN_DIGITS, line))


def guess_delimiter(line: str) -> str:
    """The delimiter of a file without a header: the most frequent one of its first line."""
    return max(DELIMITERS, key=line.count)


class Forms:
    """The different headers of many files, each with a number of its own."""

    def __init__(
        self,
        find_header: Callable[[str, str], Header | None] = parse_header,
        hints: tuple[str, ...] = HEADER_HINTS,
    ) -> None:
        self.headers: list[Header] = []
        self.hints = list(hints)
        self.find_header = lru_cache(maxsize=1_024)(find_header)
        self._by_half = find_header is parse_header
        self._numbers: dict[Header, int] = {}

    def find_again(self, line: str, before: Header) -> Header | None:
        """The header that a later line is, or None; `before` is that of the lines before.

        A single name does not show what separates fields, so that stays as it was.
        """
        header = self.find_header(line, before.kind)
        if header and len(header.cells) == 1:
            return header.separated_by(before.delimiter)
        return header or (parse_names(line, before.delimiter, before.kind) if self._by_half else None)

    def number(self, header: Header) -> int:
        """The header's number."""
        if header not in self._numbers:
            self._numbers[header] = len(self.headers)
            self.headers.append(header)
        return self._numbers[header]

    def with_column(self, name: str) -> list[int]:
        """Numbers of the headers that have a column."""
        return [number for number, header in enumerate(self.headers) if name in header.columns]
