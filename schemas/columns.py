"""The columns of a manifest: the names that they go by, what they hold, where that is kept and how it may be shown.

Header, cells, staging, sets, findings, masking and the tables in the documents follow from the one table here. What the
values must be is in `schemas.manifest`.
"""

from dataclasses import dataclass
from enum import Enum, auto

import polars as pl


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table that is written.

    Attributes:
        dtype: type of its values.
        meaning: what it holds.
        required: it is never null.
    """

    dtype: pl.DataType
    meaning: str
    required: bool = False


def types_of(table: dict[str, Column]) -> dict[str, pl.DataType]:
    """The type of each column of a table."""
    return {name: column.dtype for name, column in table.items()}


class Shown(Enum):
    """How people may see a value."""

    WHOLE = auto()
    WHOLE_IF_WRONG = auto()
    """As it is where something is wrong with it, else its ends."""
    ENDS = auto()
    """Its ends: it tells devices apart."""
    DOMAIN = auto()
    """What stands behind the `@`: it names a person."""
    NEVER = auto()


REGISTERED, DEREGISTERED, REJECTED = ALL_SETS = ("registered", "deregistered", "rejected")
"""The sets that rows are published in."""


@dataclass(frozen=True, slots=True)
class ManifestColumn:
    """A column that a manifest may have; its cells are text.

    Attributes:
        name: what it is called here.
        names: what partners call it, the documented name first.
        shown: how its cells may be shown.
        meaning: what a set holds in it.
        kept_in: the sets that have its cells as they were delivered.
        may_be_missing: a record that ends before it is whole.
        of_departures: only a manifest of departures has it.
        remark: what partners are told of it beside its names.
    """

    name: str
    names: tuple[str, ...]
    shown: Shown
    meaning: str = "as delivered"
    kept_in: tuple[str, ...] = ()
    may_be_missing: bool = False
    of_departures: bool = False
    remark: str = ""


HASH, TENANT = "hardware_hash", "tenant"

MANIFEST_COLUMNS: dict[str, ManifestColumn] = {
    column.name: column
    for column in (
        ManifestColumn(
            "serial_number",
            ("Device Serial Number", "Serial Number", "Serial", "S/N", "Device Serial", "Serial No", "Service Tag"),
            Shown.ENDS,
            meaning="as delivered, trimmed; so are the next five",
            kept_in=ALL_SETS,
        ),
        ManifestColumn(
            "windows_product_id",
            (
                *("Windows Product ID", "Product Key ID", "PKID", "Windows Product Key ID", "Product ID"),
                "Product Key",
            ),
            Shown.ENDS,
            kept_in=ALL_SETS,
        ),
        ManifestColumn(
            HASH,
            ("Hardware Hash", "Device Hardware Data", "4K HH", "4K Hardware Hash", "Hardware Identifier", "Hash"),
            Shown.NEVER,
        ),
        ManifestColumn(
            "manufacturer",
            ("Manufacturer name", "Manufacturer", "OEM Manufacturer Name", "Vendor", "Make"),
            Shown.WHOLE,
            kept_in=ALL_SETS,
        ),
        ManifestColumn("model", ("Device model", "Model", "Model Name"), Shown.WHOLE, kept_in=ALL_SETS),
        ManifestColumn("group_tag", ("Group Tag", "Order ID"), Shown.WHOLE, kept_in=ALL_SETS, may_be_missing=True),
        ManifestColumn(
            "assigned_user",
            ("Assigned User", "UPN", "User Principal Name"),
            Shown.DOMAIN,
            kept_in=ALL_SETS,
            may_be_missing=True,
        ),
        ManifestColumn(
            "registration_id",
            ("Device ID", "Registration ID"),
            Shown.WHOLE_IF_WRONG,
            of_departures=True,
            remark="in departures only",
        ),
        ManifestColumn(
            "departure_reason",
            ("Departure Reason", "Reason"),
            Shown.WHOLE_IF_WRONG,
            kept_in=(DEREGISTERED,),
            of_departures=True,
            remark="in departures only and beside no `What is wrong`; at most 128 characters",
        ),
        ManifestColumn(TENANT, ("Tenant ID", "Tenant", "Customer ID", "Customer Tenant ID"), Shown.WHOLE),
    )
}
"""All columns, by name."""

OTHER_CELLS = "other_cells"
"""What stands in columns that are not in the table, all of them together."""

TEXT_CELLS = (*(name for name in MANIFEST_COLUMNS if name != HASH), OTHER_CELLS)
"""The cells of a row but the hash."""

ONE_LINE_CELLS = TEXT_CELLS[:-1]
"""Cells by themselves; those of unknown columns come joined by line feeds."""

COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    name: column.names for name, column in MANIFEST_COLUMNS.items() if not column.of_departures
}
"""For each column of any manifest its names, the documented one first."""

TITLES = {
    **{name: column.names[0] for name, column in MANIFEST_COLUMNS.items()},
    "tenant_id": MANIFEST_COLUMNS[TENANT].names[0],
    OTHER_CELLS: "another column",
}
"""What people call a column."""

NOT_COMPARED = r"[\s\x{a0}_.*:-]"
"""Characters by which two names of one column may differ; case does not count either."""


def same_name(name: pl.Expr) -> pl.Expr:
    """A column's name as it is compared with others."""
    return name.str.to_lowercase().str.replace_all(NOT_COMPARED, "")


def shown_as(*ways: Shown) -> tuple[str, ...]:
    """The columns whose cells may be shown in one of these ways."""
    return tuple(name for name, column in MANIFEST_COLUMNS.items() if column.shown in ways)
