"""Existing records of a file against each other and the registry: which registration each is, or why it is none.

An import tells what is registered already, so that it is stricter than a delivery: what is not surely one device, or
not surely another, is refused, and an operator looks at it.
"""

import polars as pl

from pipeline.match import STRONG_KEYS, match, with_blocking_keys
from pipeline.registry.table import Registry
from schemas.device import COMPONENT_TYPES, SERIAL_FORM_TYPES
from schemas.matches import Matches, Verdict
from schemas.registry import ENDS, IDENTITIES

_MODEL = pl.lit("").alias("model")
"""Stands for every model: serial number and manufacturer alone say which device an existing record is."""

_AGAINST = [Verdict.CONTRADICTION, Verdict.BOARD_REPLACED, Verdict.PROBABLE]
"""Verdicts by which two records are neither surely one device nor surely two. The last one, where the model does not
count and damaged forms are not looked for, is one serial number with two product IDs."""

_REMOVED = pl.format("was registered as device {} and removed since; --restore makes it live again", "device_id")


class _ByIdentity:
    """The registry as an import is held against it: exact spellings, no model, no look-alikes."""

    def __init__(self, registry: Registry, spellings: pl.DataFrame, *, ended: bool = False) -> None:
        self._registry, self._spellings, self._ended = registry, spellings, ended

    def holders(self, name: str, wanted: pl.Series) -> pl.DataFrame:
        return self._registry.holders(name, wanted if name in STRONG_KEYS else wanted.clear())

    def serial_forms(self, manufacturers: pl.Series) -> pl.DataFrame:  # noqa: ARG002 - no look-alikes of any
        return pl.DataFrame(schema=SERIAL_FORM_TYPES)

    def records(self, positions: pl.Series) -> pl.DataFrame:
        records = self._registry.records(positions, ended=self._ended).with_columns(_MODEL)
        return records.with_columns(
            pl.when("has_hash").then("manufacturer").otherwise(_exact(self._spellings)).alias("manufacturer")
        )

    def ended_records(self, positions: pl.Series) -> pl.DataFrame:
        return self._registry.ended_records(positions.clear())  # what is the same as an ended one is asked for apart


class _AsOnceSpelled(_ByIdentity):
    """Of the registry only what has no hash, by the manufacturers that an earlier program took as they were written."""

    def records(self, positions: pl.Series) -> pl.DataFrame:
        return self._registry.records(positions).filter(~pl.col("has_hash")).with_columns(_MODEL)


def _exact(spellings: pl.DataFrame) -> pl.Expr:
    name = pl.col("manufacturer")
    return name.str.to_lowercase().replace_strict(
        spellings["spelling"], spellings["manufacturer"], default=name, return_dtype=pl.String
    )


def recognise(records: pl.DataFrame, registry: Registry, spellings: pl.DataFrame, *, restore: bool) -> pl.DataFrame:
    """Find out which registration each record is.

    Args:
        records: `row`, `source_line`, `tenant_id`, `identity`, `captured_at`, `registered_at` and the columns of
            `COMPONENT_TYPES`; each has a usable identity.
        registry: the registry.
        spellings: `Reference.manufacturers`.
        restore: registrations that have ended may be live again.

    Returns:
        One row for each, in order: `row`; `refusal`, why it is refused; `kept`, whether it is the one that counts of
        those of its device; `record`, where the registry holds the registration that it is, null for a new one; and
        whether that one `ended`.
    """
    devices = with_blocking_keys(records.select("row", *COMPONENT_TYPES).with_columns(_MODEL).sort("row"))
    matches = match(devices, _ByIdentity(registry, spellings))
    rows = records.drop(set(COMPONENT_TYPES) - {"has_hash"}).join(
        matches.profiles, on="row", how="left", maintain_order="left", validate="1:1"
    )
    pointed = _pointed(rows, matches)
    pointed = pl.concat([pointed, _once_spelled(rows, devices, registry, spellings).select(pointed.columns)])
    refusals = [
        _crowded(rows, matches),
        *_within(rows, matches),
        *_against_registry(pointed),
    ]
    same = pointed.filter(pl.col("verdict") == Verdict.SAME).with_columns(ended=pl.lit(value=False))
    if registry.removed_ids().len():
        unknown = rows.filter(~pl.col("device").is_in(same["device"].implode()))
        own = devices.join(unknown, on="row", how="semi", maintain_order="left")
        ended = _ended(unknown, own, registry, spellings)
        same = pl.concat([same, ended.select(same.columns)])
        if not restore:
            refusals.append(ended.select("device", refusal=_REMOVED))
    refusals.append(_indirect(rows, pointed, same))
    return _concluded(rows, same, pl.concat([frame.select("device", "refusal") for frame in refusals]))


