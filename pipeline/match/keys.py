"""Components to blocking keys: records that share none are never compared.

A key is a 64-bit fingerprint with its kind mixed in. It only finds candidates: what is compared afterwards are the
values themselves, so that a collision costs time and decides nothing. The registry stores the keys, hence a
fingerprint that stays the same between versions of every library (xxh3).
"""

import polars as pl
import polars_hash as plh

STRONG_KEYS = ("tpm_key", "uuid_key", "serial_key", "product_id_key")
"""Keys of which sharing one can make two records the same device, or contradict each other."""

_SEPARATOR = "\x1f"
FOLDED = {"O": "0", "Q": "0", "I": "1", "L": "1", "B": "8", "S": "5", "Z": "2"}
"""Characters that are read for one another, and the one that stands for them in a folded serial number."""

SEPARATORS = r"[\s\x{a0}._/\\-]"
"""What people put between the groups of a serial number."""


def with_keys(components: pl.DataFrame) -> pl.DataFrame:
    """Add the blocking keys of each record; a component that is absent gives none.

    Args:
        components: one row a record, with the columns of `schemas.device.COMPONENT_TYPES`.

    Returns:
        The same rows with `tpm_key`, `uuid_key`, `serial_key`, `product_id_key`, `folded_serial_key` (Int64) and
        `disk_keys` (list of Int64).
    """
    keyed = components.with_columns(
        fingerprint("tpm", pl.col("tpm_ek_id")).alias("tpm_key"),
        fingerprint("uuid", pl.col("smbios_uuid")).alias("uuid_key"),
        serial_key(pl.col("manufacturer"), pl.col("serial_number")).alias("serial_key"),
        fingerprint("product_id", pl.col("product_id")).alias("product_id_key"),
        folded_serial_key(pl.col("manufacturer"), pl.col("serial_number")).alias("folded_serial_key"),
    )
    return keyed.with_columns(_disk_keys(components))


def serial_key(manufacturer: pl.Expr, serial: pl.Expr) -> pl.Expr:
    """Fingerprint of a serial number together with its manufacturer, as the registry stores it."""
    return fingerprint("serial", manufacturer, serial)


def folded_serial_key(manufacturer: pl.Expr, serial: pl.Expr) -> pl.Expr:
    """Fingerprint of what damage leaves of a serial number, together with its manufacturer."""
    return fingerprint("folded_serial", manufacturer, fold(serial))


def fold(serial: pl.Expr) -> pl.Expr:
    """A serial number with all that damage may change made equal: case, separators, look-alikes, leading zeros."""
    plain = serial.str.to_uppercase().str.replace_all(SEPARATORS, "")
    return plain.str.replace_many(FOLDED).str.strip_chars_start("0")


def _disk_keys(components: pl.DataFrame) -> pl.Series:
    exploded = components.select("disk_serials").with_row_index("at").explode("disk_serials").drop_nulls()
    keys = exploded.with_columns(fingerprint("disk", pl.col("disk_serials")).alias("disk_keys"))
    grouped = keys.group_by("at").agg("disk_keys")
    return (
        components.select(at=pl.int_range(pl.len(), dtype=pl.UInt32))
        .join(grouped, on="at", how="left", maintain_order="left", validate="1:1")["disk_keys"]
        .fill_null([])
    )


def fingerprint(kind: str, *values: pl.Expr) -> pl.Expr:
    """Null where any value is."""
    mixed = plh.concat_str([pl.lit(kind), *values], separator=_SEPARATOR)
    return mixed.nchash.xxh3_64().reinterpret(signed=True)
