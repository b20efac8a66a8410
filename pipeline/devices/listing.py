"""The registered devices that are meant, in order, without what identifies their parts."""

from contextlib import ExitStack

import polars as pl

from pipeline.devices.choosing import Choice
from pipeline.devices.sorting import SortedRows
from pipeline.listener import Listener
from pipeline.reference.profiles import profile
from pipeline.registry import Registry
from schemas.registry import RECORD_TYPES

_READ = (
    "device_id",
    "tenant_id",
    "partner_id",
    "registered_via",
    "registered_at",
    "identity",
    "serial_number",
    "manufacturer",
    "model",
    "product_id",
    "group_tag",
)
COLUMNS = (
    "serial_number",
    "manufacturer",
    "model",
    "group_tag",
    "profile",
    "tenant_id",
    "partner_id",
    "registered_at",
    "registered_via",
    "identity",
    "product_id",
    "device_id",
)
"""What is told of a device; never a hash or an assigned user."""

LISTED_TYPES: dict[str, pl.DataType] = {name: RECORD_TYPES.get(name, pl.String()) for name in COLUMNS}


def listed(
    registry: Registry,
    choice: Choice,
    profiles: pl.DataFrame,
    listener: Listener,
    *,
    by: str = "serial_number",
    descending: bool = False,
) -> SortedRows:
    """List devices.

    Args:
        registry: where they are registered.
        choice: which are meant.
        profiles: which profile a device gets (`pipeline.reference.profiles`).
        listener: hears how much was read.
        by: one of `COLUMNS`, by which they are sorted; those that have nothing there come last.
        descending: the other way round.

    Returns:
        One row a live registration, with the columns of `LISTED_TYPES`; `device_id` decides where others are equal.
        It is to be closed.
    """
    listener.stage("list")
    rows = SortedRows(LISTED_TYPES, by, descending=descending)
    with ExitStack() as unfinished:
        unfinished.push(rows)
        for batch in registry.live_batches(_READ, listener):
            chosen = batch.with_columns(profile=profile(profiles)).filter(choice.holds())
            rows.write(chosen.select(pl.col(name).cast(dtype) for name, dtype in LISTED_TYPES.items()))
        listener.stage("sort")
        rows.finish()
        unfinished.pop_all()
    return rows
