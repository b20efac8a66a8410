"""The registered devices that are meant, in order, without what identifies their parts."""

import polars as pl

from pipeline.devices.choosing import Choice
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
_OF_FEW_VALUES = {
    "manufacturer",
    "model",
    "group_tag",
    "profile",
    "tenant_id",
    "partner_id",
    "registered_via",
    "identity",
}
"""Columns whose values repeat: as categories they take four bytes each."""

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


def listed(
    registry: Registry,
    choice: Choice,
    profiles: pl.DataFrame,
    listener: Listener,
    *,
    by: str = "serial_number",
    descending: bool = False,
) -> pl.DataFrame:
    """List devices.

    Args:
        registry: where they are registered.
        choice: which are meant.
        profiles: which profile a device gets (`pipeline.reference.profiles`).
        listener: hears how much was read.
        by: one of `COLUMNS`, by which they are sorted; those that have nothing there come last.
        descending: the other way round.

    Returns:
        One row a live registration, with `COLUMNS`, some of them as categories; `device_id` decides where others are
        equal.
    """
    listener.stage("list")
    types = {name: pl.Categorical() if name in _OF_FEW_VALUES else RECORD_TYPES[name] for name in COLUMNS}
    parts = [pl.DataFrame(schema=types)]
    for rows in registry.live_batches(_READ, listener):
        chosen = rows.with_columns(profile=profile(profiles)).filter(choice.holds())
        parts.append(chosen.select(pl.col(name).cast(dtype) for name, dtype in types.items()))
    return pl.concat(parts).sort(by, "device_id", descending=[descending, False], nulls_last=True)
