"""Whom a row met in its batch: all that its decision could change with, the nearest first."""

import polars as pl

from pipeline.decide.registered import MOST_NAMED
from pipeline.decide.within import colliding_edges, conflict_edges
from schemas.matches import Matches, Verdict


def met_rows(
    devices: pl.DataFrame, found: pl.DataFrame, told: pl.DataFrame, claims: pl.DataFrame, matches: Matches
) -> pl.DataFrame:
    """Name the rows of the batch that rows met.

    Args:
        devices: one row a row that met anything, with what `form_devices` says of it.
        found: for each of them `row`, `met_row`, `kept_row`, `two_tenants`, `contradicted`.
        told: verdicts that point at registrations.
        claims: devices that are the same as registrations without a hash.
        matches: what matching says.

    Returns:
        `row` and `met_rows`, at most `MOST_NAMED` of each, the nearest first; only rows that met one.
    """
    nearest = found.filter(pl.col("met_row").is_not_null()).select("row", met="met_row")
    parts = [
        nearest,
        _conflicting(devices, matches),
        _same_groups(devices, matches),
        _of_one_registration(devices, claims),
        _mates(devices, found, told),
        _colliding(devices, matches),
    ]
    ranked = [
        part.select("row", "met", rank=pl.lit(rank, pl.UInt8)) for rank, part in enumerate(parts) if part.height
    ] or [nearest.with_columns(rank=pl.lit(0, pl.UInt8))]
    return (
        pl.concat(ranked)
        .filter(pl.col("row") != pl.col("met"))
        .sort("row", "rank", "met")
        .unique(["row", "met"], keep="first", maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg(met_rows=pl.col("met").head(MOST_NAMED))
    )


def _nobody(devices: pl.DataFrame) -> pl.DataFrame:
    return devices.clear().select("row", met="row")


def _few(pairs: pl.DataFrame, *of: str) -> pl.DataFrame:
    """The first rows met of each: one more than are named, since a row may stand among those that it met."""
    ordered = pairs.select(*of, "met").unique().sort(*of, "met")
    return ordered.group_by(of, maintain_order=True).head(MOST_NAMED + 1)


def _rows_of(devices: pl.DataFrame, profiles: pl.Series) -> pl.DataFrame:
    named = devices.filter(pl.col("profile").is_in(profiles.implode()))
    return _few(named.select("profile", met="row"), "profile")


def _conflicting(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Rows that contradict the row's group or the rows with a hash of its device."""
    edges = conflict_edges(devices, matches)
    if edges.is_empty():
        return _nobody(devices)
    met = edges.join(_rows_of(devices, edges["right"]), left_on="right", right_on="profile", how="inner")
    of_group, of_device = _few(met, "group"), _few(met.filter("left_hash"), "device")
    places = devices.select("row", "group", "device")
    return pl.concat(
        [
            places.join(of_group, on="group", how="inner").select("row", "met"),
            places.join(of_device, on="device", how="inner").select("row", "met"),
        ]
    )


def _same_groups(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Rows of a group without a hash that nobody can place, and of the devices that it is the same as, to each other.

    Take one of them away, and the group may belong to another.
    """
    unplaced = devices.filter(~pl.col("has_hash") & pl.col("in_doubt"))
    if unplaced.is_empty():
        return _nobody(devices)
    edges = matches.within.filter((pl.col("verdict") == Verdict.SAME) & (pl.col("left") != pl.col("right")))
    sides = pl.concat([edges.select("left", "right"), edges.select(left="right", right="left")])
    bare = unplaced.select("group", left="profile").unique()
    hashed = devices.filter("has_hash").select("device", right="profile").unique()
    touched = sides.join(bare, on="left", how="inner").join(hashed, on="right", how="inner")
    touched = touched.select(unplaced="group", device="device").unique()
    theirs = touched.join(_few(devices.filter("has_hash").select("device", met="row"), "device"), on="device")
    own = _few(unplaced.select(unplaced="group", met="row"), "unplaced")
    met = _few(pl.concat([theirs.select("unplaced", "met"), own]), "unplaced")
    concerned = pl.concat(
        [
            unplaced.select("row", unplaced="group"),
            devices.select("row", "device").join(touched, on="device", how="inner").select("row", "unplaced"),
        ]
    )
    return _few(concerned.join(met, on="unplaced", how="inner"), "row")


def _of_one_registration(devices: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """Rows of other devices that are the same as the registration without a hash that the row's device is."""
    shared = claims.filter(pl.len().over("record") > 1)
    if shared.is_empty():
        return _nobody(devices)
    places = devices.filter(pl.col("device").is_in(shared["device"].implode())).select("row", "device")
    first = _few(places.select("device", met="row"), "device")
    met = _few(shared.join(first, on="device", how="inner"), "record")
    return _few(places.join(shared, on="device").join(met, on="record"), "row")


def _mates(devices: pl.DataFrame, found: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Rows of the row's own device, where there is more to it than copies of one device."""
    disputed = found.filter(pl.col("two_tenants") | pl.col("contradicted"))["row"]
    bare = devices.filter(~pl.col("has_hash"))["device"]
    contents = devices.filter(pl.col("device").is_in(bare.implode())).select("device", "profile").unique()
    chained = contents.group_by("device").len().filter(pl.col("len") > 2)  # noqa: PLR2004 - two are no chain
    odd = pl.concat(
        [
            devices.filter(pl.col("in_doubt") | pl.col("row").is_in(disputed.implode()))["device"],
            chained["device"],
            told["device"],
        ]
    ).unique()
    if odd.is_empty():
        return _nobody(devices)
    concerned = devices.filter(pl.col("device").is_in(odd.implode())).select("row", "device")
    mates = _few(concerned.select("device", met="row"), "device")
    return concerned.join(mates, on="device", how="inner").select("row", "met")


def _colliding(devices: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """Rows of other devices with the row's UUID."""
    edges = colliding_edges(matches)
    if edges.is_empty():
        return _nobody(devices)
    met = edges.join(_rows_of(devices, edges["right"]), left_on="right", right_on="profile", how="inner")
    few = _few(met.select(profile="left", met="met"), "profile")
    return devices.select("row", "profile").join(few, on="profile", how="inner").select("row", "met")
