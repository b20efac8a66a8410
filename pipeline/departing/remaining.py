"""The steps of all departures that a registry knows, and what people say of them."""

from datetime import datetime

import polars as pl

from pipeline.departing.steps import BEGUN_TYPES, ENDED_TYPES, steps
from pipeline.errors import UsageError
from pipeline.registry import Registry
from schemas.registry import BEGINS, DEREGISTERED, ENDS, STATES
from schemas.requests import STEP_DONE
from schemas.steps import DONE, OPEN

_OF_STATE = ("tenant_id", "serial_number", "manufacturer", "hardware_hash_id", "registered_via")
"""What an end that an earlier program recorded does not say; the registration does."""


def open_steps(registry: Registry, tenant: str | None = None) -> pl.DataFrame:
    """What is still to be done, of all tenants or one, with the columns of `schemas.steps.STEP_TYPES`."""
    ended = _ended(registry, registry.removed_ids())
    if tenant is not None:
        ended = ended.filter(pl.col("tenant_id") == tenant.strip().lower())
    return _steps(registry, ended).filter(pl.col("state") == OPEN)


def say_done(registry: Registry, device_id: str, step: str, by: str, at: datetime) -> bool:
    """Record that somebody says that a step is done, in one commit.

    Args:
        registry: the registry.
        device_id: the registration that ended.
        step: the step's name.
        by: who says so.
        at: when.

    Returns:
        Whether anything was recorded; a step that is done stays as it is.

    Raises:
        UsageError: nobody is named, or there is no such device or step; nothing is recorded then.
        RegistryConflict: another writer was first.
    """
    if not by.strip():
        message = "by: empty; say who did it"
        raise UsageError(message)
    wanted = device_id.strip().lower()
    gone = registry.removed_ids()
    ended = _ended(registry, gone.filter(gone == wanted))
    if ended.is_empty():
        raise UsageError(_unknown(registry, wanted))
    known = _steps(registry, ended)
    state = dict(known.select("step", "state").iter_rows()).get(step)
    if state is None:
        names = ", ".join(f"{name} ({is_state})" for name, is_state in known.select("step", "state").iter_rows())
        message = f"step {step}: the device {wanted} has none of this name; expected one of {names}"
        raise UsageError(message)
    if state == DONE:
        return False
    told = ended.select(
        "device_id",
        "tenant_id",
        event=pl.lit(STEP_DONE),
        ended_in="version",
        step=pl.lit(step),
        said_by=pl.lit(by.strip()),
        said_at=pl.lit(at, pl.Datetime("us", "UTC")),
    )
    with registry.writer() as writer:
        writer.record(told)
        registry.commit(writer)
    return True


def _unknown(registry: Registry, device_id: str) -> str:
    events = registry.scan().filter(pl.col("device_id") == device_id).select("event").collect()
    if events.is_empty():
        return f"device {device_id}: not in the registry {registry.name}; `registry steps` lists what is open"
    return f"device {device_id}: is registered, and nothing remains of it; `registry steps` lists what is open"


def _steps(registry: Registry, ended: pl.DataFrame) -> pl.DataFrame:
    return steps(ended, _begun(registry, ended), registry.steps_done().select("device_id", "ended_in", "step"))


def _ended(registry: Registry, device_ids: pl.Series) -> pl.DataFrame:
    """Registrations by their last end, with the columns of `ENDED_TYPES`."""
    if device_ids.is_empty():
        return pl.DataFrame(schema=ENDED_TYPES)
    names = ("event", "device_id", "version", "removal_reason", "departed_by", *_OF_STATE)
    told = registry.scan().filter(pl.col("device_id").is_in(device_ids.implode())).select(names)
    events = told.collect(engine="streaming").sort(pl.col("version").fill_null(-1), maintain_order=True)
    ends = events.filter(pl.col("event").is_in(list(ENDS))).unique("device_id", keep="last")
    states = events.filter(pl.col("event").is_in(list(STATES))).unique("device_id", keep="last")
    both = ends.join(states.select("device_id", *_OF_STATE), on="device_id", how="left", validate="1:1", suffix="_was")
    return both.with_columns(
        *(pl.coalesce(name, f"{name}_was").alias(name) for name in _OF_STATE),
        partner_id=pl.when(pl.col("event") == DEREGISTERED).then("departed_by"),
    ).select(list(ENDED_TYPES))


def _begun(registry: Registry, ended: pl.DataFrame) -> pl.DataFrame:
    """Registrations that may be of the same devices, with the columns of `BEGUN_TYPES`."""
    serials, hashes = ended["serial_number"].drop_nulls().str.to_lowercase(), ended["hardware_hash_id"].drop_nulls()
    if ended.is_empty():
        return pl.DataFrame(schema=BEGUN_TYPES)
    is_same = pl.col("serial_number").str.to_lowercase().is_in(serials.implode()) | pl.col("hardware_hash_id").is_in(
        hashes.implode()
    )
    begins = registry.scan().filter(pl.col("event").is_in(list(BEGINS)) & is_same)
    found = begins.select(list(BEGUN_TYPES)).collect(engine="streaming")
    return found.sort("version", maintain_order=True).unique("device_id", keep="last")
