"""What the registry knows of one device."""

import polars as pl

from pipeline.registry.table import Registry
from schemas.registry import REGISTERED, REMOVED

_TOLD = (
    "device_id",
    "event",
    "tenant_id",
    "partner_id",
    "registered_via",
    "run_id",
    "registered_at",
    "identity",
    "serial_number",
    "manufacturer",
    "model",
    "product_id",
    "smbios_uuid",
    "captured_at",
    "group_tag",
    "removed_at",
    "removal_reason",
)
"""What is told of an event; never a hash or an assigned user."""


def device_events(registry: Registry, value: str) -> pl.DataFrame:
    """Everything that happened to a device.

    Args:
        registry: the registry.
        value: a serial number in any case, or a device ID.

    Returns:
        One row an event, in order of device, its registration before its removal, with the columns of `_TOLD`.
    """
    wanted = value.strip().lower()
    named = (pl.col("serial_number").str.to_lowercase() == wanted) | (pl.col("device_id") == wanted)
    devices = registry.scan().filter(named).select("device_id").unique()
    events = registry.scan().select(_TOLD).join(devices, on="device_id", how="semi").collect(engine="streaming")
    return events.sort("device_id", pl.col("event") == REMOVED)


def registrations(events: pl.DataFrame) -> pl.DataFrame:
    """One row a device of `device_events`: its registration, with when and why it was removed if it was."""
    removals = events.filter(pl.col("event") == REMOVED).select("device_id", "removed_at", "removal_reason")
    own = events.filter(pl.col("event") == REGISTERED).drop("removed_at", "removal_reason")
    found = own.join(removals.unique("device_id"), on="device_id", how="left", maintain_order="left")
    return found.with_columns(event=pl.when(pl.col("removed_at").is_null()).then("event").otherwise(pl.lit(REMOVED)))
