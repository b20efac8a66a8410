"""What is wrong, one finding at a time: where it stands, what was found, what was expected, and what to do."""

import polars as pl

from pipeline.reference.manufacturers import BUILT_IN_SPELLINGS, did_you_mean
from pipeline.report.causes import A_HASH, code_point, first_difference, is_hash, remedy
from pipeline.report.headings import header_found, unclear_columns
from pipeline.report.masking import brief, masked, masked_user
from pipeline.report.meanings import meaning
from schemas.columns import OTHER_CELLS, TEXT_CELLS, TITLES, Shown, shown_as
from schemas.identities import TUPLE_FAULTS, is_spreadsheet_damage, name_fault
from schemas.manifest import FORMULA, HIDDEN
from schemas.reasons import MEANINGS, WARNING_CODES, Reason

_INSIDE_HASH = {
    "SERIAL_MISMATCH": "hash_serial_number",
    "PRODUCT_ID_MISMATCH": "hash_product_id",
    "MANUFACTURER_MISMATCH": "hash_manufacturer",
    "MODEL_MISMATCH": "hash_model",
    "MANUFACTURER_DIFFERS": "hash_manufacturer",
    "MODEL_DIFFERS": "hash_model",
}
_ANY_CELL = {"HIDDEN_CHARACTER": HIDDEN, "FORMULA_CELL": FORMULA}
_PARTS = ("SPREADSHEET_DAMAGE", "TUPLE_PLACEHOLDER")
_MASKED_PAIRS = {"SERIAL_MISMATCH": "serial_number", "PRODUCT_ID_MISMATCH": "windows_product_id"}
_HASHABLE = shown_as(Shown.WHOLE, Shown.WHOLE_IF_WRONG, Shown.ENDS)
_IDENTITY = (*shown_as(Shown.ENDS), "hash_serial_number", "hash_product_id")
_UNSEEN = "\N{SYMBOL FOR SUBSTITUTE FORM TWO}"
"""Stands where an invisible character was found."""

_TYPES = {
    "source_file": pl.String(),
    "source_line": pl.UInt32(),
    "code": pl.String(),
    "meaning": pl.String(),
    "level": pl.String(),
    "field": pl.String(),
    "found": pl.String(),
    "expected": pl.String(),
    "meant": pl.String(),
    "remedy": pl.String(),
}
_NEEDED = {
    **dict.fromkeys((*TEXT_CELLS, "tenant_id", "tenant_claim", *_INSIDE_HASH.values()), pl.String()),
    "request_kind": pl.String(),
    "is_waiting": pl.Boolean(),
    "field_count": pl.String(),
    "spoilt_cells": pl.String(),
    "record_fault": pl.String(),
    "unheaded": pl.String(),
    "other_names": pl.String(),
    "hash_bytes": pl.UInt32(),
    "captured_at": pl.Datetime("us", "UTC"),
}


