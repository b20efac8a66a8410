"""The matcher: keys, candidates, comparison, clusters. It proposes; `decide` disposes."""

import numpy as np
import polars as pl
import polars_hash as plh

from pipeline import arrays
from pipeline.match.candidates import JUNK, pairs_against, pairs_within
from pipeline.match.compare import FEATURES, compare
from pipeline.match.damaged import damaged_forms
from pipeline.match.devices import form_devices
from pipeline.match.existing import ExistingRecords
from pipeline.match.keys import STRONG_KEYS, with_blocking_keys
from schemas.device import COMPONENT_TYPES
from schemas.matches import Matches, Verdict

_FACTORS = {name: 2 * number + 1 for number, name in enumerate(STRONG_KEYS)}
"""Odd and different, so that the sum of a row's keys tells it from nearly every other."""


def match(devices: pl.DataFrame, existing: ExistingRecords) -> Matches:
    """Compare the rows of a batch with each other and with the registry.

    Args:
        devices: one row a row that may be registered: `row` and the columns of `COMPONENT_TYPES`.
        existing: the registry as of one version.
    """
    rows, profiles = _profiles(devices)
    pairs, crowds_within = pairs_within(profiles)
    twins = arrays.repeated(rows["profile"])
    themselves = pl.DataFrame({"left": twins, "right": twins})
    within = compare(pl.concat([pairs, themselves]).sort("left", "right"), profiles, profiles)
    candidates, crowds_against = pairs_against(profiles, existing.holders)
    registered = _compare_registered(candidates, profiles, existing)
    damaged = _damaged(profiles, registered, existing)
    registered = pl.concat([registered, damaged], how="vertical_relaxed")
    return Matches(
        profiles=form_devices(rows, profiles["has_hash"], within, registered),
        within=within,
        registered=registered,
        crowded=_crowded(pl.concat([crowds_within, crowds_against]), profiles),
        ended=_compare_ended(candidates, profiles, existing),
    )


def _compare_ended(pairs: pl.DataFrame, profiles: pl.DataFrame, existing: ExistingRecords) -> pl.DataFrame:
    records = existing.ended_records(pairs["right"].unique()).with_row_index("at")
    placed = pairs.join(records, left_on="right", right_on="record", how="inner", validate="m:1")
    compared = compare(placed.select("left", "device_id", "tenant_id", "ended_in", right="at"), profiles, records)
    return compared.select("device_id", "tenant_id", "ended_in", "verdict", "evidence", profile="left")


def _crowded(crowds: pl.DataFrame, profiles: pl.DataFrame) -> pl.DataFrame:
    crowded = profiles.filter(pl.col("profile").is_in(crowds["left"].implode()))
    tpms = crowded.select("profile", has_tpm=pl.col("tpm_ek_id").is_not_null())
    return (
        crowds.rename({"left": "profile"})
        .join(tpms, on="profile", how="left", validate="m:1")
        .select(
            "profile",
            "key",
            "holders",
            # What few share may be a component of theirs; only what many share is surely nobody's.
            told_apart=(pl.col("key") == "uuid_key") & pl.col("has_tpm") & (pl.col("holders") > JUNK),
        )
        .sort("profile", "key", "holders")
    )


def _profiles(devices: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the distinct contents: `row` and `profile` of each row, and one record with keys for each profile."""
    records = with_blocking_keys(devices.sort("row"))
    # Rows of one content share all keys, so only those that do are compared in full.
    keys = pl.sum_horizontal(pl.col(name).fill_null(0) * factor for name, factor in _FACTORS.items())
    mixed = records.select(keys).to_series()
    alike = records.select(at=pl.int_range(pl.len()), mixed=mixed).filter(
        pl.col("mixed").is_in(arrays.repeated(mixed).implode())
    )
    content = records[alike["at"]].select(plh.hash_rows([pl.col(name) for name in COMPONENT_TYPES]).alias("content"))
    alike = alike.with_columns(content).with_columns(first=pl.col("at").first().over("content"))
    first = np.arange(records.height)
    first[alike["at"]] = alike["first"]
    is_first = first == np.arange(records.height)
    profile = (np.cumsum(is_first) - 1)[first]
    rows = records.select("row", profile=pl.Series(profile, dtype=pl.UInt32))
    return rows, records.drop("row").filter(pl.Series(is_first)).with_row_index("profile")


def _compare_registered(pairs: pl.DataFrame, profiles: pl.DataFrame, existing: ExistingRecords) -> pl.DataFrame:
    records = existing.records(pairs["right"].unique()).with_row_index("at")
    places = records.select("at", "record")
    placed = pairs.join(places, left_on="right", right_on="record", how="inner", validate="m:1")
    compared = compare(placed.select("left", right="at"), profiles, records)
    return compared.join(
        records.select("at", "record", "device_id", "tenant_id", "registered_via", registered_has_hash="has_hash"),
        left_on="right",
        right_on="at",
        how="left",
        maintain_order="left",
        validate="m:1",
    ).select(
        pl.col("left").alias("profile"),
        "record",
        "device_id",
        "tenant_id",
        "registered_via",
        "registered_has_hash",
        "verdict",
        "score",
        "same_disk",
        "evidence",
    )


def _damaged(profiles: pl.DataFrame, registered: pl.DataFrame, existing: ExistingRecords) -> pl.DataFrame:
    """Look-alikes of the serials of rows that have nothing else and matched nothing exactly."""
    found = registered.filter(pl.col("verdict") != Verdict.DIFFERENT)["profile"]
    typed = profiles.filter(
        ~pl.col("has_hash")
        & pl.col("product_id").is_null()
        & pl.col("serial_number").is_not_null()
        & ~pl.col("profile").is_in(found.implode())
    )
    nothing = registered.clear()
    if typed.is_empty():
        return nothing
    forms = damaged_forms(typed.select("manufacturer", "serial_number", left="profile"), existing)
    if forms.is_empty():
        return nothing
    records = existing.records(forms["right"].unique())
    models = profiles.select("profile", typed_model="model")
    serial_weight = next(feature.weight for feature in FEATURES if feature.component == "serial")
    pairs = forms.join(records, left_on="right", right_on="record", how="inner", validate="m:1")
    pairs = pairs.join(models, left_on="left", right_on="profile", how="left", validate="m:1")
    other_model = (pl.col("typed_model") != pl.col("model")).fill_null(value=False)
    return pairs.filter(~other_model).select(
        pl.col("left").alias("profile"),
        pl.col("right").alias("record"),
        "device_id",
        "tenant_id",
        "registered_via",
        registered_has_hash="has_hash",
        verdict=pl.lit(Verdict.PROBABLE.value),
        score=serial_weight / (1 + pl.col("distance")),
        same_disk=pl.lit(value=False),
        evidence=pl.when(pl.col("distance") > 0)
        .then(pl.format("serial number like the registered one ({} characters off)", "distance"))
        .otherwise(pl.lit("serial number like the registered one, but for case")),
    )