def _concluded(rows: pl.DataFrame, same: pl.DataFrame, refusals: pl.DataFrame) -> pl.DataFrame:
    refused = refusals.unique("device", keep="first", maintain_order=True)
    known = same.unique("device", keep="first", maintain_order=True).select("device", "record", "ended")
    kept = _kept(rows)
    return (
        rows.join(refused, on="device", how="left", maintain_order="left", validate="m:1")
        .join(known, on="device", how="left", maintain_order="left", validate="m:1")
        .select(
            "row",
            "source_line",
            "refusal",
            "record",
            kept=pl.col("row").is_in(kept["row"].implode()),
            ended=pl.col("ended").fill_null(value=False),
        )
    )


def _kept(rows: pl.DataFrame) -> pl.DataFrame:
    """The row of each device that counts: by its identity, then the latest capture and registration, then the first."""
    rank = pl.col("identity").replace_strict(dict(zip(IDENTITIES, range(3), strict=True)), return_dtype=pl.UInt8)
    ordered = rows.with_columns(rank=rank).sort(
        "device",
        "rank",
        "captured_at",
        "registered_at",
        "row",
        descending=[False, False, True, True, False],
        nulls_last=True,
    )
    return ordered.unique("device", keep="first", maintain_order=True)


def _pointed(rows: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """What the registry says of each row: `device`, `row`, `of_tenant`, `record`, `device_id`, `verdict`, `score`."""
    registered = matches.registered.rename({"tenant_id": "of_tenant"})
    return rows.select("row", "device", "profile", "tenant_id", "has_hash").join(
        registered, on="profile", how="inner", maintain_order="left"
    )


def _once_spelled(
    rows: pl.DataFrame, devices: pl.DataFrame, registry: Registry, spellings: pl.DataFrame
) -> pl.DataFrame:
    """What the registry says of rows, as `_pointed`, by spellings that are none and that it has of their maker."""
    held = registry.live().filter(~pl.col("has_hash")).select("manufacturer").drop_nulls().unique()
    odd = held.with_columns(exact=_exact(spellings)).filter(pl.col("exact") != pl.col("manufacturer"))
    meant = devices.join(
        odd.collect(engine="streaming").rename({"manufacturer": "once"}), left_on="manufacturer", right_on="exact"
    )
    respelled = meant.with_columns(manufacturer="once").drop("once").rename({"row": "of_row"}).with_row_index("row")
    matches = match(with_blocking_keys(respelled), _AsOnceSpelled(registry, spellings))
    placed = matches.profiles.select("row", "profile").join(respelled.select("row", "of_row"), on="row", validate="1:1")
    again = rows.drop("profile").join(
        placed.select("profile", row="of_row"), on="row", how="inner", maintain_order="left", validate="1:m"
    )
    return _pointed(again, matches).filter(pl.col("verdict").is_in([Verdict.SAME, Verdict.PROBABLE]))


def _crowded(rows: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    crowds = matches.crowded.filter(~pl.col("told_apart")).unique("profile", keep="first", maintain_order=True)
    told = pl.format("shares its {} with {} other records, too many to compare", "key", "holders")
    return rows.join(crowds, on="profile", how="inner", maintain_order="left").select("device", refusal=told)


def _within(rows: pl.DataFrame, matches: Matches) -> list[pl.DataFrame]:
    """Devices of the file that another row of it speaks against, or that two tenants claim."""
    first = rows.group_by("profile", maintain_order=True).agg(pl.col("device", "source_line", "has_hash").first())
    pairs = matches.within.join(first, left_on="left", right_on="profile", validate="m:1").join(
        first, left_on="right", right_on="profile", suffix="_right", validate="m:1"
    )
    sides = pl.concat(
        [
            pairs.select("verdict", profile="left", line="source_line_right"),
            pairs.select("verdict", profile="right", line="source_line"),
        ]
    )
    against = (
        sides.filter(pl.col("verdict").is_in(_AGAINST))
        .join(rows.select("profile", "device").unique(), on="profile", how="inner")
        .sort("device", "line")
        .select("device", refusal=pl.format("{}: line {} of this file", "verdict", "line"))
    )
    tenants = rows.group_by("device").agg(
        tenants=pl.col("tenant_id").n_unique(), lines=pl.col("source_line").cast(pl.String).head(5).str.join(", ")
    )
    claimed = tenants.filter(pl.col("tenants") > 1).select(
        "device", refusal=pl.format("the same device for several tenants: lines {} of this file", "lines")
    )
    return [against, claimed, _torn(rows, pairs)]


def _torn(rows: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Devices that are one only by way of a row without a hash, or of which one would be."""
    told = pl.lit("the same as several devices of this file, which are not the same")
    same = pairs.filter((pl.col("verdict") == Verdict.SAME) & (pl.col("left") != pl.col("right")))
    between = same.filter(pl.col("device") != pl.col("device_right"))
    bridges = pl.concat(
        [
            between.filter(~pl.col("has_hash")).select("device"),
            between.filter(~pl.col("has_hash_right")).select(device="device_right"),
        ]
    )
    hashes = rows.filter("has_hash").group_by("device").agg(hashes=pl.col("profile").n_unique().cast(pl.UInt64))
    agreeing = (
        same.filter(pl.col("has_hash") & pl.col("has_hash_right") & (pl.col("device") == pl.col("device_right")))
        .group_by("device")
        .agg(agreeing=pl.len().cast(pl.UInt64))
    )
    apart = (
        hashes.filter(pl.col("hashes") > 1)
        .join(agreeing, on="device", how="left", validate="1:1")
        .filter(pl.col("agreeing").fill_null(0) < pl.col("hashes") * (pl.col("hashes") - 1) // 2)
    )
    return pl.concat([bridges, apart.select("device")]).with_columns(refusal=told)


def _against_registry(pointed: pl.DataFrame) -> list[pl.DataFrame]:
    """Devices that a live registration speaks against, that are another tenant's, or several registrations."""
    ordered = pointed.sort("device", "score", "device_id", descending=[False, True, False])
    against = ordered.filter(pl.col("verdict").is_in(_AGAINST)).select(
        "device", refusal=pl.format("{}: registered device {}", "verdict", "device_id")
    )
    same = ordered.filter(pl.col("verdict") == Verdict.SAME)
    elsewhere = same.filter(pl.col("of_tenant") != pl.col("tenant_id")).select(
        "device", refusal=pl.format("the same device is registered for another tenant: {}", "device_id")
    )
    several = (
        same.group_by("device", maintain_order=True)
        .agg(names=pl.col("device_id").unique(maintain_order=True))
        .filter(pl.col("names").list.len() > 1)
        .select(
            "device",
            refusal=pl.format("the same as several registrations: {}", pl.col("names").list.head(5).list.join(", ")),
        )
    )
    return [against, elsewhere, several]


def _indirect(rows: pl.DataFrame, pointed: pl.DataFrame, same: pl.DataFrame) -> pl.DataFrame:
    """Devices known only by way of a row without a hash although they have one, or against what another row says."""
    known = same.select("device", "record").unique()
    heard = same.filter("has_hash")["device"]
    unheard = rows.filter("has_hash").join(known, on="device", how="semi")
    unheard = unheard.filter(~pl.col("device").is_in(heard.implode()))
    denied = pointed.filter(pl.col("verdict") != Verdict.SAME).join(known, on=["device", "record"], how="semi")
    told = pl.lit("of the records of this device in the file, some are a registered device and others are not")
    return pl.concat([unheard.select("device"), denied.select("device")]).with_columns(refusal=told)


def _ended(rows: pl.DataFrame, devices: pl.DataFrame, registry: Registry, spellings: pl.DataFrame) -> pl.DataFrame:
    """The rows that are a registration of their tenant that has ended; of several of one device, the latest first."""
    matches = match(devices, _ByIdentity(registry, spellings, ended=True))
    pointed = _pointed(rows, matches).filter(
        (pl.col("verdict") == Verdict.SAME) & (pl.col("of_tenant") == pl.col("tenant_id"))
    )
    removals = registry.scan().filter(pl.col("event").is_in(list(ENDS))).select("device_id", "version", "removed_at")
    last = (
        removals.filter(pl.col("device_id").is_in(pointed["device_id"].unique().implode()))
        .collect(engine="streaming")
        .sort("version", "removed_at", nulls_last=False)
        .unique("device_id", keep="last", maintain_order=True)
    )
    return (
        pointed.join(last, on="device_id", how="left", validate="m:1")
        .sort("device", "version", "removed_at", "device_id", descending=[False, True, True, False], nulls_last=True)
        .with_columns(ended=pl.lit(value=True))
    )
