"""The matcher: keys, candidates, comparison, clusters. It proposes; `decide` disposes."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash as plh

from pipeline import arrays
from pipeline.errors import Fault
from pipeline.match.candidates import JUNK, pairs_against, pairs_within
from pipeline.match.compare import FEATURES, compare
from pipeline.match.damaged import damaged_forms
from pipeline.match.devices import form_devices
from pipeline.match.existing import ExistingRecords
from pipeline.match.keys import BLOCKING_TYPES, STRONG_KEYS
from schemas.device import COMPONENT_TYPES
from schemas.matches import Matches, Verdict

_FACTORS = {name: 2 * number + 1 for number, name in enumerate(STRONG_KEYS)}
"""Odd and different, so that the sum of a row's keys tells it from nearly every other."""


@dataclass(frozen=True, slots=True)
class _Profiles:
    """The distinct contents of a batch, which stay where they lie: only those that are compared are looked at.

    Attributes:
        keys: one row a profile, whose position is its name: `has_hash` and the columns of `BLOCKING_TYPES`.
        first: where among the devices each has its first row, ascending.
        devices: one row a row of the batch, with the columns of `COMPONENT_TYPES`.
    """

    keys: pl.DataFrame
    first: arrays.Ints
    devices: pl.DataFrame

    def __getitem__(self, profiles: pl.Series) -> pl.DataFrame:
        """The components of some profiles, in order; each may be asked for again."""
        asked = arrays.distinct(profiles.to_numpy())
        return self.components(asked)[np.searchsorted(asked, profiles.to_numpy())]

    def components(self, profiles: arrays.Ints) -> pl.DataFrame:
        """The components of some profiles, each asked for once, in order."""
        wanted = np.zeros(self.devices.height, bool)
        wanted[self.first[profiles]] = True
        return self.devices.select(list(COMPONENT_TYPES)).filter(pl.Series(wanted))


def match(devices: pl.DataFrame, existing: ExistingRecords, eligible: pl.Series | None = None) -> Matches:
    """Compare the rows of a batch with each other and with the registry.

    Args:
        devices: one row a row, in the order of `row`: that, and the columns of `COMPONENT_TYPES` and
            `pipeline.match.keys.BLOCKING_TYPES`.
        existing: the registry as of one version.
        eligible: which of them may be registered; all where None.

    Raises:
        Fault: the rows are in another order.
    """
    if not devices["row"].is_sorted():
        message = "rows to be matched are not in their order; nothing was published, please report this"
        raise Fault(message)
    rows, profiles = _profiles(devices, eligible)
    pairs, crowds_within = pairs_within(profiles.keys)
    twins = arrays.repeated(rows["profile"])
    themselves = pl.DataFrame({"left": twins, "right": twins})
    within = compare(pl.concat([pairs, themselves]).sort("left", "right"), profiles, profiles)
    candidates, crowds_against = pairs_against(profiles.keys, existing.holders)
    registered = _compare_registered(candidates, profiles, existing)
    damaged = _damaged(profiles, registered, existing)
    registered = pl.concat([registered, damaged], how="vertical_relaxed")
    return Matches(
        profiles=form_devices(rows, profiles.keys["has_hash"], within, registered),
        within=within,
        registered=registered,
        crowded=_crowded(pl.concat([crowds_within, crowds_against]), profiles),
        ended=_compare_ended(candidates, profiles, existing),
    )


def _compare_ended(pairs: pl.DataFrame, profiles: _Profiles, existing: ExistingRecords) -> pl.DataFrame:
    records = existing.ended_records(pairs["right"]).with_row_index("at")
    placed = pairs.join(records, left_on="right", right_on="record", how="inner", validate="m:1")
    compared = compare(placed.select("left", "device_id", "tenant_id", "ended_in", right="at"), profiles, records)
    return compared.select("device_id", "tenant_id", "ended_in", "verdict", "evidence", profile="left")


def _crowded(crowds: pl.DataFrame, profiles: _Profiles) -> pl.DataFrame:
    return (
        crowds.rename({"left": "profile"})
        .with_columns(has_tpm=profiles.keys["tpm_key"].is_not_null().gather(crowds["left"]))
        .select(
            "profile",
            "key",
            "holders",
            # What few share may be a component of theirs; only what many share is surely nobody's.
            told_apart=(pl.col("key") == "uuid_key") & pl.col("has_tpm") & (pl.col("holders") > JUNK),
        )
        .sort("profile", "key", "holders")
    )


def _profiles(devices: pl.DataFrame, eligible: pl.Series | None) -> tuple[pl.DataFrame, _Profiles]:
    """Number the distinct contents: `row` and `profile` of each eligible row, and what the profiles are."""
    keys = devices.select("row", "has_hash", *BLOCKING_TYPES)
    places = np.arange(keys.height)
    if eligible is not None and not eligible.all():
        keys, places = keys.filter(eligible), eligible.arg_true().to_numpy()
    first = _first_alike(keys, places, devices)
    is_first = first == np.arange(keys.height)
    rows = keys.select("row", profile=pl.Series((np.cumsum(is_first) - 1)[first], dtype=pl.UInt32))
    own = keys.drop("row") if is_first.all() else keys.drop("row").filter(pl.Series(is_first))
    return rows, _Profiles(own, places[is_first], devices)


def _first_alike(keys: pl.DataFrame, places: arrays.Ints, devices: pl.DataFrame) -> arrays.Ints:
    """For each row the position of the first one whose components are all equal; `places` are theirs in `devices`."""
    # Rows of one content share all keys, so only those that do are compared in full.
    mixed = keys.select(pl.sum_horizontal(pl.col(name).fill_null(0) * by for name, by in _FACTORS.items())).to_series()
    alike = mixed.is_in(arrays.repeated(mixed).implode()).arg_true().to_numpy()
    content = _Profiles(keys, places, devices).components(alike).select(plh.hash_rows([*map(pl.col, COMPONENT_TYPES)]))
    first = np.arange(keys.height)
    found = pl.DataFrame({"at": alike, "content": content.to_series()})
    first[alike] = found.select(pl.col("at").first().over("content")).to_series()
    return first


def _compare_registered(pairs: pl.DataFrame, profiles: _Profiles, existing: ExistingRecords) -> pl.DataFrame:
    records = existing.records(pairs["right"]).with_row_index("at")
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


def _damaged(profiles: _Profiles, registered: pl.DataFrame, existing: ExistingRecords) -> pl.DataFrame:
    """Look-alikes of the serials of rows that have nothing else and matched nothing exactly."""
    # These meet others by their serial number alone, which then says something.
    by_serial = ~pl.col("has_hash") & pl.col("product_id_key").is_null() & pl.col("serial_key").is_not_null()
    unmet = ~pl.col("profile").is_in(registered["profile"].implode())
    asked = profiles.keys.with_row_index("profile").filter(by_serial & unmet)["profile"]
    typed = profiles.components(asked.to_numpy()).with_columns(asked)
    nothing = registered.clear()
    if typed.is_empty():
        return nothing
    forms = damaged_forms(typed.select("manufacturer", "serial_number", left="profile"), existing)
    if forms.is_empty():
        return nothing
    records = existing.records(forms["right"])
    models = typed.select("profile", typed_model="model")
    serial_weight = next(feature.weight for feature in FEATURES if feature.component == "serial")
    pairs = forms.join(records, left_on="right", right_on="record", how="inner", validate="m:1")
    pairs = pairs.join(models, left_on="left", right_on="profile", how="left", validate="m:1")
    other_model = pl.col("typed_model") != pl.col("model")
    return pairs.remove(other_model).select(
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
