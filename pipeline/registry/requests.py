"""What the registry knows of requests as of one version: which deliveries were read, and what waits or is open."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.registry.files import scan_requests
from schemas.requests import (
    CARRIED_OUT,
    CLOSED,
    DECIDED,
    DELIVERY,
    HEEDED,
    OPEN,
    REQUEST_TYPES,
    SEEN,
    STEP_DONE,
    WAITING,
)

FILE_TYPES = {
    name: REQUEST_TYPES[name] for name in (*DELIVERY, "source_file", "bytes", "stamp", "opened", "run_id", "version")
}
PENDING_TYPES = {
    name: REQUEST_TYPES[name]
    for name in (
        "event",
        "version",
        "request_id",
        *DELIVERY,
        "source_file",
        "line",
        "tenant_id",
        "manufacturer",
        "keys",
        "reason",
        "waits_for",
        "waits_on",
        "asked",
        "waits_from",
        "first_run",
        "since",
        "first_night",
        "is_mended",
    )
}
DECISION_TYPES = {
    name: REQUEST_TYPES[name]
    for name in (
        "version",
        "run_id",
        "request_id",
        *DELIVERY,
        "source_file",
        "line",
        "tenant_id",
        "reason",
        "device_id",
        "decision",
        "decided_on",
        "decided_by",
        "decided_at",
    )
}
_REFUSED, _SAID = [WAITING, OPEN, CLOSED], [DECIDED, HEEDED]


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests of a registry as of one version.

    Attributes:
        files: one row a path and content that were read, with the columns of `FILE_TYPES`, the earliest first.
        pending: one row a request that waits or is open, with the columns of `PENDING_TYPES`.
        decisions: one row a request that somebody has decided, by the latest word, with the columns of
            `DECISION_TYPES` and `is_heeded`: a run has decided it by that.
        nights: runs that were committed.
    """

    files: pl.DataFrame
    pending: pl.DataFrame
    decisions: pl.DataFrame
    nights: int


def read_requests(files: list[Path], nights: int) -> Requests:
    """Read what is known of requests from the registry's files of them."""
    return requests_of(scan_requests(files), nights)


def requests_of(events: pl.LazyFrame, nights: int) -> Requests:
    """What some events, with the columns of `REQUEST_TYPES`, tell of requests."""
    seen, refused, said = pl.collect_all(
        [
            events.filter(pl.col("event") == SEEN).select(list(FILE_TYPES)),
            events.filter(pl.col("event").is_in(_REFUSED)).select(list(PENDING_TYPES)),
            events.filter(pl.col("event").is_in(_SAID)).select("event", *DECISION_TYPES),
        ],
        engine="streaming",
    )
    return Requests(
        files=seen.sort("version", "source_file"),
        pending=latest(refused).filter(pl.col("event") != CLOSED).select(list(PENDING_TYPES)).sort("request_id"),
        decisions=_decisions(said),
        nights=nights,
    )


def _decisions(said: pl.DataFrame) -> pl.DataFrame:
    words = latest(said.filter(pl.col("event") == DECIDED)).select(list(DECISION_TYPES))
    heeded = latest(said.filter(pl.col("event") == HEEDED)).select("request_id", heeded="version")
    return (
        words.join(heeded, on="request_id", how="left", validate="1:1")
        .with_columns(is_heeded=(pl.col("heeded") > pl.col("version")).fill_null(value=False))
        .drop("heeded")
        .sort("request_id")
    )


def latest(events: pl.DataFrame) -> pl.DataFrame:
    """The latest event of each request."""
    return events.sort("version", maintain_order=True).unique("request_id", keep="last", maintain_order=True)


def condensed(files: list[Path]) -> Iterator[pl.DataFrame]:
    """What some files of requests tell, without what later events have overtaken: kind by kind, with all columns."""
    events = scan_requests(files)
    for event in (SEEN, CARRIED_OUT, DECIDED, STEP_DONE):
        yield events.filter(pl.col("event") == event).collect(engine="streaming")
    yield latest(events.filter(pl.col("event") == HEEDED).collect(engine="streaming"))
    refused = events.filter(pl.col("event").is_in(_REFUSED)).collect(engine="streaming")
    yield latest(refused).filter(pl.col("event") != CLOSED)


def carried_out_for(files: dict[Path, int], _first: int, identities: pl.DataFrame) -> pl.DataFrame:
    """Find for which registrations somebody has asked before by some identity cells.

    Args:
        files: some of the registry's files of requests.
        identities: one row an identity: `tenant_id`, `identity_key`; null ones find nothing.

    Returns:
        One row an identity and registration: `tenant_id`, `identity_key`, `device_id`.
    """
    wanted = identities.drop_nulls().unique()
    asked = (
        scan_requests(files)
        .filter((pl.col("event") == CARRIED_OUT) & pl.col("identity_key").is_in(wanted["identity_key"].implode()))
        .select("tenant_id", "identity_key", "device_id")
    )
    return asked.collect(engine="streaming").unique().join(wanted, on=["tenant_id", "identity_key"], how="semi")


def words_on(files: list[Path], device_ids: pl.Series) -> pl.DataFrame:
    """All that was ever decided about some registrations, or of requests that some became, in order.

    Args:
        files: the registry's files of requests.
        device_ids: the registrations.

    Returns:
        One row a word and registration, with the columns of `DECISION_TYPES`; `device_id` names the registration.
    """
    words = scan_requests(files).filter(pl.col("event") == DECIDED).select(list(DECISION_TYPES))
    told = words.collect(engine="streaming").with_columns(
        device_id=pl.concat_list("decided_on", "request_id").list.unique(maintain_order=True)
    )
    return told.explode("device_id").filter(pl.col("device_id").is_in(device_ids.implode())).sort("version")


def steps_done(files: list[Path]) -> pl.DataFrame:
    """What people have said of steps: `device_id`, `ended_in`, `step`, `said_by` and `said_at`, the first of each."""
    said = scan_requests(files).filter(pl.col("event") == STEP_DONE).collect(engine="streaming")
    first = said.sort("version", maintain_order=True).unique(["device_id", "ended_in", "step"], keep="first")
    return first.select("device_id", "ended_in", "step", "said_by", "said_at")


def carried_out_ids(files: dict[Path, int], _first: int, _nothing: None) -> pl.DataFrame:
    """`request_id` of all requests that were carried out."""
    done = scan_requests(files).filter(pl.col("event") == CARRIED_OUT)
    return done.select(request_id=pl.coalesce("request_id", "device_id")).unique().collect(engine="streaming")
