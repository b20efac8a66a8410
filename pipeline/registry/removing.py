"""Ends registrations as their operator says: a removal is an event of its own, and nothing is rewritten."""

from datetime import datetime
from pathlib import Path

import polars as pl

from pipeline.errors import UsageError
from pipeline.registry.table import Registry
from pipeline.registry.writer import fill
from schemas.registry import ENDING, REMOVED

_COLUMN = "device_id"


def read_ids(path: Path) -> list[str]:
    """The device ids of a CSV file with a column for them.

    Raises:
        UsageError: it cannot be read, or has no such column.
    """
    try:
        rows = pl.read_csv(path, infer_schema=False, encoding="utf8")
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"{path}: cannot be read ({error}); name a CSV file with a column {_COLUMN}"
        raise UsageError(message) from error
    named = [name for name in rows.columns if name.strip("\ufeff \t").lower().replace(" ", "_") == _COLUMN]
    if len(named) != 1:
        message = f"{path}:1: found the columns {', '.join(rows.columns)}; expected one named {_COLUMN}"
        raise UsageError(message)
    ids = rows[named[0]].str.strip_chars()
    return [one for one in ids.drop_nulls().to_list() if one]


def remove_devices(
    registry: Registry,
    device_ids: list[str],
    reason: str,
    at: datetime,
    *,
    tenant: str | None = None,
    dry_run: bool = False,
) -> list[str]:
    """End registrations, in one commit.

    Args:
        registry: the registry.
        device_ids: the registrations; those that have ended before stay as they are.
        reason: why; one that names a repair makes nothing final that waits for the device.
        at: when.
        tenant: whose they all must be; None for any.
        dry_run: end nothing.

    Returns:
        The ids that were ended, or would be.

    Raises:
        UsageError: an id is not in the registry or another tenant's, or no reason is given; nothing is ended then.
    """
    if not reason.strip():
        message = "reason: empty; say why the registration is removed"
        raise UsageError(message)
    wanted = list(dict.fromkeys(device_id.strip().lower() for device_id in device_ids))
    events = registry.scan().filter(pl.col("device_id").is_in(wanted)).select("device_id", "tenant_id").collect()
    tenants = dict(events.drop_nulls("tenant_id").iter_rows()) | dict.fromkeys(
        set(events["device_id"]) - set(events.drop_nulls("tenant_id")["device_id"])
    )
    for device_id in wanted:
        if device_id not in tenants:
            message = f"device {device_id}: not in the registry {registry.folder}; nothing was removed"
            raise UsageError(message)
        if tenant is not None and tenants[device_id] != tenant.strip().lower():
            message = f"device {device_id}: is not registered for the tenant {tenant}; nothing was removed"
            raise UsageError(message)
    gone = set(registry.removed_ids())
    removed = [device_id for device_id in wanted if device_id not in gone]
    if removed and not dry_run:
        told = registry.states(pl.Series(removed), ENDING).with_columns(
            event=pl.lit(REMOVED),
            removed_at=pl.lit(at, pl.Datetime("us", "UTC")),
            removal_reason=pl.lit(reason.strip()),
        )
        with registry.writer() as writer:
            writer.write(fill(told))
            registry.commit(writer)
    return removed
