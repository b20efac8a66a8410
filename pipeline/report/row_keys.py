"""What rows are known by from night to night: what they name their device by, whose they are, and for whom."""

import polars as pl

from pipeline.match import fingerprint, named_key

NAMED_TYPES = {
    "request_kind": pl.String(),
    "partner_id": pl.String(),
    "tenant_id": pl.String(),
    "manufacturer": pl.String(),
    "key": pl.Int64(),
}
NAMED = list(NAMED_TYPES)


def exploded(named: pl.DataFrame) -> pl.DataFrame:
    """The same rows with one `key` each, once for each of their keys."""
    return named.rename({"keys": "key"}).explode("key").drop_nulls("key")


def same(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Pairs of rows of one partner and kind that share a key, and name neither two tenants nor two manufacturers."""
    pairs = rows.join(others, on=["request_kind", "partner_id", "key"], how="inner", nulls_equal=True, suffix="_other")
    differs = [
        (pl.col(name) != pl.col(f"{name}_other")).fill_null(value=False) for name in ("tenant_id", "manufacturer")
    ]
    return pairs.filter(~pl.any_horizontal(differs))


def none_of(rows: pl.DataFrame) -> pl.Series:
    """False for each of some rows."""
    return pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)


def names_one_of(named: pl.DataFrame, keys: pl.DataFrame) -> pl.Series:
    """Which rows are known by one of the keys."""
    if keys.is_empty():
        return none_of(named)
    names = ("request_kind", "partner_id", "tenant_id", "manufacturer", "keys")
    found = same(exploded(named.select(names).with_row_index("at")), keys.unique())["at"].unique()
    return pl.int_range(named.height, eager=True, dtype=pl.UInt32).is_in(found.implode())


_KEYS = (
    ("serial", "serial_number"),
    ("serial", "hash_serial_number"),
    ("product_id", "windows_product_id"),
    ("product_id", "hash_product_id"),
    ("hash", "hardware_hash_id"),
    ("device_id", "registration_id"),
)
"""All that a row names its device by: kind and column."""


def _keys() -> pl.Expr:
    """Fingerprints of all that a row names its device by."""
    named = [named_key(kind, column) for kind, column in _KEYS]
    return pl.concat_list(named).list.drop_nulls().list.unique(maintain_order=True)


def named_by(rows: pl.DataFrame) -> pl.DataFrame:
    """The same, a row for each, with the columns of `NAMED_TYPES`; one may stand there twice.

    Of many rows this is a tenth of the work that lists are.
    """
    of_row = [name for name in NAMED if name != "key"]
    return pl.concat(rows.select(*of_row, key=named_key(kind, column)).drop_nulls("key") for kind, column in _KEYS)


def keys_or_text() -> pl.Expr:
    """The same; of a row that names none, its text, and of one that could not be read, its file."""
    text = pl.concat_list(fingerprint("record", pl.coalesce("raw_record", "source_file")))
    return pl.when(_keys().list.len() > 0).then(_keys()).otherwise(text)
