"""The decoded device: what the hardware hash of a row says, and how it is compared."""

import polars as pl

from schemas.columns import Column, types_of

HASH_FAULTS: tuple[str, ...] = (
    "HASH_NOT_BASE64",
    "HASH_BAD_HEADER",
    "HASH_TRUNCATED",
    "HASH_CHECKSUM",
    "HASH_MALFORMED",
)
"""Reasons for which a hash is not verified; nothing inside such a hash is believed."""

USUAL_BYTES = 3_000
"""Every captured hash decodes to this many bytes; other lengths are a warning, since the digest decides."""

OS_TYPE_WINPE = 1
"""The `os_type` of a hash that was captured in Windows PE."""

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

COMPONENTS: dict[str, Column] = {
    "has_hash": Column(
        pl.Boolean(), "whether it is known by a hash; this and the next eight are what devices are compared by"
    ),
    "tpm_ek_id": Column(pl.String(), "SHA-256 of the TPM's endorsement key, in hex"),
    "smbios_uuid": Column(pl.String(), "lower-case GUID"),
    "serial_number": Column(pl.String(), "null without a manufacturer"),
    "manufacturer": Column(pl.String(), "null without a serial number"),
    "model": Column(pl.String(), "the model"),
    "product_id": Column(pl.String(), "13 digits"),
    "mac_addresses": Column(pl.List(pl.String), "network cards, as `AA:BB:CC:DD:EE:FF`"),
    "disk_serials": Column(pl.List(pl.String), "disks"),
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

KEYS: dict[str, Column] = {
    "tpm_key": Column(pl.Int64(), "a fingerprint, by which records are found; so are the next five"),
    "uuid_key": Column(pl.Int64(), "of the UUID"),
    "serial_key": Column(pl.Int64(), "of manufacturer and serial number"),
    "product_id_key": Column(pl.Int64(), "of the product ID"),
    "folded_serial_key": Column(pl.Int64(), "of the serial number with look-alike characters taken for one another"),
    "disk_keys": Column(pl.List(pl.Int64), "of the disks"),
}
"""Fingerprints of the components, by which records that may be the same device are found."""

COMPONENT_TYPES, KEY_TYPES = types_of(COMPONENTS), types_of(KEYS)
