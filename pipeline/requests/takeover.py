"""What the published runs of earlier versions knew of requests, taken over into the registry once.

Before, each night read from them which files were settled and what was wrong still.
"""

from datetime import datetime
from pathlib import Path

import polars as pl

from pipeline.errors import Fault
from pipeline.match import identity_key
from pipeline.registry import Registry, request_id
from pipeline.runs.history import Bring, PublishedRun, published_runs
from schemas.kinds import REGISTRATION
from schemas.reasons import CATALOGUE, Waits
from schemas.requests import CARRIED_OUT, OPEN, REQUEST_TYPES, SEEN, WAITING

_UNFIXED = "unfixed.parquet"
_READ = ["processed", "empty"]
_DUPLICATE = "DUPLICATE_IN_BATCH"
_FOUND_REGISTERED = ["ALREADY_REGISTERED", "REGISTERED_BY_CUSTOMER"]
_WAITS_FOR = {code: reason.waits_for.value for code, reason in CATALOGUE.items()}
_CELLS = ("serial_number", "windows_product_id", "manufacturer", "model", "hardware_hash_id")
_ROW = ("source_file", "source_line", "tenant_id", *_CELLS)
_REJECTED = (*_ROW, "reason", "reasons", "matched_device_id", "matched_source_file", "matched_source_line")


def take_over(output: Path, bring: Bring, registry: Registry) -> pl.DataFrame:
    """What published runs of this registry knew.

    Args:
        output: where they are.
        bring: has what is needed of each at hand.
        registry: runs that it does not know are of another one, and do not count.

    Returns:
        One row an event, with the columns of `schemas.requests.REQUEST_TYPES`; of each request the latest alone.

    Raises:
        Fault: one of the runs cannot be read.
    """
    known = [run for run in published_runs(output) if registry.committed(run.folder.name) is not None]
    told = [pl.DataFrame(schema=REQUEST_TYPES)]
    for run in known:
        bring(run.folder.name, ".parquet")
        told.append(_of_run(run))
    events = pl.concat(told)
    done = events.filter(pl.col("event") == CARRIED_OUT)
    refused = events.filter(pl.col("event").is_in([WAITING, OPEN]))
    pending = refused.unique("request_id", keep="last", maintain_order=True)
    pending = _with_what_was_unfixed(pending, known).join(done, on="request_id", how="anti")
    return pl.concat([events.filter(pl.col("event") == SEEN), done, pending])


def _of_run(run: PublishedRun) -> pl.DataFrame:
    files = _read(
        [run.folder / "files.parquet"], ["source_file", "partner_id", "tenant_folder", "bytes", "sha256", "disposition"]
    )
    read = files.filter(pl.col("disposition").is_in(_READ)).drop("disposition")
    read = read.with_columns(request_kind=pl.lit(REGISTRATION), run_id=pl.lit(run.folder.name))
    registered = _requests(_set(run, "registered", (*_ROW, "device_id")), read)
    rejected = _ended(_requests(_set(run, "rejected", _REJECTED), read), registered)
    moment = pl.lit(datetime.fromisoformat(run.manifest["as_of"]), REQUEST_TYPES["asked"])
    refused = rejected.filter(pl.col("device_id").is_null()).with_columns(
        event=pl.when("is_waiting").then(pl.lit(WAITING)).otherwise(pl.lit(OPEN)),
        waits_on=pl.concat_list("matched_device_id").list.drop_nulls(),
        asked=moment,
        waits_from=moment,
        since=moment,
        first_run=pl.lit(run.folder.name),
    )
    done = pl.concat([registered, rejected.drop_nulls("device_id")], how="diagonal_relaxed")
    events = [read.with_columns(event=pl.lit(SEEN)), done.with_columns(event=pl.lit(CARRIED_OUT)), refused]
    return pl.concat([_of_types(frame) for frame in events])


def _requests(rows: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """Rows of files that were read, as requests."""
    placed = rows.join(files, on="source_file", how="inner", maintain_order="left", validate="m:1").with_columns(
        line=pl.col("source_line").cast(pl.Int64), has_hash=pl.col("hardware_hash_id").is_not_null()
    )
    return placed.with_columns(request_id(), identity_key=identity_key())


def _ended(rejected: pl.DataFrame, registered: pl.DataFrame) -> pl.DataFrame:
    """Add how requests ended: `device_id` of those that were carried out, `waits_for` and `is_waiting` of others."""
    told = rejected.with_columns(
        device_id=pl.when(pl.col("reason").is_in(_FOUND_REGISTERED)).then("matched_device_id"),
        waits_for=pl.col("reasons")
        .list.set_difference([_DUPLICATE])
        .list.eval(pl.element().replace_strict(_WAITS_FOR, default=Waits.DELIVERY.value))
        .list.unique(maintain_order=True),
    )
    place = ["matched_source_file", "matched_source_line"]
    ends = pl.concat([registered, told], how="diagonal_relaxed").select(
        matched_source_file="source_file", matched_source_line="source_line", kept="device_id", kept_waits="waits_for"
    )
    met = told.join(ends, on=place, how="left", maintain_order="left", validate="m:1")
    follows = pl.col("reason") == _DUPLICATE
    waits = pl.when(follows).then(pl.col("waits_for").list.set_union(pl.col("kept_waits").fill_null([])))
    followed = met.with_columns(
        device_id=pl.when(follows).then("kept").otherwise("device_id"), waits_for=waits.otherwise("waits_for")
    )
    only_delivery = pl.col("waits_for").list.contains(Waits.DELIVERY.value)
    return followed.with_columns(is_waiting=~only_delivery & (pl.col("waits_for").list.len() > 0))


def _with_what_was_unfixed(pending: pl.DataFrame, runs: list[PublishedRun]) -> pl.DataFrame:
    """Requests that wait, and those that the last run called unfixed, with since when and how they are known again."""
    last = runs[-1].folder / _UNFIXED if runs else None
    if last is None or not last.exists():
        return pending.filter(pl.col("event") == WAITING)
    unfixed = _read([last], ["partner_id", "keys", "source_file", "source_line", "first_run", "since", "nights"])
    told = unfixed.unique(["source_file", "source_line"], keep="last").select(
        "source_file",
        line=pl.col("source_line").cast(pl.Int64),
        own_keys="keys",
        own_run="first_run",
        own_since="since",
        own_night=1 - pl.col("nights").cast(pl.Int64),
    )
    joined = pending.join(told, on=["source_file", "line"], how="left", maintain_order="left", validate="m:1")
    kept = joined.filter((pl.col("event") == WAITING) | pl.col("own_run").is_not_null())
    return _of_types(
        kept.with_columns(
            keys="own_keys",
            first_run=pl.coalesce("own_run", "first_run"),
            since=pl.coalesce("own_since", "since"),
            first_night=pl.col("own_night").fill_null(0),
        )
    )


def _of_types(events: pl.DataFrame) -> pl.DataFrame:
    return events.select(
        (pl.col(name) if name in events.columns else pl.lit(None).alias(name)).cast(dtype)
        for name, dtype in REQUEST_TYPES.items()
    )


def _set(run: PublishedRun, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    return _read(sorted((run.folder / name).glob("*.parquet")), list(columns))


def _read(paths: list[Path], columns: list[str]) -> pl.DataFrame:
    try:
        return pl.read_parquet(paths, columns=columns, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"published run {paths[0].parent if paths else paths}: cannot be read; restore it, or move it away"
        raise Fault(message) from error
