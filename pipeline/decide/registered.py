"""What the registry says of the rows of a batch, each by its own verdicts and by those of its mates."""

import polars as pl

from pipeline.decide.heeding import met
from schemas.matches import Matches, Verdict

MOST_NAMED = 5
"""Rows or registrations named in one row's evidence: more help nobody."""

# Verdicts that point at a registration, the most telling first. A contradiction names the board's own registration.
_POINTING = {Verdict.SAME: 0, Verdict.CONTRADICTION: 1, Verdict.BOARD_REPLACED: 2}
_PLACE = ("device", "record")


def pointing(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """The verdicts of profiles that point at registrations, their own and those that they take over.

    A profile takes over what a mate matched only where it has no verdict of its own with that record: a "no" is never
    overruled.

    Args:
        devices: one row a row of the batch that met anything, with what `form_devices` says of it.
        matches: what matching says.

    Returns:
        One row a profile, device and record, with the columns of `Matches.registered`, `device`, `has_hash` of the
        profile, and `by_hash`: a row with a hash said so.
    """
    own = matches.registered.filter(pl.col("verdict").is_in(list(_POINTING)))
    members = _members(devices)
    told = _told(own, members)
    silent = _silent(members, told, matches)
    told = told.drop("in_doubt")
    plain = _from_mates(silent)
    told = pl.concat([told, plain.select(told.columns)])
    return pl.concat([told, _by_rows_without_hash(silent, told, devices).select(told.columns)])


def _members(devices: pl.DataFrame) -> pl.DataFrame:
    """The profiles of devices: one row for both, since what is the same as nothing may be several devices."""
    return devices.select("profile", "device", "has_hash", "in_doubt").unique()


def _told(verdicts: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    return verdicts.join(members, on="profile", how="left").with_columns(by_hash="has_hash")


def _silent(members: pl.DataFrame, told: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Profiles beside what mates of one kind say of a registration, where they have no verdict of their own with it.

    Of mates with a hash the most telling counts, of those without one what speaks against it.
    """
    against = ~pl.col("by_hash") & (pl.col("verdict") != Verdict.SAME)
    said = (
        told.filter(~pl.col("in_doubt"))
        .sort(against, _rank(), "score", "evidence", descending=[True, False, True, False])
        .unique([*_PLACE, "by_hash"], keep="first")
        .drop("profile", "has_hash", "in_doubt")
    )
    known = matches.registered.select("profile", "record")
    sure = members.filter(~pl.col("in_doubt")).drop("in_doubt")
    return sure.join(said, on="device", how="inner").join(known, on=["profile", "record"], how="anti")


def _from_mates(silent: pl.DataFrame) -> pl.DataFrame:
    """What profiles take over: from mates with a hash, and those without one also from their like."""
    plain = silent.filter(pl.col("by_hash") | ~pl.col("has_hash")).sort("by_hash", descending=True)
    return plain.unique(["profile", *_PLACE], keep="first")


def _by_rows_without_hash(silent: pl.DataFrame, told: pl.DataFrame, devices: pl.DataFrame) -> pl.DataFrame:
    """What rows with a hash take over from mates without one: the one registration that is nobody else's.

    Only where no row with a hash says anything, since a row without one never sends a row with one to review.
    """
    asked = silent.filter("has_hash")
    if asked.is_empty():
        return asked
    spoken = told.filter(pl.col("has_hash"))["device"]
    asked = asked.filter(~pl.col("device").is_in(spoken.implode()))
    alone = asked.group_by("device").agg(pl.col("record").n_unique()).filter(pl.col("record") == 1)
    claims = claims_on_bare(told, devices).filter("own_tenant").select("record", rival="device")
    rivals = asked.join(claims, on="record", how="inner").filter(pl.col("rival") != pl.col("device"))
    # With a hash the registration would be another device, and the mate in doubt.
    same = asked.filter((pl.col("verdict") == Verdict.SAME) & pl.col("device").is_in(alone["device"].implode()))
    return same.join(rivals, on=list(_PLACE), how="anti")


def claims_on_bare(told: pl.DataFrame, devices: pl.DataFrame) -> pl.DataFrame:
    """Devices with a hash that are the same as a registration without one, by any of their rows.

    Args:
        told: verdicts that point at registrations.
        devices: the rows of the batch that met anything.

    Returns:
        One row a device and record: `device`, `record`, `by_hash` (a row with a hash is the same), and `own_tenant`:
        the device has a row of the registration's tenant.
    """
    same = told.filter((pl.col("verdict") == Verdict.SAME) & ~pl.col("registered_has_hash"))
    claiming = devices.filter(pl.col("has_hash") & pl.col("device").is_in(same["device"].implode()))
    hashed = claiming.select("device", own="tenant_id")
    found = same.group_by(*_PLACE, "tenant_id").agg(pl.col("by_hash").any())
    return (
        found.join(hashed, on="device", how="inner")
        .group_by(*_PLACE, "by_hash")
        .agg(own_tenant=(pl.col("own") == pl.col("tenant_id")).any())
    )


def rivals(told: pl.DataFrame, claims: pl.DataFrame, devices: pl.DataFrame) -> pl.DataFrame:
    """Rows of devices of one tenant of which several are the same as one of its registrations without a hash.

    Returns:
        One row a row: `row`, and `elsewhere`: no row with a hash says that the registration is the row's own device, so
        that it is another one.
    """
    own = claims.filter("own_tenant").select(
        *_PLACE,
        claimed="by_hash",
        devices=pl.len().over("record"),
        by_hash=pl.col("by_hash").sum().over("record"),
    )
    disputed = (
        told.select("profile", *_PLACE, "has_hash", registered_tenant="tenant_id")
        .join(own, on=list(_PLACE), how="inner")
        .filter(pl.when("has_hash").then(pl.col("by_hash") > 1).otherwise(pl.col("devices") > 1))
    )
    return (
        devices.select("row", "profile", "device", "tenant_id")
        .join(disputed.select("profile", "device", "registered_tenant", "claimed"), on=["profile", "device"])
        .filter(pl.col("tenant_id") == pl.col("registered_tenant"))
        .group_by("row")
        .agg(elsewhere=~pl.col("claimed").all())
    )


def registrations(told: pl.DataFrame, devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """What the registry says of each profile and device: how many registrations are pointed at, and the one to name.

    Args:
        told: verdicts that point at registrations.
        devices: the rows of the batch that met anything.
        matches: what matching says; likenesses count where nothing is pointed at.
    """
    probable = _likenesses(devices, matches).join(told, on="profile", how="anti")
    evidence = pl.format("registered device {}, {}: {}", "device_id", "verdict", "evidence")
    return (
        pl.concat([told.drop("device", "has_hash", "by_hash"), probable])
        .with_columns(rank=_rank(), told=evidence)
        .sort("profile", "rank", "device_id")
        .group_by("profile")
        .agg(
            pl.col("verdict", "device_id", "tenant_id", "registered_via", "registered_has_hash").first(),
            *met(pl.col("device_id")),
            registrations=pl.col("device_id").filter(pl.col("verdict") != Verdict.PROBABLE).n_unique(),
            registered_evidence=pl.col("told").unique(maintain_order=True).head(MOST_NAMED).str.join(" | "),
        )
        .rename({"tenant_id": "registered_tenant"})
    )


def _likenesses(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Verdicts "probably the same" of profiles, their own and their mates', as `pointing` takes them over."""
    own = matches.registered.filter(pl.col("verdict") == Verdict.PROBABLE)
    if own.is_empty():
        return own
    members = _members(devices)
    taken = _from_mates(_silent(members, _told(own, members), matches))
    return pl.concat([own, taken.select(own.columns)])


def _rank() -> pl.Expr:
    return pl.col("verdict").replace_strict(_POINTING, default=len(_POINTING), return_dtype=pl.UInt8)


def warnings(profiles: pl.Series, matches: Matches) -> pl.DataFrame:
    """What is odd about profiles and does not stop them: a shared UUID, a registered device's disk, a crowd."""
    within = matches.within.filter(pl.col("verdict") == Verdict.COLLIDING)
    against = matches.registered.filter(pl.col("verdict") == Verdict.COLLIDING)
    told_apart = matches.crowded.filter("told_apart")
    colliding = pl.concat([within["left"], within["right"], against["profile"], told_apart["profile"]])
    donors = (
        matches.registered.filter(pl.col("same_disk") & pl.col("verdict").is_in([Verdict.DIFFERENT, Verdict.COLLIDING]))
        .group_by("profile")
        .agg(donor=pl.col("device_id").min())
        .with_columns(donor_evidence=pl.format("carries the disk of registered device {}", "donor"))
    )
    crowds = (
        matches.crowded.filter(~pl.col("told_apart"))
        .group_by("profile")
        .agg(crowd_evidence=pl.format("{} records share its {}", "holders", "key").first())
    )
    return (
        profiles.to_frame("profile")
        .with_columns(colliding=pl.col("profile").is_in(colliding.implode()))
        .join(donors, on="profile", how="left", validate="1:1")
        .join(crowds, on="profile", how="left", validate="1:1")
    )
