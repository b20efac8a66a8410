"""Rows to devices. "Same" is no chain that runs through a third record past a "no".

Rows with a hash form devices first. Those without one form groups, and a group belongs to the one device that it is
the same as: it can be claimed with it and repeated by it, and never changes what the rows with a hash are.
"""

import numpy as np
import polars as pl

from pipeline.match.cluster import connected_components
from schemas.matches import CONFLICTING, Verdict

_AGAINST_BARE = (*CONFLICTING, Verdict.PROBABLE)
"""Verdicts past which "same" connects no row without a hash, neither with its group nor with a device."""


def form_devices(
    rows: pl.DataFrame, has_hash: pl.Series, within: pl.DataFrame, registered: pl.DataFrame
) -> pl.DataFrame:
    """Put rows together that are one device.

    Args:
        rows: one row a row of the batch: `row`, `profile`.
        has_hash: of each profile, in order.
        within: verdicts between profiles, as in `Matches`.
        registered: verdicts of profiles and existing records, as in `Matches`.

    Returns:
        The rows, in order, with `has_hash`; `group`, the rows of its kind (with or without a hash) that "same"
        connects; `device`, its group with all that belong to it; each called by its first row; and `in_doubt`: nobody
        can say which device the row is.
    """
    if within.is_empty() and has_hash.all():
        own = pl.col("row")
        return rows.with_columns(group=own, device=own, has_hash=pl.lit(value=True), in_doubt=pl.lit(value=False))
    edges = _edges(within, has_hash)
    alike = edges.filter(pl.col("left_hash") == pl.col("right_hash"))
    group = connected_components(len(has_hash), alike["left"], alike["right"])
    mixed = _mixed(edges)
    claims = _claims(mixed, group, registered, has_hash)
    lookalikes = _lookalikes(within)
    # A group that is the same as such a content is the same as several devices.
    between = mixed.filter(pl.col("hashed").is_in(lookalikes.implode()))["bare"]
    several = pl.concat([claims.group_by("group").len().filter(pl.col("len") > 1)["group"], group.gather(between)])
    one = claims.filter(pl.col("device").is_not_null() & ~pl.col("group").is_in(several.implode()))
    joined = _renamed(group, one["group"], one["device"])
    broken = _incomplete(alike.filter("left_hash"), group)
    disputed = _disputed(within, group, joined, has_hash)
    doubtful = group.is_in(pl.concat([several, disputed]).implode()) | joined.is_in(broken.implode())
    alone = pl.int_range(len(has_hash), eager=True).is_in(lookalikes.implode())
    return rows.with_columns(
        _first_rows(rows, group, alone).alias("group"),
        # Whose device nobody can tell connects nothing: its rows are a device each.
        _first_rows(rows, joined, alone | group.is_in(several.implode())).alias("device"),
        has_hash=has_hash.gather(rows["profile"]),
        in_doubt=doubtful.gather(rows["profile"]),
    )


def _edges(within: pl.DataFrame, has_hash: pl.Series) -> pl.DataFrame:
    """Pairs of different profiles that are the same device, and whether each side has a hash."""
    same = within.filter((pl.col("verdict") == Verdict.SAME) & (pl.col("left") != pl.col("right")))
    return same.select(
        "left",
        "right",
        has_hash.gather(same["left"]).alias("left_hash"),
        has_hash.gather(same["right"]).alias("right_hash"),
    )


def _lookalikes(within: pl.DataFrame) -> pl.Series:
    """Contents whose rows are not even the same as each other, having too little to go by: each row is a device."""
    return within.filter((pl.col("left") == pl.col("right")) & (pl.col("verdict") != Verdict.SAME))["left"]


def _mixed(edges: pl.DataFrame) -> pl.DataFrame:
    """The pairs of which one side has no hash, `bare`, and the other has one, `hashed`."""
    return edges.filter(pl.col("left_hash") != pl.col("right_hash")).select(
        bare=pl.when("left_hash").then("right").otherwise("left"),
        hashed=pl.when("left_hash").then("left").otherwise("right"),
    )


def _claims(mixed: pl.DataFrame, group: pl.Series, registered: pl.DataFrame, has_hash: pl.Series) -> pl.DataFrame:
    """What groups without a hash are the same as: `group`, and either a `device` of the batch or a `registration`.

    A registration with a hash counts as a device, unless the group's device of the batch is the same as it.
    """
    batch = pl.DataFrame({"group": group.gather(mixed["bare"]), "device": group.gather(mixed["hashed"])}).unique()
    known = registered.filter((pl.col("verdict") == Verdict.SAME) & pl.col("registered_has_hash"))
    called = known.select(
        group.gather(known["profile"]).alias("label"),
        has_hash.gather(known["profile"]).alias("has_hash"),
        registration="device_id",
    ).unique()
    of_devices = called.select(device="label", registration="registration")
    explained = batch.join(of_devices, on="device", how="inner").select("group", "registration")
    others = (
        called.filter(~pl.col("has_hash"))
        .select(group="label", registration="registration")
        .join(explained, on=["group", "registration"], how="anti")
    )
    return pl.concat([batch, others], how="diagonal")


def _renamed(labels: pl.Series, old: pl.Series, new: pl.Series) -> pl.Series:
    """Labels, each of them a position among them, with some replaced by others."""
    if old.is_empty():
        return labels
    names = pl.Series(np.arange(len(labels)))
    return names.scatter(old, new).gather(labels)


def _incomplete(edges: pl.DataFrame, group: pl.Series) -> pl.Series:
    """Devices of which two contents have another verdict than "same" between them, or were never compared."""
    members = pl.concat([edges["left"], edges["right"]])
    counted = pl.DataFrame({"group": group.gather(members), "member": members}).group_by("group")
    found = counted.agg(others=pl.len(), size=pl.col("member").n_unique().cast(pl.UInt64))
    return found.filter(pl.col("others") < pl.col("size") * (pl.col("size") - 1))["group"]


def _disputed(within: pl.DataFrame, group: pl.Series, joined: pl.Series, has_hash: pl.Series) -> pl.Series:
    """Groups without a hash with another verdict than "same" between their own rows, or with their device's."""
    against = within.filter(pl.col("verdict").is_in(_AGAINST_BARE) & (pl.col("left") != pl.col("right")))
    inside = against.filter(joined.gather(against["left"]) == joined.gather(against["right"]))
    # Two groups that are both the same as a device need not be alike.
    alike = group.gather(inside["left"]) == group.gather(inside["right"])
    inside = inside.filter(alike | has_hash.gather(inside["left"]) | has_hash.gather(inside["right"]))
    sides = pl.concat([inside["left"], inside["right"]])
    return group.gather(sides.filter(~has_hash.gather(sides)))


def _first_rows(rows: pl.DataFrame, labels: pl.Series, alone: pl.Series) -> pl.Series:
    """The first row of each label; the rows of profiles that are the same as nothing, not even themselves, stand alone.

    Rows ascend.
    """
    row, profile = rows["row"].to_numpy(), rows["profile"].to_numpy()
    label = labels.to_numpy()[profile]
    first = np.zeros(len(labels), row.dtype)
    first[label[::-1]] = row[::-1]
    return pl.Series(np.where(alone.to_numpy()[profile], row, first[label]))
