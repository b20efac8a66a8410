"""Rows known by their serial number alone, beside registrations of whose serial number theirs may be a damaged form."""

import polars as pl

from pipeline.match.compare import FEATURES
from pipeline.match.damaged import damaged_forms
from pipeline.match.existing import ExistingRecords
from pipeline.match.profiles import Profiles
from schemas.matches import REGISTERED_TYPES, Verdict


def find_lookalikes(profiles: Profiles, met: pl.Series, existing: ExistingRecords) -> pl.DataFrame:
    """Find look-alikes of the serials of profiles that have nothing else and matched nothing exactly.

    Args:
        profiles: those of a batch.
        met: those that were compared with a registration; they may repeat.
        existing: the registry.

    Returns:
        One row a profile and existing record, as `Matches.registered`.
    """
    asked = _by_serial(profiles).filter(~pl.col("profile").is_in(met.implode()))["profile"]
    typed = profiles.components(asked.to_numpy()).with_columns(asked)
    nothing = pl.DataFrame(schema=REGISTERED_TYPES)
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


def met_by_serial(profiles: Profiles, against: pl.DataFrame, existing: ExistingRecords) -> pl.Series:
    """Profiles that have nothing but a serial number, of which it is known beforehand that they meet a registration.

    Args:
        profiles: those of a batch.
        against: pairs of a profile, `left`, and the position of an existing record, `right`.
        existing: the registry.
    """
    own = against.filter(pl.col("left").is_in(_by_serial(profiles)["profile"].implode()))
    live = existing.records(own["right"])["record"] if own.height else own["right"]
    return own.filter(pl.col("right").is_in(live.implode()))["left"]


def _by_serial(profiles: Profiles) -> pl.DataFrame:
    """Those that meet others by their serial number alone, which then says something: `profile`."""
    bare = ~pl.col("has_hash") & pl.col("product_id_key").is_null() & pl.col("serial_key").is_not_null()
    return profiles.keys.with_row_index("profile").filter(bare).select("profile")
