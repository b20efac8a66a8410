"""Rows that would register a device that has left: an old list does not bring it back."""

import polars as pl

from pipeline.decide import has_reason
from pipeline.intake.taking_in import Intake
from pipeline.registry import Registry
from pipeline.requests.docket import Docket, request_ids
from schemas.matches import Matches, Verdict
from schemas.requests import DIFFERENT, SAME

NONE_FINAL = pl.DataFrame(schema={"row": pl.UInt64, "opened": pl.Int64})
"""What `final_before` gives where no row was final."""


def departed(
    intake: Intake,
    registry: Registry,
    matches: Matches,
    leaving: pl.Series,
    words: pl.DataFrame,
    final: pl.DataFrame = NONE_FINAL,
) -> pl.Series:
    """For each row the registration by which its device has left, and nobody has brought it back; null for the others.

    The same was asked and carried out before, and all such registrations have ended; or one ends in this run; or one
    has ended since the request was read first, which was final. Only rows that nothing else rejects are held against
    the registry. A row that an operator has called another device than all
    such registrations has not left; one that is a registration, by an operator's word, has left with that.

    Args:
        intake: the rows that register.
        registry: without what ends in this run.
        matches: what matching says of them.
        leaving: ids of the registrations that end in this run.
        words: what operators have said of them (`pipeline.requests.words`).
        final: those that are decided again although they were final (`final_before`).
    """
    left = registry.departed(intake.rows.select("tenant_id", "identity_key"))
    asked = intake.rows.select("row", "tenant_id", "identity_key").join(
        left, on=["tenant_id", "identity_key"], how="inner", validate="m:1"
    )
    said = words.select(
        "row", "decision", "decided_on", named="device_id", is_live=pl.col("registered_via").is_not_null()
    )
    found = (asked.select("row", "device_ids"), _leaving(intake.rows, matches, leaving, final), said)
    known = pl.concat(told.select("row") for told in found).unique()
    for told in found:
        known = known.join(told, on="row", how="left", validate="1:1")
    by_all = pl.concat_list(pl.col("device_ids", "leaving_ids").fill_null([]))
    is_another = (pl.col("decision") == DIFFERENT) & (by_all.list.set_difference("decided_on").list.len() == 0)
    is_one_that_left = (pl.col("decision") == SAME) & ~pl.col("is_live")
    device_id = (
        pl.when(is_one_that_left).then("named").when(~is_another.fill_null(value=False)).then(by_all.list.first())
    )
    of_row = intake.rows.select("row").join(
        known.select("row", device_id=device_id), on="row", how="left", maintain_order="left", validate="1:1"
    )
    return of_row.select(pl.when(~has_reason(intake.findings)).then("device_id").alias("device_id")).to_series()


def final_before(intake: Intake, files: pl.DataFrame, night: Docket) -> pl.DataFrame:
    """Rows that are decided although their requests were final: they may not bring back what has left meanwhile.

    Returns:
        `row`, and `opened`, the registry's version that the run which read it first had opened.
    """
    rows = intake.rows.select("row", "file_no")
    told = rows.with_columns(files.select("known", "opened")[rows["file_no"]])
    read_before = told.filter("known") if night.settled is not None else told.clear()
    waits = request_ids(read_before["row"], files).is_in(night.again["request_id"].implode())
    return read_before.filter(~waits).select("row", "opened")


def _leaving(rows: pl.DataFrame, matches: Matches, leaving: pl.Series, final: pl.DataFrame) -> pl.DataFrame:
    """Rows that are the same device, by themselves or a mate, as a registration of their tenant that ends.

    Or, of rows that were final, as one that has ended since the run that read them first had opened the registry.

    Returns:
        `row` and `leaving_ids`, all such registrations.
    """
    ends = matches.ended.filter(pl.col("verdict") == Verdict.SAME)
    devices = matches.profiles.select("row", "profile", "device")
    gone = devices.join(ends, on="profile", how="inner").select("device", "tenant_id", "device_id", "ended_in").unique()
    placed = devices.join(gone.select("device").unique(), on="device", how="semi")
    of_tenant = placed.join(rows.select("row", "tenant_id"), on="row", how="inner", validate="1:1")
    told = of_tenant.join(gone, on=["device", "tenant_id"], how="inner").join(
        final, on="row", how="left", validate="m:1"
    )
    has_ended_since = (pl.col("ended_in") > pl.col("opened")).fill_null(value=False)
    return (
        told.filter(pl.col("device_id").is_in(leaving.implode()) | has_ended_since)
        .group_by("row")
        .agg(leaving_ids=pl.col("device_id").unique().sort())
    )
