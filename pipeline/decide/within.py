"""What the rows of a batch say of each other: who is kept, who claims the same device, who contradicts whom."""

import polars as pl

from pipeline.arrays import repeated
from schemas.matches import CONFLICTING, Matches, Verdict

_IDENTITY_RANK = {"hash": 0, "product_id": 1, "tuple": 2}


def duplicates(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Rows of a device that stands in the batch more than once.

    At most one row of a device and tenant is kept: hash before product ID before tuple, then the latest capture, then
    the first by file and line. `kept_row` is null for it, and for rows of which nobody knows what device they are;
    `other_claim`, the first row of another tenant's, where the device is no other tenant's.
    """
    several = devices.filter(pl.col("device").is_in(repeated(devices["device"]).implode()))
    rank = pl.col("identity").replace_strict(_IDENTITY_RANK, return_dtype=pl.UInt8)
    ranked = several.sort(
        "in_doubt", rank, "captured_at", "row", descending=[False, False, True, False], nulls_last=True
    )
    kept = ranked.unique(["device", "tenant_id"], keep="first").select("device", "tenant_id", first_row="row")
    contested = kept.filter(pl.col("device").is_in(repeated(kept["device"]).implode()))
    claims = contested.group_by("device").agg(
        first_claim=pl.col("first_row").min(), next_claim=pl.col("first_row").bottom_k(2).max()
    )
    joined = ranked.join(kept, on=["device", "tenant_id"], how="left", maintain_order="left", validate="m:1").join(
        claims, on="device", how="left", maintain_order="left", validate="m:1"
    )
    first = pl.col("first_row")
    told = joined.with_columns(
        kept_row=pl.when((pl.col("row") != first) & ~pl.col("in_doubt")).then(first),
        other_claim=pl.when(pl.col("first_claim") == first).then("next_claim").otherwise("first_claim"),
    ).with_columns(met_row=pl.coalesce("kept_row", "other_claim"))
    return told.join(_met(told, matches), on="row", how="left", maintain_order="left", validate="1:1").select(
        "row", "other_claim", "kept_row", "met_row", "met_evidence"
    )


def _met(rows: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """`row` and what of it agrees with and differs from the row of the batch that it met."""
    profile_of = rows.select(met_row="row", met_profile="profile")
    met = rows.select("row", "profile", "met_row").join(profile_of, on="met_row", how="inner", validate="m:1")
    lower, upper = pl.min_horizontal("profile", "met_profile"), pl.max_horizontal("profile", "met_profile")
    compared = met.with_columns(left=lower, right=upper).join(
        matches.within.select("left", "right", "evidence"), on=["left", "right"], how="left", validate="m:1"
    )
    told = pl.col("evidence").fill_null("the same device by way of other rows")
    return compared.select("row", met_evidence=pl.lit("in this delivery: ") + told)


def conflicts(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Rows of devices of which two rows, or which and another device, contradict each other.

    All rows of such a device go to review: registering one of them would choose between two truths. A row without a
    hash harms only rows without one, those of its own group.
    """
    told = pl.format("in this delivery, {}: {}", "verdict", "evidence")
    edges = conflict_edges(devices, matches).select("group", "device", "left_hash", "score", conflict_evidence=told)
    first = edges.sort("score", "conflict_evidence", descending=[True, False])
    of_group = first.unique("group", keep="first").select("group", own="conflict_evidence")
    of_device = first.filter("left_hash").unique("device", keep="first")
    return (
        devices.select("row", "group", "device")
        .join(of_group, on="group", how="left", validate="m:1")
        .join(of_device.select("device", "conflict_evidence"), on="device", how="left", validate="m:1")
        .select("row", conflict_evidence=pl.coalesce("own", "conflict_evidence"))
    )


def conflict_edges(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """The verdicts that send rows to review: one row a profile `left` that is harmed and `right`.

    Returns:
        `group`, `device` and `left_hash` of the harmed, `right`, and the `verdict`, `score` and `evidence`.
    """
    found = matches.within.filter(pl.col("verdict").is_in(CONFLICTING))
    turned = found.select(pl.col("right").alias("left"), pl.col("left").alias("right"), "score", "evidence", "verdict")
    sides = pl.concat([found.select(turned.columns), turned])
    involved = devices.filter(pl.col("profile").is_in(sides["left"].implode()))
    harmed = involved.select("group", "device", left="profile", left_hash="has_hash").unique()
    kinds = harmed.unique("left").select(right="left", right_hash="left_hash")
    return (
        sides.join(kinds, on="right", how="left", validate="m:1")
        .join(harmed, on="left", how="left")
        .filter(~pl.col("left_hash") | pl.col("right_hash"))
    )


def colliding_edges(matches: Matches) -> pl.DataFrame:
    """Profiles that differ and share a UUID, each with each: `left` and `right`."""
    found = matches.within.filter(pl.col("verdict") == Verdict.COLLIDING).select("left", "right")
    return pl.concat([found, found.select(left="right", right="left")])
