"""The manifest row: what each column holds, every rule that a single row must keep, and what is odd about one.

A rule is an expression that is true where the row keeps it, and its name is the code of the reason or warning that a
row gets which does not. Null keeps a rule: absence has rules of its own.
"""

from collections.abc import Callable

import pandera.polars as pa
import polars as pl

from schemas.columns import ONE_LINE_CELLS, TENANT
from schemas.device import HASH_FAULTS, OS_TYPE_WINPE, USUAL_BYTES
from schemas.gate import Gate
from schemas.identities import SHIFTED, TUPLE_FAULTS, is_virtual
from schemas.reasons import Family, codes_of

GUID = r"(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
NO_TENANT = "00000000-0000-0000-0000-000000000000"

HIDDEN = r"[[\p{Cc}\p{Cf}\x{2028}\x{2029}]--[\n]]"
"""Control, zero-width and bidirectional characters, but the line feed, which stands between cells here."""
FORMULA = r"(?m)^[ \t\x{a0}]*[=+\-@].*[^ \t\x{a0}\n]"
"""A value of two characters or more: a dash alone is none."""
USER = r"^[^\s@]+@[^\s@]+$"

_col = pl.col
COLUMNS: dict[str, pl.DataType] = {
    "record_fault": pl.String(),
    "cells_read": pl.Boolean(),
    "tenant_claim": pl.String(),
    "tenant_unread": pl.Boolean(),
    **{name: pl.String() for name in ONE_LINE_CELLS if name != TENANT},
    "hidden_character": pl.Boolean(),
    "formula": pl.Boolean(),
    "product_id": pl.String(),
    "identity": pl.String(),
    "takes_hash": pl.Boolean(),
    "product_key_exposed": pl.Boolean(),
    **dict.fromkeys(TUPLE_FAULTS.values(), pl.String()),
    "hash_fault": pl.String(),
    "hash_verified": pl.Boolean(),
    "hash_consistent": pl.Boolean(),
    "hash_serial_number": pl.String(),
    "hash_manufacturer": pl.String(),
    "hash_product_id": pl.String(),
    "hash_serial_placeholder": pl.Boolean(),
    "names_own_serial": pl.Boolean(),
    "serial_differs": pl.Boolean(),
    "manufacturer_differs": pl.Boolean(),
    "model_differs": pl.Boolean(),
    "meant_manufacturer": pl.String(),
    "group_tag_limit": pl.UInt32(),
    "verified_domains": pl.List(pl.String),
    **dict.fromkeys(("column_ignored", "encoding_mixed", "value_trimmed", "hash_repaired"), pl.Boolean()),
    "hash_bytes": pl.UInt32(),
    "hash_model": pl.String(),
    "os_type": pl.UInt8(),
    "tpm_ek_id": pl.String(),
    "on_vmbus": pl.Boolean(),
    "captured_at": pl.Datetime("us", "UTC"),
    "as_of": pl.Datetime("us", "UTC"),
}
"""What the rules look at: cells, fields of the decoded hash, and facts derived from them; never a hash or raw text.

`product_id` is the cell where that is one, `identity` is one of the kind's (`schemas.kinds`) or null. A value
`…_differs` where it can be held against the verified hash and is another there, `names_own_serial` says that the row's
serial number is the hash's, and `meant_manufacturer` is the spelling that its devices report where the row has another.
"""

_EARLIEST_CAPTURE = pl.datetime(2015, 1, 1, time_zone="UTC")
"""No device that can be registered was captured before Windows 10."""


_UNIDENTIFIED = _col("cells_read") & _col("identity").is_null() & _col("windows_product_id").is_null()
_PART_OF_TUPLE = pl.any_horizontal(_col("serial_number", "manufacturer", "model").is_not_null())
_IS_TUPLE = _col("identity").eq_missing(pl.lit("tuple"))
_IS_SHIFTED = _IS_TUPLE & _col("serial_fault").eq_missing(pl.lit(SHIFTED))
_IN_PLACE = _IS_TUPLE & ~_IS_SHIFTED
"""Of cells that stand in the wrong columns nothing more is said."""


def _any_is(code: str, *faults: str) -> pl.Expr:
    return pl.any_horizontal(_col(fault).eq_missing(pl.lit(code)) for fault in faults)