def findings(
    rows: pl.DataFrame,
    *,
    codes: pl.Expr | None = None,
    mask_identity: bool = True,
    spellings: pl.DataFrame = BUILT_IN_SPELLINGS,
) -> pl.DataFrame:
    """List the findings of some rows.

    Args:
        rows: one row a record: `source_file`, `source_line`, `reasons`, `warnings`, and what is there of its cells and
            the decoded fields of its hash; a published set lacks some, and then less is found.
        codes: which codes of a row to list, a list of them; all by default, reasons first.
        mask_identity: mask serial numbers and product IDs too, for whoever may be shown them only in part.
        spellings: of the known manufacturers, with the columns of `pipeline.reference.tables.Reference.manufacturers`.

    Returns:
        One row a finding, in order, with the columns of `_TYPES`: `meaning` is what the code says of this
        row, a key into `schemas.reasons.MEANINGS`, `level` is `error` or `warning`, `found` is null
        where there is nothing to show, `meant` is the one value that was expected, where it is known, `remedy` is what
        to do in this case. Assigned users are masked, and hashes are not shown at all.
    """
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in _NEEDED.items() if name not in rows.columns]
    listed = codes if codes is not None else pl.concat_list("reasons", "warnings")
    each = (
        rows.with_columns(*missing)
        .with_columns(code=listed)
        .select("source_file", "source_line", "code", *(pl.col(name).cast(dtype) for name, dtype in _NEEDED.items()))
        .explode("code")
        .drop_nulls("code")
        .with_columns(meaning=meaning(pl.col("code")))
    )
    shown = {name: masked(pl.col(name)) for name in _IDENTITY} if mask_identity else {}
    shown |= {name: masked_user(pl.col(name)) for name in shown_as(Shown.DOMAIN)}
    shown[OTHER_CELLS] = pl.lit("***")
    value = {name: shown.get(name, pl.col(name)) for name in _NEEDED}
    value |= {name: pl.when(is_hash(pl.col(name))).then(pl.lit(A_HASH)).otherwise(value[name]) for name in _HASHABLE}
    each = _with_causes(each, spellings, masks=mask_identity)
    present = [MEANINGS[key] for key in each["meaning"].unique(maintain_order=True)]
    nothing = pl.lit(None, pl.String)
    return each.select(
        "source_file",
        "source_line",
        "code",
        "meaning",
        level=pl.when(pl.col("code").is_in(WARNING_CODES)).then(pl.lit("warning")).otherwise(pl.lit("error")),
        field=pl.coalesce(*(_of(reason, _field(reason)) for reason in present), nothing),
        found=pl.coalesce(*(_of(reason, _found(reason, value)) for reason in present), nothing),
        expected=pl.coalesce(*(_of(reason, _expected(reason, value)) for reason in present), nothing),
        meant=pl.coalesce(*(_of(reason, _meant(reason, value)) for reason in present), nothing),
        remedy=pl.coalesce(
            *(_of(reason, remedy(reason.code, reason.remedy, _cell(reason))) for reason in present), nothing
        ),
    ).select(_shown(name).cast(dtype) for name, dtype in _TYPES.items())


def _shown(name: str) -> pl.Expr:
    """A column of findings; what comes from cells is no longer than may be shown, what is said of headers by itself."""
    if name not in {"found", "expected", "meant"}:
        return pl.col(name)
    return pl.when(pl.col("code") == "FILE_HEADER_UNKNOWN").then(name).otherwise(brief(pl.col(name))).alias(name)


def _with_causes(each: pl.DataFrame, spellings: pl.DataFrame, *, masks: bool) -> pl.DataFrame:
    """Add what single values are asked for: the hidden character, the manufacturer meant, where two values differ."""
    place = pl.Series([None] * each.height, dtype=pl.UInt32)
    for code, name in _MASKED_PAIRS.items() if masks else ():
        at = (each["code"] == code).arg_true()
        place = place.scatter(at, first_difference(each[name].gather(at), each[_INSIDE_HASH[code]].gather(at)))
    misspelled = pl.when(pl.col("code") == "MANUFACTURER_SPELLING").then("manufacturer")
    meant = did_you_mean(each.select(misspelled).to_series(), spellings)
    hidden = pl.concat_str(TEXT_CELLS[:-1], ignore_nulls=True)
    text = each.select(
        pl.when(pl.col("code") == "HIDDEN_CHARACTER").then(
            pl.concat_str(hidden, pl.col("other_cells").str.replace_all("\n", "").fill_null(""))
        )
    ).to_series()
    return each.with_columns(
        first_difference=place, meant=meant, code_point=code_point(text), header_found=header_found(each)
    ).hstack(unclear_columns(each))


def _cell(reason: Reason) -> pl.Expr:
    """What stands where a finding was made."""
    if reason.code in _ANY_CELL:
        return pl.coalesce(*_broken_cells(reason.code, {name: pl.col(name) for name in TEXT_CELLS}))
    if reason.field == "tenant_id":
        return pl.coalesce("tenant_claim", "tenant_id")
    return pl.col(reason.field) if reason.field in TEXT_CELLS else pl.lit(None, pl.String)


def _broken_cells(code: str, value: dict[str, pl.Expr]) -> list[pl.Expr]:
    """For each cell its value where it has what no cell may hold, else null."""
    return [pl.when(_is_broken(code, name)).then(value[name]) for name in TEXT_CELLS]


