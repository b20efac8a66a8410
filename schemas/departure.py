"""The rules of a row that asks for a device to be deregistered."""

import polars as pl

from schemas.manifest import RULES
from schemas.reasons import Family, codes_of

LONGEST_REASON = 128
"""Characters of a departure's reason: a sentence, not a history."""

_col = pl.col
_BY_SERIAL = _col("identity").eq_missing(pl.lit("serial_number"))
_UNIDENTIFIED = _col("cells_read") & _col("identity").is_null()


def _serial_is(code: str) -> pl.Expr:
    return _col("serial_fault").eq_missing(pl.lit(code))


_SHARED = (
    *codes_of(Family.RECORD),
    *("TENANT_MISSING", "TENANT_FORMAT", "PRODUCT_KEY_EXPOSED"),
    *codes_of(Family.HASH),
    *("HIDDEN_CHARACTER", "FORMULA_CELL"),
)
"""What is asked of every row, whatever it is for."""

DEPARTURE_RULES: dict[str, pl.Expr] = {
    **{code: RULES[code] for code in _SHARED},
    "IDENTITY_MISSING": ~(_UNIDENTIFIED & _col("windows_product_id").is_null()),
    "SPREADSHEET_DAMAGE": ~(
        _serial_is("SPREADSHEET_DAMAGE")
        & ~(_col("hash_verified") & (_col("serial_number") == _col("hash_serial_number"))).fill_null(value=False)
    ),
    "PRODUCT_ID_FORMAT": ~(_UNIDENTIFIED & _col("windows_product_id").is_not_null()),
    "SERIAL_PLACEHOLDER": ~(
        (_col("hash_verified") & _col("hash_serial_placeholder")).fill_null(value=False)
        | (_BY_SERIAL & _serial_is("SERIAL_PLACEHOLDER"))
    ),
    "SERIAL_FORMAT": ~(_BY_SERIAL & _serial_is("SERIAL_FORMAT")),
    "REASON_TOO_LONG": _col("departure_reason").str.len_chars() <= LONGEST_REASON,
}
"""Channel, exclusions, group tag and user are not looked at; what the row says otherwise than its registration is found
when that is."""
