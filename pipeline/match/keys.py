"""Components to blocking keys: records that share none are never compared.

A key is a 64-bit fingerprint with its kind mixed in. It only finds candidates: what is compared afterwards are the
values themselves, so that a collision costs time and decides nothing. The registry stores the keys, hence a
fingerprint that stays the same between versions of every library (xxh3).
"""

import polars as pl
import polars_hash as plh

from pipeline import arrays
from schemas.device import KEY_TYPES
from schemas.identities import is_placeholder

STRONG_KEYS = ("tpm_key", "uuid_key", "serial_key", "product_id_key")
"""Keys of which sharing one can make two records the same device, or contradict each other."""

BLOCKING_TYPES: dict[str, pl.DataType] = {name: KEY_TYPES[name] for name in (*STRONG_KEYS, "disk_keys")}
"""The keys that candidates are found by."""

_SEPARATOR = "\x1f"
FOLDED = {"O": "0", "Q": "0", "I": "1", "L": "1", "B": "8", "S": "5", "Z": "2"}
"""Characters that are read for one another, and the one that stands for them in a folded serial number."""

SEPARATORS = r"[\s\x{a0}._/\\-]"
"""What people put between the groups of a serial number."""


def with_keys(components: pl.DataFrame) -> pl.DataFrame:
    """Add the keys that the registry stores of each record; a component that is absent gives none.

    Args:
        components: one row a record, with the columns of `schemas.device.COMPONENT_TYPES`.

    Returns:
        The same rows with the columns of `schemas.device.KEY_TYPES`.
    """
    folded = folded_serial_key(pl.col("manufacturer"), pl.col("serial_number"))
    return with_blocking_keys(components).with_columns(folded.alias("folded_serial_key"))


def with_blocking_keys(components: pl.DataFrame) -> pl.DataFrame:
    """Add those of `BLOCKING_TYPES`; the rest is as in `with_keys`."""
    return components.with_columns(
        _disk_keys(components["disk_serials"]),
        fingerprint("tpm", pl.col("tpm_ek_id")).alias("tpm_key"),
        fingerprint("uuid", pl.col("smbios_uuid")).alias("uuid_key"),
        serial_key(pl.col("manufacturer"), pl.col("serial_number")).alias("serial_key"),
        fingerprint("product_id", pl.col("product_id")).alias("product_id_key"),
    )


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


def named_key(kind: str, column: str) -> pl.Expr:
    """Fingerprint of a value that a row or a registration names its device by, in any case; null for a placeholder."""
    value = pl.col(column).str.to_lowercase()
    return fingerprint(kind, pl.when(~is_placeholder(value)).then(value))


def identity_key() -> pl.Expr:
    """Fingerprint of the cells that a delivered row names its device by: a later row that has it asks the same.

    Of rows with their cells as delivered and `hash_verified`, `has_hash`, `hardware_hash_id`. Null where the row names
    no device.
    """
    by_hash = fingerprint("asked by hash", pl.col("hardware_hash_id"))
    by_product_id = fingerprint("asked by product ID", pl.col("windows_product_id"))
    by_tuple = fingerprint("asked by tuple", *(pl.col(name) for name in ("serial_number", "manufacturer", "model")))
    return pl.when("has_hash").then(by_hash).otherwise(pl.coalesce(by_product_id, by_tuple))


def _disk_keys(disks: pl.Series) -> pl.Series:
    exploded = disks.to_frame("disk").with_row_index("at").explode("disk").drop_nulls()
    keys = exploded.select(fingerprint("disk", pl.col("disk")))
    return arrays.lists(len(disks), exploded["at"].to_numpy(), keys.to_series()).alias("disk_keys")


def fingerprint(kind: str, *values: pl.Expr) -> pl.Expr:
    """Null where any value is."""
    mixed = plh.concat_str([pl.lit(kind), *values], separator=_SEPARATOR)
    return mixed.nchash.xxh3_64().reinterpret(signed=True)
