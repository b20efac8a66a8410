"""The decoded device: what the hardware hash of a row says, and how it is compared."""

import polars as pl

HASH_FAULTS: tuple[str, ...] = (
    "HASH_NOT_BASE64",
    "HASH_BAD_HEADER",
    "HASH_TRUNCATED",
    "HASH_CHECKSUM",
    "HASH_MALFORMED",
)
"""Reasons for which a hash is not verified; nothing inside such a hash is believed."""

_HEX_64 = r"^[0-9a-f]{64}$"
_GUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

_DECODED: dict[str, tuple[pl.DataType, str | None]] = {
    # name: (type, pattern of the value)
    "hash_fault": (pl.String(), None),
    "hash_verified": (pl.Boolean(), None),
    "hash_repaired": (pl.Boolean(), None),
    "hash_bytes": (pl.UInt32(), None),
    "hash_consistent": (pl.Boolean(), None),
    "hash_blob": (pl.Binary(), None),
    "hardware_hash_id": (pl.String(), None),
    "captured_at": (pl.Datetime("us", "UTC"), None),
    "os_type": (pl.UInt8(), None),
    "hash_serial_number": (pl.String(), None),
    "hash_manufacturer": (pl.String(), None),
    "hash_model": (pl.String(), None),
    "hash_product_id": (pl.String(), None),
    "smbios_uuid": (pl.String(), _GUID),
    "tpm_ek_id": (pl.String(), _HEX_64),
    "mac_addresses": (pl.List(pl.String), None),
    "disk_serials": (pl.List(pl.String), None),
    "on_vmbus": (pl.Boolean(), None),
}

DECODED_COLUMNS: tuple[str, ...] = tuple(_DECODED)
DECODED_TYPES: dict[str, pl.DataType] = {name: dtype for name, (dtype, _) in _DECODED.items()}
DECODED_PATTERNS: dict[str, str] = {name: pattern for name, (_, pattern) in _DECODED.items() if pattern}

COMPONENT_TYPES: dict[str, pl.DataType] = {
    "has_hash": pl.Boolean(),
    "tpm_ek_id": pl.String(),
    "smbios_uuid": pl.String(),
    "serial_number": pl.String(),
    "manufacturer": pl.String(),
    "model": pl.String(),
    "product_id": pl.String(),
    "mac_addresses": pl.List(pl.String),
    "disk_serials": pl.List(pl.String),
}
"""What two records are compared by; placeholders are null, lists are empty where there is nothing to compare.

A serial number stands only together with its manufacturer: where either is unknown, both are null.
"""

SERIAL_FORM_TYPES: dict[str, pl.DataType] = {
    "manufacturer": pl.String(),
    "shown": pl.List(pl.String),
    "shapes": pl.List(pl.String),
}
"""What a manufacturer's serial numbers look like: which of the characters that are read for one another they have, and
their shapes, with A for a letter and 9 for a digit."""

KEY_TYPES: dict[str, pl.DataType] = {
    "tpm_key": pl.Int64(),
    "uuid_key": pl.Int64(),
    "serial_key": pl.Int64(),
    "product_id_key": pl.Int64(),
    "folded_serial_key": pl.Int64(),
    "disk_keys": pl.List(pl.Int64),
}
"""Fingerprints of the components, by which records that may be the same device are found."""
