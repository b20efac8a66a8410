"""What stands in columns that are not read, and must not be passed over."""

import polars as pl

from pipeline.reference.tables import Reference
from pipeline.rows import ROW
from schemas.identities import HARDWARE_HASH

_GUID = r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
_DIGITS = r"[0-9]+"
_THIRTEEN = 13
_NUMBER_TYPES = {"row": ROW, "file_no": pl.UInt32(), "number": pl.String(), "is_told": pl.Boolean()}


def unclear(rows: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """Look for what makes a row unclear: what may identify it stands where it is not read.

    Args:
        rows: one row a record: `record_fault`, `other_cells`, `tenant_key`.
        reference: tells which tenants there are.

    Returns:
        One row for each, in order: `FILE_HEADER_UNKNOWN`, a line before the header that may be a row, and
        `COLUMN_UNCLEAR`, a hardware hash or another tenant of the authorizations in a column that is not read.
    """
    others = pl.col("other_cells")
    tenants = reference.authorizations["tenant_id"].str.to_lowercase().unique().implode()
    named = others.str.extract_all(_GUID).list.eval(pl.element().str.to_lowercase())
    other_tenants = named.list.set_difference(pl.concat_list(pl.col("tenant_key").fill_null("")))
    strange = other_tenants.list.eval(pl.element().is_in(pl.lit(tenants))).list.any()
    holds = others.str.contains(HARDWARE_HASH) | strange
    # Where no column is passed over, nothing is looked for.
    unclear = holds.fill_null(value=False) if rows["other_cells"].null_count() < rows.height else pl.lit(value=False)
    return rows.select(
        pl.col("record_fault").eq_missing(pl.lit("FILE_HEADER_UNKNOWN")).alias("FILE_HEADER_UNKNOWN"),
        unclear.alias("COLUMN_UNCLEAR"),
    )


def lone_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """Numbers of 13 digits in columns that are not read: one that no other row of its file has may be a product ID.

    Returns:
        One row a number of a row, with the columns of `_NUMBER_TYPES`; `is_told`: the row names its device otherwise.
    """
    if rows["other_cells"].null_count() == rows.height:
        return pl.DataFrame(schema=_NUMBER_TYPES)
    numbers = pl.col("other_cells").str.extract_all(_DIGITS)
    return (
        rows.select(
            "row",
            "file_no",
            number=numbers.list.unique(),
            is_told=pl.col("has_hash") | pl.col("windows_product_id").is_not_null(),
        )
        .explode("number")
        .filter(pl.col("number").str.len_bytes() == _THIRTEEN)
        .select(pl.col(name).cast(dtype) for name, dtype in _NUMBER_TYPES.items())
    )


def rows_with_lone(numbers: pl.DataFrame) -> pl.Series:
    """The rows, of all those with such a number, of which no other of the file has it, and that are not told."""
    rows_of = pl.col("row").len().over("file_no", "number")
    return numbers.filter(~pl.col("is_told") & (rows_of == 1))["row"].unique()
