"""What the registry knows of one device."""

import polars as pl

from pipeline.registry.requests import words_on
from pipeline.registry.table import Registry
from schemas.registry import ENDS, REGISTERED, STATES
from schemas.requests import DECIDED

_TOLD = (
    "device_id",
    "event",
    "version",
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
    "departed_by",
    "departure_request",
)
"""What is told of an event; never a hash or an assigned user."""

_STORY = (pl.col("version").fill_null(-1).min().over("device_id"), pl.col("device_id"), pl.col("version"))
"""The order in which devices were there, each with its events: of a repaired one board after board."""


def device_events(registry: Registry, value: str) -> pl.DataFrame:
    """Everything that happened to a device.

    Args:
        registry: the registry.
        value: a serial number in any case, or a device ID.

    Returns:
        One row an event, device by device, the one that was registered first before the others, in the order in which
        it happened, with the columns of `_TOLD`.
    """
    wanted = value.strip().lower()
    named = (pl.col("serial_number").str.to_lowercase() == wanted) | (pl.col("device_id") == wanted)
    devices = registry.scan().filter(named).select("device_id").unique()
    events = registry.scan().select(_TOLD).join(devices, on="device_id", how="semi").collect(engine="streaming")
    # Events without a version are of an earlier program, which knew a registration and its removal.
    return events.sort(*_STORY, pl.col("event").is_in(list(ENDS)), nulls_last=False)


def with_words(events: pl.DataFrame, registry: Registry) -> pl.DataFrame:
    """The events of devices, and between them what operators have decided about them (`pipeline.requests.reviewing`).

    Returns:
        The rows of `device_events`, in the same order, and one a word, with these columns more: `reason`, `request`
        (where the row stands that was decided), `decision`, `decided_by`, `decided_at`.
    """
    words = words_on(list(registry.request_files()), events["device_id"].unique())
    told = words.select(
        "device_id",
        "version",
        "tenant_id",
        "partner_id",
        "run_id",
        "reason",
        "decision",
        "decided_by",
        "decided_at",
        event=pl.lit(DECIDED),
        request=pl.format("{}:{}", "source_file", "line"),
    )
    return pl.concat([events, told], how="diagonal").sort(*_STORY, maintain_order=True, nulls_last=False)


def registrations(events: pl.DataFrame) -> pl.DataFrame:
    """One row a device of `device_events`: its latest state, and what has become of it.

    Returns:
        `device_id`, `state` (`registered`, or the event that ended it), and the columns of `_TOLD` but for the event.
    """
    ends = ("removed_at", "removal_reason", "departed_by", "departure_request")
    states = events.filter(pl.col("event").is_in(list(STATES))).unique("device_id", keep="last", maintain_order=True)
    last = events.unique("device_id", keep="last", maintain_order=True).select(
        "device_id",
        *ends,
        state=pl.when(pl.col("event").is_in(list(STATES))).then(pl.lit(REGISTERED)).otherwise("event"),
    )
    found = states.drop("event", *ends).join(last, on="device_id", how="left", maintain_order="left", validate="1:1")
    return found.select("device_id", "state", pl.exclude("device_id", "state"))