def _is_broken(code: str, name: str) -> pl.Expr:
    broken = pl.col(name).str.contains(_ANY_CELL[code])
    if code == "HIDDEN_CHARACTER" and name != "other_cells":
        return broken | pl.col(name).str.contains("\n", literal=True)
    return broken


def _faulty(code: str) -> dict[str, pl.Expr]:
    """For each part of a tuple whether it is what the code says."""
    if code == "SPREADSHEET_DAMAGE":
        stored = pl.col("spoilt_cells").str
        return {
            name: is_spreadsheet_damage(pl.col(name)) | stored.contains(rf"\b{name}\b").fill_null(value=False)
            for name in TUPLE_FAULTS
        }
    return {name: name_fault(pl.col(name)) == code for name in ("manufacturer", "model")}


def _of(reason: Reason, value: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("meaning") == reason.meaning).then(value)


def _field(reason: Reason) -> pl.Expr:
    names = {name: pl.lit(text) for name, text in TITLES.items()}
    if reason.code in _ANY_CELL:
        return pl.coalesce(*_broken_cells(reason.code, names))
    if reason.code in _PARTS:
        return pl.coalesce(*(pl.when(holds).then(names[name]) for name, holds in _faulty(reason.code).items()))
    if reason.code == "COLUMN_UNCLEAR":
        return pl.col("column")
    return pl.lit(TITLES.get(reason.field), pl.String)


def _found(reason: Reason, value: dict[str, pl.Expr]) -> pl.Expr:
    """What stands there; nothing of what is not shown, or is not in one place."""
    if reason.code in _ANY_CELL:
        seen = pl.coalesce(*_broken_cells(reason.code, value)).str.replace_all(f"{HIDDEN}|\n", _UNSEEN)
        return pl.coalesce(pl.format("{}, with {}", seen, "code_point"), seen)
    if reason.code in _PARTS:
        return pl.coalesce(*(pl.when(holds).then(value[name]) for name, holds in _faulty(reason.code).items()))
    size = pl.format("{} bytes", "hash_bytes")
    serial, manufacturer = (value[name].fill_null("missing") for name in ("hash_serial_number", "hash_manufacturer"))
    special = {
        "RECORD_FIELD_COUNT": pl.col("field_count"),
        "FILE_HEADER_UNKNOWN": pl.col("header_found"),
        "FILE_UNREADABLE": pl.col("unheaded"),
        "COLUMN_UNCLEAR": pl.col("column_found"),
        "HASH_TRUNCATED": size,
        "HASH_LENGTH_UNUSUAL": size,
        "HASH_FIELD_MISSING": pl.format("serial number {}, manufacturer {}", serial, manufacturer),
        "HASH_CAPTURE_TIME": pl.col("captured_at").dt.strftime("%Y-%m-%d %H:%M"),
        "SERIAL_PLACEHOLDER": pl.coalesce("hash_serial_number", "serial_number"),
    }
    usual = {
        **value,
        "tenant_id": pl.coalesce("tenant_claim", "tenant_id"),
        "serial_number": pl.coalesce(value["serial_number"], value["hash_serial_number"]),
    }
    return special.get(reason.code, usual.get(reason.field, pl.lit(None, pl.String)))


def _meant(reason: Reason, value: dict[str, pl.Expr]) -> pl.Expr:
    """The one value that should stand there, as far as it is known; what is expected begins with it."""
    if reason.code == "MANUFACTURER_SPELLING":
        return pl.col("meant")
    inside = None if reason.only_of else _INSIDE_HASH.get(reason.code)
    return pl.lit(None, pl.String) if inside is None else value[inside]


def _expected(reason: Reason, value: dict[str, pl.Expr]) -> pl.Expr:
    usual = pl.lit(reason.expected)
    if reason.code == "MANUFACTURER_SPELLING":
        return pl.coalesce(pl.format("{}; did you mean that?", _meant(reason, value)), usual)
    if reason.code == "COLUMN_UNCLEAR":
        return pl.coalesce("column_meaning", usual)
    if reason.only_of or reason.code not in _INSIDE_HASH:
        return usual
    other = pl.format("{}, as inside the hash", _meant(reason, value))
    where = pl.format("{}; they differ from character {} on", other, "first_difference")
    return pl.coalesce(where, other, usual)
