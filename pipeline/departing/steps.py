"""What remains of departures: the table of steps, held against what ended, what began since, and what people say."""

import polars as pl

from pipeline.requests.docket import REPAIR as REPAIR_WORD
from schemas.registry import CUSTOMER_PORTALS, RECORD_TYPES, REMOVED
from schemas.requests import REQUEST_TYPES
from schemas.steps import (
    BY_CUSTOMER_TEXT,
    CUSTOMER,
    DEREGISTER,
    DONE,
    EVERY,
    NEW_HASH,
    NEW_REGISTRATION,
    OPEN,
    OPERATOR,
    PARTNER,
    REPAIR,
    STEP_TYPES,
    STEPS,
    TRANSFER,
)

_TRANSFER_WORD = "transfer"
"""A registration that ends for a reason with this word is to begin in another tenant."""

_DEVICE = ("device_id", "tenant_id", "partner_id", "version", "serial_number", "manufacturer", "hardware_hash_id")
ENDED_TYPES = {name: RECORD_TYPES[name] for name in (*_DEVICE, "event", "removal_reason", "registered_via")}
BEGUN_TYPES = {name: RECORD_TYPES[name] for name in _DEVICE}
SAID_TYPES = {name: REQUEST_TYPES[name] for name in ("device_id", "ended_in", "step")}

_TABLE = pl.DataFrame(
    {
        "order": range(len(STEPS)),
        "step": [step.name for step in STEPS],
        "system": [step.system for step in STEPS],
        "by": [step.owner for step in STEPS],
        "after": [step.after for step in STEPS],
        "of": [step.of for step in STEPS],
        "told": [step.text for step in STEPS],
    }
)


def steps(ended: pl.DataFrame, begun: pl.DataFrame, said: pl.DataFrame, *, for_partners: bool = False) -> pl.DataFrame:
    """The steps of some departures.

    Args:
        ended: one row a registration that has ended, with the columns of `ENDED_TYPES`: `event` with which it did, in
            which `version`, and `partner_id`, who asked for it (null where an operator did).
        begun: registrations, also such that have ended since, with the columns of `BEGUN_TYPES`: `version` in which
            they began. What began in the version in which another ended began after it.
        said: what people have said is done, with the columns of `SAID_TYPES`.
        for_partners: tell only what those may know who asked: of other tenants nothing but their own registrations.

    Returns:
        One row a registration and step, with the columns of `STEP_TYPES`, by tenant, serial number and device, each in
        the order of its steps. What is open of a device that its tenant has registered anew in a later night is left
        out: it would hit the device that is in use.
    """
    departures = ended.join(_since(ended, begun, for_partners), on="device_id", how="left", validate="1:1")
    flags = ("again", "back", "elsewhere")
    known = departures.with_columns(pl.col(flags).fill_null(value=False)).with_columns(
        repair=_says(REPAIR_WORD) | pl.col("again"),
        transfer=_says(_TRANSFER_WORD) | pl.col("elsewhere"),
        is_theirs=pl.col("registered_via").is_in(CUSTOMER_PORTALS).fill_null(value=False),
    )
    of = pl.col("of")
    belongs = (of == EVERY) | ((of == REPAIR) & pl.col("repair")) | ((of == TRANSFER) & pl.col("transfer"))
    told = said.unique().with_columns(said=True)
    each = known.join(_TABLE, how="cross").filter(belongs)
    by_step = each.join(
        told,
        left_on=["device_id", "version", "step"],
        right_on=["device_id", "ended_in", "step"],
        how="left",
        nulls_equal=True,
        validate="1:1",
    )
    return (
        by_step.with_columns(owner=_owner(), text=_text(), state=_state())
        .filter(~(pl.col("back") & (pl.col("state") == OPEN)))
        .sort("tenant_id", "serial_number", "device_id", "order")
        .select(pl.col(name).cast(dtype) for name, dtype in STEP_TYPES.items())
    )


def _says(word: str) -> pl.Expr:
    return pl.col("removal_reason").fill_null("").str.to_lowercase().str.contains(word, literal=True)


def _only_theirs() -> pl.Expr:
    """Whether a departure is one that an operator has noted and only the customer can carry out."""
    return pl.col("is_theirs") & (pl.col("event") == REMOVED)


def _owner() -> pl.Expr:
    ends = pl.col("step") == DEREGISTER
    is_partners = (pl.col("by") == PARTNER) & ~ends
    return (
        pl.when((is_partners & pl.col("is_theirs")) | (ends & _only_theirs()))
        .then(pl.lit(CUSTOMER))
        .when(ends & (pl.col("event") == REMOVED))
        .then(pl.lit(OPERATOR))
        .otherwise("by")
    )


def _text() -> pl.Expr:
    by_customer = (pl.col("step") == DEREGISTER) & _only_theirs()
    return pl.when(by_customer).then(pl.lit(BY_CUSTOMER_TEXT)).otherwise("told")


def _state() -> pl.Expr:
    step = pl.col("step")
    is_done = (
        ((step == DEREGISTER) & ~_only_theirs())
        | ((step == NEW_HASH) & pl.col("again"))
        | ((step == NEW_REGISTRATION) & pl.col("elsewhere"))
        | pl.col("said").fill_null(value=False)
    )
    return pl.when(is_done).then(pl.lit(DONE)).otherwise(pl.lit(OPEN))


def _since(ended: pl.DataFrame, begun: pl.DataFrame, for_partners: bool) -> pl.DataFrame:  # noqa: FBT001 - as above
    """What has become of the devices of registrations that ended, as far as one of them is registered since.

    Returns:
        One row a registration that ended: `device_id`, `again`, its tenant has registered it anew, `back`, in a later
        night, and `elsewhere`, another tenant has.
    """
    before = _keyed(ended.with_columns(pl.col("version").fill_null(-1)))
    pairs = [
        before.drop_nulls(key).join(_keyed(begun).drop_nulls(key), on=key, how="inner", suffix="_since")
        for key in ("serial_key", "hardware_hash_id")
    ]
    columns = ["device_id", "tenant_id", "partner_id", "version"]
    met = pl.concat(pair.select(*columns, *(f"{name}_since" for name in columns)) for pair in pairs).filter(
        pl.col("version_since") >= pl.col("version"), pl.col("device_id_since") != pl.col("device_id")
    )
    is_here = pl.col("tenant_id_since") == pl.col("tenant_id")
    if for_partners:
        is_own = (pl.col("partner_id_since") == pl.col("partner_id")).fill_null(value=False)
        met = met.filter(is_here | is_own)
    return met.group_by("device_id").agg(
        again=is_here.any(),
        back=(is_here & (pl.col("version_since") > pl.col("version"))).any(),
        elsewhere=(~is_here).any(),
    )


def _keyed(registrations: pl.DataFrame) -> pl.DataFrame:
    """With what names the device whatever board it has: the serial number, which is one maker's alone."""
    lowered = [pl.col(name).str.to_lowercase() for name in ("manufacturer", "serial_number")]
    return registrations.with_columns(serial_key=pl.concat_list(lowered).list.join("\0", ignore_nulls=False))
