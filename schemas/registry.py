"""The registry: every device that was registered, and every registration that was removed."""

import pandera.polars as pa
import polars as pl

from schemas.device import COMPONENT_TYPES, KEY_TYPES

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

_REQUIRED = {"event", "device_id"}

REGISTRY_RECORD = pa.DataFrameSchema(
    {
        name: pa.Column(dtype, nullable=name not in _REQUIRED, unique=name == "device_id")
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
    strict=True,
)
"""One row is one event of one device: its registration, what became of it, or that it ended. Rows are only ever
added."""
