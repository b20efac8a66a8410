"""What the registry records of the rows of a run: devices, what registrations learn, requests that were carried out."""

import polars as pl

from pipeline.decode.components import components
from pipeline.match import with_keys
from pipeline.registry import fill
from pipeline.requests.docket import request_ids
from schemas.device import COMPONENT_TYPES
from schemas.identities import with_tuple_faults
from schemas.kinds import KINDS
from schemas.registry import DEREGISTERED, LEARNED, RECORD_TYPES, REGISTERED
from schemas.requests import CARRIED_OUT

_OF_HASH = ("hardware_hash", "hardware_hash_id", "captured_at")


def carried_out(kept: pl.DataFrame, rejected: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """What the registry records of the requests of a batch that have what they asked for.

    Args:
        kept: rows of `assemble` without a reason.
        rejected: the others.
        files: as in `publish`.

    Returns:
        One row a request, with columns of `schemas.requests.REQUEST_TYPES`.
    """
    found = rejected.filter("is_done")
    others = found["kept_row"].drop_nulls()
    of_kept = pl.DataFrame({"kept_row": others, "device": request_ids(others, files)}).unique("kept_row")
    met = found.join(of_kept, on="kept_row", how="left", maintain_order="left", validate="m:1")
    columns = ("event", "run_id", "request_id", "device_id", "tenant_id", "identity_key")
    # Only what a row registers is asked for again by the same cells: a device that left may come back by them.
    registers = pl.col("request_kind").is_in([kind.name for kind in KINDS.values() if kind.makes_device])
    own_key = pl.when(registers).then("identity_key")
    told = [
        kept.with_columns(own_key, request_id=pl.when(~registers).then("request_id")),
        met.with_columns(own_key, device_id=pl.coalesce("kept_device", "device")),
    ]
    return pl.concat([rows.with_columns(event=pl.lit(CARRIED_OUT)).select(columns) for rows in told])


def registry_records(registered: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    """What the registry keeps of the devices of a batch.

    Args:
        registered: rows of `assemble` without a reason, that end nothing.
        channels: `partner_id` and `channel` of all partners.

    Returns:
        One row for each device, with the columns of `schemas.registry.RECORD_TYPES`.
    """
    compared = components(_as_read(registered))
    own = registered.join(channels, on="partner_id", how="left", maintain_order="left", validate="m:1").select(
        "device_id",
        "tenant_id",
        "partner_id",
        "run_id",
        "registered_at",
        "group_tag",
        "assigned_user",
        "identity",
        "hardware_hash",
        "hardware_hash_id",
        "captured_at",
        event=pl.lit(REGISTERED),
        registered_via=pl.when(pl.col("channel") == "oem_direct_api")
        .then(pl.lit("oem_direct_api"))
        .otherwise(pl.lit("partner_center")),
    )
    return fill(pl.concat([own, with_keys(compared)], how="horizontal"))


def ended_records(kept: pl.DataFrame, ending: pl.DataFrame) -> pl.DataFrame:
    """What the registry records of the registrations that the rows of a batch end.

    Args:
        kept: rows of `assemble` without a reason; `ends_device_id` names the registration that a departure ends.
        ending: as in `Stamp.ending`.

    Returns:
        One row a registration, with the columns of `schemas.registry.RECORD_TYPES`: what it was, why it ended, and who
        asked for it in which request.
    """
    ends = kept.drop_nulls("ends_device_id").select(
        "run_id",
        "request_id",
        device_id="ends_device_id",
        departed_by="partner_id",
        departure_request="request_id",
        removal_reason="departure_reason",
        removed_at="deregistered_at",
        event=pl.lit(DEREGISTERED),
    )
    return fill(ends.join(ending.drop("run_id", strict=False), on="device_id", how="inner", validate="1:1"))


def learned(rows: pl.DataFrame, registrations: pl.DataFrame) -> pl.DataFrame:
    """What registrations without a hash learn from rows of their own tenant that are the same device.

    Args:
        rows: rows of `assemble`; `learns_device_id` names the registration that learns the row's hash.
        registrations: as in `Stamp.learning`.

    Returns:
        One row a registration, with the columns of `schemas.registry.RECORD_TYPES`: all that it was, and the hash and
        its components. What the hash does not name stays.
    """
    teaching = rows.drop_nulls("learns_device_id")
    if teaching.is_empty():
        return pl.DataFrame(schema=RECORD_TYPES)
    taught = pl.concat(
        [teaching.select(*_OF_HASH, device_id="learns_device_id"), components(_as_read(teaching))], how="horizontal"
    )
    kept = registrations.drop(*_OF_HASH, "version").join(
        taught, on="device_id", how="inner", validate="1:1", suffix="_taught"
    )
    known = [pl.coalesce(f"{name}_taught", name).alias(name) for name in COMPONENT_TYPES]
    own = kept.with_columns(*known, event=pl.lit(LEARNED), run_id=pl.lit(teaching["run_id"][0]))
    return fill(with_keys(own))


def _as_read(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with what `components` needs beside their cells."""
    return with_tuple_faults(rows.with_columns(hash_verified=pl.col("hardware_hash_id").is_not_null()))
