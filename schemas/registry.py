"""The registry: every device that was registered, and every registration that was removed."""

import pandera.polars as pa
import polars as pl

from schemas.columns import Column, types_of
from schemas.device import COMPONENTS, KEYS
from schemas.gate import gate

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

RECORD_COLUMNS: dict[str, Column] = {
    "event": Column(
        pl.String(),
        "what happened; `registered`, `changed`, `learned` and `restored` carry the whole registration",
        required=True,
    ),
    "device_id": Column(pl.String(), "the device's key, the same in all its events", required=True),
    "tenant_id": Column(pl.String(), "whose device it is, a lower-case GUID"),
    "partner_id": Column(pl.String(), "who registered it; null where that is not known"),
    "registered_via": Column(pl.String(), "`partner_center`, `oem_direct_api`, `intune`, `microsoft_365` or `store`"),
    "run_id": Column(pl.String(), "the run that recorded the event; null for an import"),
    "registered_at": Column(_MOMENT, "when it was registered"),
    "group_tag": Column(pl.String(), "as delivered"),
    "assigned_user": Column(pl.String(), "as delivered"),
    "identity": Column(pl.String(), "what it is registered by: `hash`, `product_id` or `tuple`"),
    "hardware_hash": Column(pl.Binary(), "the decoded hash without its padding"),
    "hardware_hash_id": Column(pl.String(), "SHA-256 of the hash's signed part, in hex"),
    "captured_at": Column(_MOMENT, "when the hash was captured, by the device's own clock"),
    **COMPONENTS,
    **KEYS,
    "removed_at": Column(_MOMENT, "of an end: when"),
    "removal_reason": Column(pl.String(), "of an end: why"),
    "departed_by": Column(pl.String(), "of a departure: the partner that asked for it"),
    "departure_request": Column(pl.String(), "of a departure: the request that asked for it"),
    "version": Column(pl.Int64(), "the registry's version that the event made; null stands before all others"),
}
"""`version` is the registry's version that the event's commit made, by which events follow each other; null stands
before all others. An end has `removed_at` and `removal_reason`, and a departure the partner that asked for it,
`departed_by`, and its request. Columns are only ever added: those that a file of an earlier program lacks are null.
"""

RECORD_TYPES = types_of(RECORD_COLUMNS)

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

REGISTRY_RECORD = gate(
    RECORD_COLUMNS,
    {},
    unique=["device_id"],
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
