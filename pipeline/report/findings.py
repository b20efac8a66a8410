"""What is wrong, one finding at a time: where it stands, what was found, what was expected, and what to do."""

import polars as pl

from pipeline.report.masking import brief, masked, masked_user
from schemas.manifest import FORMULA, HIDDEN, TEXT_CELLS
from schemas.reasons import CATALOGUE, WARNING_CODES, Reason

COLUMN_NAMES = {
    "serial_number": "Device Serial Number",
    "windows_product_id": "Windows Product ID",
    "hardware_hash": "Hardware Hash",
    "manufacturer": "Manufacturer name",
    "model": "Device model",
    "group_tag": "Group Tag",
    "assigned_user": "Assigned User",
    "tenant_id": "Tenant ID",
    "tenant": "Tenant ID",
    "other_cells": "another column",
}
"""What people call a column."""

_INSIDE_HASH = {
    "SERIAL_MISMATCH": "hash_serial_number",
    "PRODUCT_ID_MISMATCH": "hash_product_id",
    "MANUFACTURER_MISMATCH": "hash_manufacturer",
    "MODEL_MISMATCH": "hash_model",
}
_ANY_CELL = {"HIDDEN_CHARACTER": HIDDEN, "FORMULA_CELL": FORMULA}
_IDENTITY = ("serial_number", "windows_product_id", "hash_serial_number", "hash_product_id")
_UNSEEN = "\N{SYMBOL FOR SUBSTITUTE FORM TWO}"
"""Stands where an invisible character was found."""

_TYPES = {
    "source_file": pl.String(),
    "source_line": pl.UInt32(),
    "code": pl.String(),
    "level": pl.String(),
    "field": pl.String(),
    "found": pl.String(),
    "expected": pl.String(),
}
_NEEDED = {
    **dict.fromkeys((*TEXT_CELLS, "tenant_id", "tenant_claim", *_INSIDE_HASH.values()), pl.String()),
    "field_count": pl.String(),
    "hash_bytes": pl.UInt32(),
    "captured_at": pl.Datetime("us", "UTC"),
}


def findings(rows: pl.DataFrame, *, codes: pl.Expr | None = None, mask_identity: bool = True) -> pl.DataFrame:
    """List the findings of some rows.

    Args:
        rows: one row a record: `source_file`, `source_line`, `reasons`, `warnings`, and what is there of its cells and
            the decoded fields of its hash; a published set lacks some, and then less is found.
        codes: which codes of a row to list, a list of them; all by default, reasons first.
        mask_identity: mask serial numbers and product IDs too, for whoever may be shown them only in part.

    Returns:
        One row a finding, in order, with the columns of `_TYPES`: `level` is `error` or `warning`, `found` is null
        where there is nothing to show. Assigned users are masked, and hashes are not shown at all.
    """
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in _NEEDED.items() if name not in rows.columns]
    listed = codes if codes is not None else pl.concat_list("reasons", "warnings")
    each = (
        rows.with_columns(*missing)
        .with_columns(code=listed)
        .select("source_file", "source_line", "code", *_NEEDED)
        .explode("code")
        .drop_nulls("code")
    )
    shown = {name: masked(pl.col(name)) for name in _IDENTITY} if mask_identity else {}
    shown["assigned_user"] = masked_user(pl.col("assigned_user"))
    shown["other_cells"] = pl.lit("***")
    value = {name: shown.get(name, pl.col(name)) for name in _NEEDED}
    present = [CATALOGUE[code] for code in each["code"].unique(maintain_order=True)]
    nothing = pl.lit(None, pl.String)
    return each.select(
        "source_file",
        "source_line",
        "code",
        level=pl.when(pl.col("code").is_in(WARNING_CODES)).then(pl.lit("warning")).otherwise(pl.lit("error")),
        field=pl.coalesce(*(_of(reason, _field(reason)) for reason in present), nothing),
        found=brief(pl.coalesce(*(_of(reason, _found(reason, value)) for reason in present), nothing)),
        expected=brief(pl.coalesce(*(_of(reason, _expected(reason, value)) for reason in present), nothing)),
    ).select(pl.col(name).cast(dtype) for name, dtype in _TYPES.items())


def _of(reason: Reason, value: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("code") == reason.code).then(value)


def _field(reason: Reason) -> pl.Expr:
    if reason.code in _ANY_CELL:
        broken = _ANY_CELL[reason.code]
        return pl.coalesce(
            pl.when(pl.col(name).str.contains(broken)).then(pl.lit(COLUMN_NAMES[name])) for name in TEXT_CELLS
        )
    return pl.lit(COLUMN_NAMES.get(reason.field), pl.String)


def _found(reason: Reason, value: dict[str, pl.Expr]) -> pl.Expr:
    """What stands there; nothing of what is not shown, or is not in one place."""
    if reason.code in _ANY_CELL:
        broken = _ANY_CELL[reason.code]
        cells = (pl.when(pl.col(name).str.contains(broken)).then(value[name]) for name in TEXT_CELLS)
        return pl.coalesce(*cells).str.replace_all(HIDDEN, _UNSEEN)
    size = pl.format("{} bytes", "hash_bytes")
    serial, manufacturer = (value[name].fill_null("missing") for name in ("hash_serial_number", "hash_manufacturer"))
    special = {
        "RECORD_FIELD_COUNT": pl.col("field_count"),
        "HASH_TRUNCATED": size,
        "HASH_LENGTH_UNUSUAL": size,
        "HASH_FIELD_MISSING": pl.format("serial number {}, manufacturer {}", serial, manufacturer),
        "HASH_CAPTURE_TIME": pl.col("captured_at").dt.strftime("%Y-%m-%d %H:%M"),
        "SERIAL_PLACEHOLDER": pl.coalesce("serial_number", "hash_serial_number"),
    }
    usual = {
        **value,
        "tenant_id": pl.coalesce("tenant_claim", "tenant_id"),
        "serial_number": pl.coalesce(value["serial_number"], value["hash_serial_number"]),
    }
    return special.get(reason.code, usual.get(reason.field, pl.lit(None, pl.String)))


def _expected(reason: Reason, value: dict[str, pl.Expr]) -> pl.Expr:
    inside = _INSIDE_HASH.get(reason.code)
    if inside is None:
        return pl.lit(reason.expected)
    return pl.coalesce(pl.format("{}, as inside the hash", value[inside]), pl.lit(reason.expected))
