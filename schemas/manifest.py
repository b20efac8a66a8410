"""The manifest row: what each column holds, and every rule that a single row must keep.

A rule is an expression that is true where the row keeps it, and its name is the code of the reason that a row gets
which does not. Null keeps a rule: absence has rules of its own.
"""

from collections.abc import Callable

import pandera.polars as pa
import polars as pl

from schemas.device import HASH_FAULTS
from schemas.reasons import codes_of

GUID = r"(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
NO_TENANT = "00000000-0000-0000-0000-000000000000"
PRODUCT_ID = r"^[0-9]{13}$"
ROUNDED_PRODUCT_ID = r"0{7}$"
"""A spreadsheet that stored the number in six digits or fewer left this behind; such a number names no device."""

HIDDEN = r"[[\p{Cc}\p{Cf}\x{2028}\x{2029}]--[\n]]"
"""Control, zero-width and bidirectional characters. A line feed only separates cells here: no cell can hold one."""
FORMULA = r"(?m)^[ \t\x{a0}]*[=+\-@]"
USER = r"^[^\s@]+@[^\s@]+$"

_col = pl.col
TEXT_CELLS = (
    "serial_number",
    "windows_product_id",
    "manufacturer",
    "model",
    "group_tag",
    "assigned_user",
    "tenant",
    "other_cells",
)

_CHECKED_CELLS = tuple(name for name in TEXT_CELLS if name not in {"tenant", "other_cells"})

COLUMNS: dict[str, pl.DataType] = {
    "record_fault": pl.String(),
    "cells_read": pl.Boolean(),
    "tenant_claim": pl.String(),
    "tenant_unread": pl.Boolean(),
    **dict.fromkeys(_CHECKED_CELLS, pl.String()),
    "text": pl.String(),
    "product_id": pl.String(),
    "identity": pl.String(),
    "takes_hash": pl.Boolean(),
    "product_key_exposed": pl.Boolean(),
    "serial_placeholder": pl.Boolean(),
    "hash_fault": pl.String(),
    "hash_verified": pl.Boolean(),
    "hash_consistent": pl.Boolean(),
    "hash_serial_number": pl.String(),
    "hash_manufacturer": pl.String(),
    "hash_model": pl.String(),
    "hash_product_id": pl.String(),
    "hash_serial_placeholder": pl.Boolean(),
    "exact_manufacturer": pl.String(),
    "exact_hash_manufacturer": pl.String(),
    "group_tag_limit": pl.UInt32(),
    "verified_domains": pl.List(pl.String),
}
"""What the rules look at: cells, fields of the decoded hash, and facts derived from them; never a hash or raw text.

`text` is all cells but the hash, one a line, so that what no cell may hold is looked for once; `product_id` is the
cell where that is one, `identity` is `hash`, `product_id`, `tuple` or null, and `exact_…` is the
manufacturer as its devices report it.
"""


def _comparable(name: str) -> pl.Expr:
    """A value that is damaged in itself is not held against the hash."""
    return ~_col(name).str.contains(HIDDEN) & ~_col(name).str.contains(FORMULA)


def _agrees(name: str, other: str) -> pl.Expr:
    return ~(_comparable(name) & _col("hash_verified") & (_col(name) != _col(other)))


def _no_cell(pattern: str) -> pl.Expr:
    return ~_col("text").str.contains(pattern)


_UNIDENTIFIED = _col("cells_read") & _col("identity").is_null()
_PART_OF_TUPLE = pl.any_horizontal(_col("serial_number", "manufacturer", "model").is_not_null())
_IS_TUPLE = _col("identity").eq_missing(pl.lit("tuple"))

RULES: dict[str, pl.Expr] = {
    **{code: _col("record_fault") != code for code in codes_of("record")},
    "TENANT_MISSING": ~(_col("cells_read") & _col("tenant_claim").is_null() & ~_col("tenant_unread")),
    "TENANT_FORMAT": _col("tenant_claim").str.contains(GUID) & (_col("tenant_claim") != NO_TENANT),
    "PRODUCT_KEY_EXPOSED": ~_col("product_key_exposed"),
    "IDENTITY_NOT_ALLOWED": ~(_col("identity").eq_missing(pl.lit("hash")) & ~_col("takes_hash")),
    "IDENTITY_MISSING": ~(_UNIDENTIFIED & ~_PART_OF_TUPLE),
    "IDENTITY_PARTIAL_TUPLE": ~(_UNIDENTIFIED & _PART_OF_TUPLE),
    **{code: _col("hash_fault") != code for code in HASH_FAULTS},
    "HASH_FIELD_MISSING": ~_col("hash_verified")
    | (_col("hash_serial_number").is_not_null() & _col("hash_manufacturer").is_not_null()),
    "HASH_INCONSISTENT": ~_col("hash_verified") | _col("hash_consistent"),
    "HIDDEN_CHARACTER": _no_cell(HIDDEN),
    "FORMULA_CELL": _no_cell(FORMULA),
    "PRODUCT_ID_FORMAT": _col("windows_product_id").is_null() | _col("product_id").is_not_null(),
    "SERIAL_PLACEHOLDER": ~(
        (_col("hash_verified") & _col("hash_serial_placeholder")).fill_null(value=False)
        | (_IS_TUPLE & _col("serial_placeholder")).fill_null(value=False)
    ),
    "SERIAL_MISMATCH": _col("serial_placeholder")
    | _col("hash_serial_placeholder")
    | _agrees("serial_number", "hash_serial_number"),
    "PRODUCT_ID_MISMATCH": _agrees("product_id", "hash_product_id"),
    "MANUFACTURER_MISMATCH": _agrees("exact_manufacturer", "exact_hash_manufacturer"),
    "MODEL_MISMATCH": _agrees("model", "hash_model"),
    "MANUFACTURER_SPELLING": ~_IS_TUPLE | (_col("manufacturer") == _col("exact_manufacturer")),
    "GROUP_TAG_TOO_LONG": _col("group_tag").str.len_chars() <= _col("group_tag_limit"),
    "USER_FORMAT": _col("assigned_user").str.contains(USER),
    "USER_DOMAIN": ~_col("assigned_user").str.contains(USER)
    | _col("assigned_user").str.split("@").list.last().str.to_lowercase().is_in(_col("verified_domains")),
}


def _keeps(rule: pl.Expr) -> Callable[[pa.PolarsData], pl.LazyFrame]:
    return lambda data: data.lazyframe.select(rule.fill_null(value=True))


MANIFEST_ROW = pa.DataFrameSchema(
    {name: pa.Column(dtype, nullable=True) for name, dtype in COLUMNS.items()},
    # The masks are what counts: a copy of each failing row for each rule made a bad night three times as large.
    checks=[pa.Check(_keeps(rule), name=code, n_failure_cases=1) for code, rule in RULES.items()],
    strict=True,
)
"""One row is one record of a manifest."""
