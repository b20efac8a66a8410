"""Header lines to canonical columns."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pipeline.ingest.fields import TRIMMED, split_line
from pipeline.ingest.secrets import MASK, mask_in_name

CELLS = (
    "serial_number",
    "windows_product_id",
    "hardware_hash",
    "manufacturer",
    "model",
    "group_tag",
    "assigned_user",
    "tenant",
)
"""Canonical columns of a manifest row, as delivered."""

DELIMITERS = (",", ";", "\t")

_NAMES: dict[str, tuple[str, ...]] = {
    "serial_number": ("Device Serial Number", "Serial Number", "Device Serial"),
    "windows_product_id": ("Windows Product ID", "Product Key ID", "PKID", "Windows Product Key ID"),
    "hardware_hash": ("Hardware Hash", "HardwareHash", "Device Hardware Data", "4K HH"),
    "manufacturer": ("Manufacturer name", "Manufacturer", "OEM Manufacturer Name"),
    "model": ("Device model", "Model", "Model Name"),
    "group_tag": ("Group Tag", "Order ID", "GroupTag"),
    "assigned_user": ("Assigned User", "UPN", "User Principal Name"),
    "tenant": ("Tenant ID", "Customer ID", "Customer Tenant ID"),
}
MANIFEST_COLUMNS: dict[str, str] = {name.lower(): cell for cell, names in _NAMES.items() for name in names}

HEADER_HINTS = tuple(
    name.lower() for cell in ("hardware_hash", "windows_product_id", "serial_number") for name in _NAMES[cell]
)
"""Any header holds one of these, and hardly any other line does: the cheap test before the exact one."""

_EXACT = frozenset(
    {
        "Device Serial Number,Windows Product ID,Hardware Hash",
        "Device Serial Number,Windows Product ID,Hardware Hash,Group Tag",
        "Device Serial Number,Windows Product ID,Hardware Hash,Group Tag,Assigned User",
        "Device Serial Number,Windows Product ID,Hardware Hash,Manufacturer name,Device model",
    }
)
_ROW_LIMIT_INTUNE, _ROW_LIMIT_OTHERS = 500, 1_000
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Header:
    """One header line.

    Attributes:
        cells: the names as written.
        columns: for each of them the canonical column, None for an unknown one.
        delimiter: what separates the fields of the lines below it.
        exact: it is one of the documented lines, character for character.
    """

    cells: tuple[str, ...]
    columns: tuple[str | None, ...]
    delimiter: str
    exact: bool

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
        known = {column for column in self.columns if column not in {None, "tenant"}}
        for name, columns in _LAYOUTS.items():
            if known in columns:
                return name
        return "other"


def row_limit(layout: str | None) -> int:
    """Most rows that Microsoft's upload of a layout takes."""
    return _ROW_LIMIT_INTUNE if layout == "intune" else _ROW_LIMIT_OTHERS


_BASE = {"serial_number", "windows_product_id", "hardware_hash"}
_LAYOUTS = {
    "store": (_BASE,),
    "intune": (_BASE | {"group_tag"}, _BASE | {"assigned_user"}, _BASE | {"group_tag", "assigned_user"}),
    "partner_center": (_BASE | {"manufacturer", "model"},),
}


def parse_header(line: str, names: dict[str, str] = MANIFEST_COLUMNS) -> Header | None:
    """The header that a line is, or None.

    A header names the hash, or the product ID, or serial, manufacturer and model, and no column twice.
    """
    bare = line.removeprefix(_BYTE_ORDER_MARK)
    for delimiter in DELIMITERS:
        cells = split_line(bare, delimiter)
        while cells and not cells[-1].strip(TRIMMED):
            cells.pop()
        columns = tuple(names.get(cell.strip(TRIMMED).lower()) for cell in cells or ())
        known = [column for column in columns if column]
        if len(known) == len(set(known)) and _names_a_device(set(known)):
            return Header(tuple(cells or ()), columns, delimiter, exact=bare in _EXACT)
    return None


def _names_a_device(columns: set[str]) -> bool:
    return (
        "hardware_hash" in columns
        or "windows_product_id" in columns
        or {"serial_number", "manufacturer", "model"} <= columns
    )


def is_blank(line: str, delimiter: str) -> bool:
    """Whether a line holds only delimiters and blanks, and so is no record."""
    return not line.strip(TRIMMED + delimiter)


def guess_delimiter(line: str) -> str:
    """The delimiter of a file without a header: the most frequent one of its first line."""
    return max(DELIMITERS, key=line.count)


class Forms:
    """The different headers of many files, each with a number of its own."""

    def __init__(
        self, find_header: Callable[[str], Header | None] = parse_header, hints: tuple[str, ...] = HEADER_HINTS
    ) -> None:
        self.headers: list[Header] = []
        self.hints = list(hints)
        self.find_header = lru_cache(maxsize=1_024)(find_header)
        self._numbers: dict[Header, int] = {}

    def number(self, header: Header) -> int:
        """The header's number."""
        if header not in self._numbers:
            self._numbers[header] = len(self.headers)
            self.headers.append(header)
        return self._numbers[header]

    def with_column(self, name: str) -> list[int]:
        """Numbers of the headers that have a column."""
        return [number for number, header in enumerate(self.headers) if name in header.columns]