RULES: dict[str, pl.Expr] = {
    **{code: _col("record_fault") != code for code in codes_of(Family.RECORD)},
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
    "HIDDEN_CHARACTER": ~_col("hidden_character"),
    "FORMULA_CELL": ~_col("formula"),
    "SPREADSHEET_DAMAGE": ~(
        (_IN_PLACE & _any_is("SPREADSHEET_DAMAGE", *TUPLE_FAULTS.values()))
        | (
            _col("hash_verified")
            & _any_is("SPREADSHEET_DAMAGE", "serial_fault")
            & (_col("serial_number") != _col("hash_serial_number"))
        )
    ),
    "PRODUCT_ID_FORMAT": _col("windows_product_id").is_null()
    | _col("product_id").is_not_null()
    | _col("hash_verified"),
    "SERIAL_PLACEHOLDER": ~(
        (_col("hash_verified") & _col("hash_serial_placeholder")).fill_null(value=False)
        | (_IS_TUPLE & _any_is("SERIAL_PLACEHOLDER", "serial_fault"))
    ),
    "SERIAL_FORMAT": ~(_IS_TUPLE & _any_is("SERIAL_FORMAT", "serial_fault")),
    "TUPLE_PLACEHOLDER": ~(_IN_PLACE & _any_is("TUPLE_PLACEHOLDER", "manufacturer_fault", "model_fault")),
    SHIFTED: ~_IS_SHIFTED,
    "SERIAL_MISMATCH": ~_col("serial_differs"),
    "PRODUCT_ID_MISMATCH": ~_col("hash_verified") | (_col("product_id") == _col("hash_product_id")),
    "MANUFACTURER_MISMATCH": ~_col("manufacturer_differs") | _col("names_own_serial"),
    "MODEL_MISMATCH": ~_col("model_differs") | _col("names_own_serial"),
    "MANUFACTURER_SPELLING": ~_IN_PLACE | _col("meant_manufacturer").is_null(),
    "GROUP_TAG_TOO_LONG": _col("group_tag").str.len_chars() <= _col("group_tag_limit"),
    "USER_FORMAT": _col("assigned_user").str.contains(USER),
    "USER_DOMAIN": ~_col("assigned_user").str.contains(USER)
    | _col("assigned_user").str.split("@").list.last().str.to_lowercase().is_in(_col("verified_domains")),
}

WARNING_RULES: dict[str, pl.Expr] = {
    "PRODUCT_ID_IGNORED": ~(
        _col("hash_verified") & _col("windows_product_id").is_not_null() & _col("product_id").is_null()
    ),
    "MANUFACTURER_DIFFERS": ~(_col("names_own_serial") & _col("manufacturer_differs")),
    "MODEL_DIFFERS": ~(_col("names_own_serial") & _col("model_differs")),
    "COLUMN_IGNORED": ~_col("column_ignored"),
    "ENCODING_MIXED": ~_col("encoding_mixed"),
    "VALUE_TRIMMED": ~_col("value_trimmed"),
    "HASH_TEXT_REPAIRED": ~_col("hash_repaired"),
    "HASH_LENGTH_UNUSUAL": ~_col("hash_verified") | (_col("hash_bytes") == USUAL_BYTES),
    "HASH_FROM_WINPE": ~_col("hash_verified") | (_col("os_type") != OS_TYPE_WINPE),
    "HASH_NO_TPM": ~(_col("hash_verified") & _col("tpm_ek_id").is_null()),
    "HASH_CAPTURE_TIME": (_col("captured_at") >= _EARLIEST_CAPTURE)
    & (_col("captured_at") <= _col("as_of") + pl.duration(days=1)),
    "VIRTUAL_MACHINE": ~is_virtual(
        pl.coalesce("hash_manufacturer", "manufacturer"), pl.coalesce("hash_model", "model"), _col("on_vmbus")
    ),
}
"""What is odd about a row and no reason to reject it, whatever it asks for."""


def model(rules: dict[str, pl.Expr]) -> Gate:
    """The model of rows that must keep some rules, each a check by its name."""
    return Gate(
        {name: pa.Column(dtype, nullable=True) for name, dtype in COLUMNS.items()},
        # The masks are what counts: a copy of each failing row for each rule made a bad night three times as large.
        checks=[pa.Check(_keeps(rule), name=name, n_failure_cases=1) for name, rule in rules.items()],
    )


def _keeps(rule: pl.Expr) -> Callable[[pa.PolarsData], pl.LazyFrame]:
    return lambda data: data.lazyframe.select(rule.fill_null(value=True))


def every(rules: dict[str, pl.Expr]) -> pl.Expr:
    """The rule that all of some rules are kept."""
    return pl.all_horizontal(rule.fill_null(value=True) for rule in rules.values())
