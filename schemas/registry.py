"""The registry: every device that was registered, and every registration that was removed."""

import pandera.polars as pa
import polars as pl

from schemas.device import COMPONENT_TYPES, KEY_TYPES
from schemas.gate import Gate

REGISTERED, CHANGED, LEARNED, RESTORED, REMOVED = "registered", "changed", "learned", "restored", "removed"
DEREGISTERED = "deregistered"
STATES = (REGISTERED, CHANGED, LEARNED, RESTORED)
"""Events that carry the whole state of a registration: the latest of a device counts, earlier ones match nothing."""
ENDS = (REMOVED, DEREGISTERED)
"""Events after which a registration matches nothing: an operator removed it, or a departure was carried out."""
BEGINS = (REGISTERED, RESTORED)
"""Events with which one begins, or begins again."""

REGISTERED_VIA = ("partner_center", "oem_direct_api", "intune", "microsoft_365", "store")
CUSTOMER_PORTALS = ("intune", "microsoft_365", "store")
"""Of these the ways by which the customer itself registers."""
IDENTITIES = ("hash", "product_id", "tuple")

IMPORT_COLUMNS = (
    "tenant_id",
    "partner_id",
    "registered_via",
    "serial_number",
    "manufacturer",
    "model",
    "windows_product_id",
    "hardware_hash",
    "group_tag",
    "registered_at",
)
"""Header of a file of existing records."""

_MOMENT = pl.Datetime("us", "UTC")

RECORD_TYPES: dict[str, pl.DataType] = {
    "event": pl.String(),
    "device_id": pl.String(),
    "tenant_id": pl.String(),
    "partner_id": pl.String(),
    "registered_via": pl.String(),
    "run_id": pl.String(),
    "registered_at": _MOMENT,
    "group_tag": pl.String(),
    "assigned_user": pl.String(),
    "identity": pl.String(),
    "hardware_hash": pl.Binary(),
    "hardware_hash_id": pl.String(),
    "captured_at": _MOMENT,
    **COMPONENT_TYPES,
    **KEY_TYPES,
    "removed_at": _MOMENT,
    "removal_reason": pl.String(),
    "departed_by": pl.String(),
    "departure_request": pl.String(),
    "version": pl.Int64(),
}
"""`version` is the registry's version that the event's commit made, by which events follow each other; null stands
before all others. An end has `removed_at` and `removal_reason`, and a departure the partner that asked for it,
`departed_by`, and its request. Columns are only ever added: those that a file of an earlier program lacks are null.
"""

ENDING = (
    "device_id",
    "tenant_id",
    "partner_id",
    "registered_via",
    "registered_at",
    "group_tag",
    "identity",
    "hardware_hash_id",
    "serial_number",
    "manufacturer",
    "model",
    "product_id",
)
"""What of a registration stands in the event with which it ends: by this it is known to who waits for it, and those who
have to act are told."""

RECORD_MEANINGS: dict[str, str] = {
    "event": "what happened; `registered`, `changed`, `learned` and `restored` carry the whole registration",
    "device_id": "the device's key, the same in all its events",
    "tenant_id": "whose device it is, a lower-case GUID",
    "partner_id": "who registered it; null where that is not known",
    "registered_via": "`partner_center`, `oem_direct_api`, `intune`, `microsoft_365` or `store`",
    "run_id": "the run that recorded the event; null for an import",
    "registered_at": "when it was registered",
    "group_tag": "as delivered",
    "assigned_user": "as delivered",
    "identity": "what it is registered by: `hash`, `product_id` or `tuple`",
    "hardware_hash": "the decoded hash without its padding",
    "hardware_hash_id": "SHA-256 of the hash's signed part, in hex",
    "captured_at": "when the hash was captured, by the device's own clock",
    "has_hash": "whether it is known by a hash; this and the next eight are what devices are compared by",
    "tpm_ek_id": "SHA-256 of the TPM's endorsement key, in hex",
    "smbios_uuid": "lower-case GUID",
    "serial_number": "null without a manufacturer",
    "manufacturer": "null without a serial number",
    "model": "the model",
    "product_id": "13 digits",
    "mac_addresses": "network cards, as `AA:BB:CC:DD:EE:FF`",
    "disk_serials": "disks",
    "tpm_key": "a fingerprint, by which records are found; so are the next five",
    "uuid_key": "of the UUID",
    "serial_key": "of manufacturer and serial number",
    "product_id_key": "of the product ID",
    "folded_serial_key": "of the serial number with look-alike characters taken for one another",
    "disk_keys": "of the disks",
    "removed_at": "of an end: when",
    "removal_reason": "of an end: why",
    "departed_by": "of a departure: the partner that asked for it",
    "departure_request": "of a departure: the request that asked for it",
    "version": "the registry's version that the event made; null stands before all others",
}
"""What each column of a record holds."""

_REQUIRED = {"event", "device_id"}

REGISTRY_RECORD = Gate(
    {
        name: pa.Column(
            dtype, nullable=name not in _REQUIRED, unique=name == "device_id", description=RECORD_MEANINGS[name]
        )
        for name, dtype in RECORD_TYPES.items()
    },
    checks=[
        pa.Check(
            lambda data: data.lazyframe.select(
                ~pl.col("event").is_in(list(STATES))
                | pl.all_horizontal(
                    pl.col("tenant_id").is_not_null(),
                    pl.col("registered_via").is_in(list(REGISTERED_VIA)),
                    pl.col("identity").is_in(list(IDENTITIES)),
                )
            ),
            name="a registration has a tenant, a way and an identity",
        ),
    ],
)
"""One row is one event of one device: its registration, what became of it, or that it ended. Rows are only ever
added."""
