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
    claims = _claims(edges, group, registered, has_hash)
    lookalikes = _lookalikes(within)
    several = pl.concat(
        [
            claims.group_by("group").len().filter(pl.col("len") > 1)["group"],
            _groups_of(lookalikes, edges, group),
        ]
    ).unique()
    one = claims.filter(pl.col("device").is_not_null() & ~pl.col("group").is_in(several.implode()))
    joined = _renamed(group, one["group"], one["device"])
    broken = _incomplete(alike.filter("left_hash"), group)
    disputed = _disputed(within, group, joined, has_hash)
    doubtful = group.is_in(pl.concat([several, disputed]).implode()) | joined.is_in(broken.implode())
    same = within.filter(pl.col("verdict") == Verdict.SAME)
    ends = pl.concat([same["left"], same["right"]]).unique()
    sure = ends.filter(~ends.is_in(lookalikes.implode()))
    return rows.with_columns(
        _first_rows(rows, group, sure).alias("group"),
        # Whose device nobody can tell connects nothing: its rows are a device each.
        _first_rows(rows, joined, sure.filter(~group.gather(sure).is_in(several.implode()))).alias("device"),
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


def _groups_of(lookalikes: pl.Series, edges: pl.DataFrame, group: pl.Series) -> pl.Series:
    """Groups without a hash that are the same as such a content, and so as several devices."""
    mixed = edges.filter(pl.col("left_hash") != pl.col("right_hash"))
    sides = mixed.select(
        bare=pl.when("left_hash").then("right").otherwise("left"),
        hashed=pl.when("left_hash").then("left").otherwise("right"),
    )
    return group.gather(sides.filter(pl.col("hashed").is_in(lookalikes.implode()))["bare"])


def _claims(edges: pl.DataFrame, group: pl.Series, registered: pl.DataFrame, has_hash: pl.Series) -> pl.DataFrame:
    """What groups without a hash are the same as: `group`, and either a `device` of the batch or a `registration`.

    A registration with a hash counts as a device, unless the group's device of the batch is the same as it.
    """
    mixed = edges.filter(pl.col("left_hash") != pl.col("right_hash"))
    bare = mixed.select(pl.when("left_hash").then("right").otherwise("left")).to_series()
    hashed = mixed.select(pl.when("left_hash").then("left").otherwise("right")).to_series()
    batch = pl.DataFrame({"group": group.gather(bare), "device": group.gather(hashed)}).unique()
    known = registered.filter((pl.col("verdict") == Verdict.SAME) & pl.col("registered_has_hash"))
    called = known.select(
        group.gather(known["profile"]).alias("label"),
        has_hash.gather(known["profile"]).alias("has_hash"),
        registration="device_id",
    ).unique()
    of_devices = called.filter("has_hash").select(device="label", registration="registration")
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
    labels = edges.select(group.gather(edges["left"]).alias("group"))
    members = pl.concat([edges["left"], edges["right"]]).unique()
    sizes = members.to_frame("member").select(group.gather(members).alias("group")).group_by("group").len("size")
    found = labels.group_by("group").len("pairs").join(sizes, on="group", how="inner", validate="1:1")
    size = pl.col("size").cast(pl.UInt64)
    return found.filter(2 * pl.col("pairs").cast(pl.UInt64) < size * (size - 1))["group"]


def _disputed(within: pl.DataFrame, group: pl.Series, joined: pl.Series, has_hash: pl.Series) -> pl.Series:
    """Groups without a hash with another verdict than "same" between their own rows, or with their device's."""
    against = within.filter(pl.col("verdict").is_in(_AGAINST_BARE) & (pl.col("left") != pl.col("right")))
    inside = against.filter(joined.gather(against["left"]) == joined.gather(against["right"]))
    # Two groups that are both the same as a device need not be alike.
    alike = group.gather(inside["left"]) == group.gather(inside["right"])
    inside = inside.filter(alike | has_hash.gather(inside["left"]) | has_hash.gather(inside["right"]))
    sides = pl.concat([inside["left"], inside["right"]])
    return group.gather(sides.filter(~has_hash.gather(sides))).unique()


def _first_rows(rows: pl.DataFrame, labels: pl.Series, sure: pl.Series) -> pl.Series:
    """The first row of each label, for profiles that are the same as themselves; the others' rows stand alone."""
    placed = rows.with_row_index("at").filter(pl.col("profile").is_in(sure.implode()))
    placed = placed.with_columns(label=labels.gather(placed["profile"]))
    first = placed.select(pl.col("row").min().over("label"))["row"]
    return rows["row"].clone().scatter(placed["at"], first)
