"""Takes registrations out of the registry: a removal is a record of its own, and nothing is rewritten."""

from datetime import datetime

import polars as pl

from pipeline.errors import UsageError
from pipeline.registry.table import Registry
from pipeline.registry.writer import fill
from schemas.registry import REMOVED

_IDENTITY = ("serial_number", "manufacturer", "model", "product_id", "hardware_hash_id")


def remove_devices(registry: Registry, device_ids: list[str], reason: str, at: datetime) -> list[str]:
    """Mark registrations as removed, in one commit.

    Returns:
        The ids that were removed; those that had been before are not among them.

    Raises:
        UsageError: an id is not in the registry, or no reason is given; nothing is removed then.
    """
    if not reason.strip():
        message = "reason: empty; say why the registration is removed"
        raise UsageError(message)
    wanted = list(dict.fromkeys(device_id.strip().lower() for device_id in device_ids))
    events = registry.scan().filter(pl.col("device_id").is_in(wanted)).select("device_id").collect()
    registered = set(events["device_id"])
    missing = [device_id for device_id in wanted if device_id not in registered]
    if missing:
        message = f"device {missing[0]}: not in the registry {registry.folder}; nothing was removed"
        raise UsageError(message)
    gone = set(registry.removed_ids())
    removed = [device_id for device_id in wanted if device_id not in gone]
    if removed:
        # What it was goes with it: requests that wait for the device are known by that.
        told = registry.states(pl.Series(removed)).select("device_id", "tenant_id", "partner_id", *_IDENTITY)
        told = told.with_columns(
            event=pl.lit(REMOVED),
            removed_at=pl.lit(at, pl.Datetime("us", "UTC")),
            removal_reason=pl.lit(reason.strip()),
        )
        with registry.writer() as writer:
            writer.write(fill(told))
            registry.commit(writer)
    return removed
