"""Rows that would register a device that has left: an old list does not bring it back."""

import polars as pl

from pipeline.decide import has_reason
from pipeline.intake.taking_in import Intake
from pipeline.match import Matches
from pipeline.match.compare import Verdict
from pipeline.registry import Registry


def departed(intake: Intake, registry: Registry, matches: Matches, leaving: pl.Series) -> pl.Series:
    """For each row the registration by which its device has left, and nobody has brought it back; null for the others.

    The same was asked and carried out before, and all such registrations have ended; or one ends in this run. Only rows
    that nothing else rejects are held against the registry.

    Args:
        intake: the rows that register.
        registry: without what ends in this run.
        matches: what matching says of them.
        leaving: ids of the registrations that end in this run.
    """
    left = registry.departed(intake.rows.select("tenant_id", "identity_key"))
    asked = intake.rows.select("row", "tenant_id", "identity_key").join(
        left, on=["tenant_id", "identity_key"], how="left", maintain_order="left", validate="m:1"
    )
    known = asked.join(
        _leaving(intake.rows, matches, leaving), on="row", how="left", maintain_order="left", validate="1:1"
    )
    return known.select(
        pl.when(~has_reason(intake.findings)).then(pl.coalesce("device_id", "leaving_id")).alias("device_id")
    ).to_series()


def _leaving(rows: pl.DataFrame, matches: Matches, leaving: pl.Series) -> pl.DataFrame:
    """Rows that are the same device, by themselves or a mate, as a registration of their tenant that ends.

    Returns:
        `row` and `leaving_id`, the first such registration by id.
    """
    ends = matches.ended.filter((pl.col("verdict") == Verdict.SAME) & pl.col("device_id").is_in(leaving.implode()))
    devices = matches.profiles.select("row", "profile", "device")
    gone = devices.join(ends, on="profile", how="inner").group_by("device", "tenant_id").agg(pl.col("device_id").min())
    placed = devices.join(rows.select("row", "tenant_id"), on="row", how="inner", validate="1:1")
    told = placed.join(gone, on=["device", "tenant_id"], how="inner", validate="m:1")
    return told.select("row", leaving_id="device_id")
