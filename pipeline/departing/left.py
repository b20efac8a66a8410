"""Rows that would register a device that has left: an old list does not bring it back."""

import polars as pl

from pipeline.decide import has_reason
from pipeline.intake.taking_in import Intake
from pipeline.match import Matches
from pipeline.match.compare import Verdict
from pipeline.registry import Registry
from pipeline.rows import ROW


def with_departed(intake: Intake, registry: Registry, matches: Matches, leaving: pl.Series) -> pl.DataFrame:
    """The findings, with `DEVICE_LEFT`: the device's registration has ended, and nobody has brought it back.

    The same was asked and carried out before; or the registration ends in this run. Only rows that nothing else rejects
    are held against the registry.

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
    leaves = asked["row"].is_in(_leaving(intake.rows, matches, leaving).implode())
    has_left = (asked["device_id"].is_not_null() | leaves) & ~has_reason(intake.findings)
    return intake.findings.with_columns(DEVICE_LEFT=has_left)


def _leaving(rows: pl.DataFrame, matches: Matches, leaving: pl.Series) -> pl.Series:
    """Rows that are the same device, by themselves or a mate, as a registration of their tenant that ends."""
    ends = matches.ended.filter((pl.col("verdict") == Verdict.SAME) & pl.col("device_id").is_in(leaving.implode()))
    if ends.is_empty():
        return pl.Series("row", [], ROW)
    devices = matches.profiles.select("row", "profile", "device")
    gone = devices.join(ends, on="profile", how="inner").select("device", "tenant_id").unique()
    placed = devices.join(rows.select("row", "tenant_id"), on="row", how="inner", validate="1:1")
    return placed.join(gone, on=["device", "tenant_id"], how="semi")["row"]
