"""Rows that would register a device that has left: an old list does not bring it back."""

import polars as pl

from pipeline.decide import has_reason
from pipeline.intake.taking_in import Intake
from pipeline.match import Matches
from pipeline.match.compare import Verdict
from pipeline.registry import Registry
from schemas.requests import DIFFERENT, SAME


def departed(
    intake: Intake, registry: Registry, matches: Matches, leaving: pl.Series, words: pl.DataFrame
) -> pl.Series:
    """For each row the registration by which its device has left, and nobody has brought it back; null for the others.

    The same was asked and carried out before, and all such registrations have ended; or one ends in this run. Only rows
    that nothing else rejects are held against the registry. A row that an operator has called another device than all
    such registrations has not left; one that is a registration, by an operator's word, has left with that.

    Args:
        intake: the rows that register.
        registry: without what ends in this run.
        matches: what matching says of them.
        leaving: ids of the registrations that end in this run.
        words: what operators have said of them (`pipeline.requests.words`).
    """
    left = registry.departed(intake.rows.select("tenant_id", "identity_key"))
    asked = intake.rows.select("row", "tenant_id", "identity_key").join(
        left, on=["tenant_id", "identity_key"], how="left", maintain_order="left", validate="m:1"
    )
    said = words.select(
        "row", "decision", "decided_on", named="device_id", is_live=pl.col("registered_via").is_not_null()
    )
    known = asked
    for told in (_leaving(intake.rows, matches, leaving), said):
        known = known.join(told, on="row", how="left", maintain_order="left", validate="1:1")
    by_all = pl.concat_list(pl.col("device_ids", "leaving_ids").fill_null([]))
    is_another = (pl.col("decision") == DIFFERENT) & (by_all.list.set_difference("decided_on").list.len() == 0)
    is_one_that_left = (pl.col("decision") == SAME) & ~pl.col("is_live")
    device_id = (
        pl.when(is_one_that_left).then("named").when(~is_another.fill_null(value=False)).then(by_all.list.first())
    )
    return known.select(pl.when(~has_reason(intake.findings)).then(device_id).alias("device_id")).to_series()


def _leaving(rows: pl.DataFrame, matches: Matches, leaving: pl.Series) -> pl.DataFrame:
    """Rows that are the same device, by themselves or a mate, as a registration of their tenant that ends.

    Returns:
        `row` and `leaving_ids`, all such registrations.
    """
    ends = matches.ended.filter((pl.col("verdict") == Verdict.SAME) & pl.col("device_id").is_in(leaving.implode()))
    devices = matches.profiles.select("row", "profile", "device")
    gone = (
        devices.join(ends, on="profile", how="inner")
        .group_by("device", "tenant_id")
        .agg(leaving_ids=pl.col("device_id").unique().sort())
    )
    placed = devices.join(rows.select("row", "tenant_id"), on="row", how="inner", validate="1:1")
    told = placed.join(gone, on=["device", "tenant_id"], how="inner", validate="m:1")
    return told.select("row", "leaving_ids")
