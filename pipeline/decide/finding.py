"""What matching says of rows, put together row by row: the codes that follow from whom each met."""

import polars as pl

from pipeline.decide.heeding import FACTS
from pipeline.decide.naming import met_rows
from pipeline.decide.registered import claims_on_bare, pointing, registrations, rivals, warnings
from pipeline.decide.within import conflicts, duplicates
from schemas.matches import Matches, Verdict
from schemas.registry import CUSTOMER_PORTALS

MATCH_CODES = (
    "CONFLICTING_CLAIMS",
    "DUPLICATE_IN_BATCH",
    "REGISTERED_OTHER_TENANT",
    "REGISTERED_BY_CUSTOMER",
    "ALREADY_REGISTERED",
    "BOARD_REPLACED",
    "AMBIGUOUS_MATCH",
    "PROBABLE_DUPLICATE",
    "UUID_COLLISION",
    "DISK_OF_REGISTERED_DEVICE",
)


def find(rows: pl.DataFrame, matches: Matches) -> pl.DataFrame:
    """What is found of the rows that met another or a registration.

    All of it follows from what a row is connected with, directly or through others, so that rows may be asked about
    without those that they are not.

    Args:
        rows: one row a record: `row`, `tenant_id`, `identity`, `captured_at`; those that met nothing may be left out.
        matches: what matching says of them.

    Returns:
        One row a row that met anything: `row`, a Boolean column for each of `MATCH_CODES`, `matched_device_id`,
        `matched_row`, `met_rows`, `evidence`, `learnable` (the registration without a hash that learns the row's),
        and what an operator's word on the row is weighed by (`pipeline.decide.heeding.FACTS`).
    """
    met = _met_profiles(matches)
    devices = matches.profiles.filter(pl.col("profile").is_in(met.implode())).join(
        rows.select("row", "tenant_id", "identity", "captured_at"),
        on="row",
        how="left",
        maintain_order="left",
        validate="1:1",
    )
    told = pointing(devices, matches)
    claims = claims_on_bare(told, devices)
    found = (
        devices.select("row", "profile", "tenant_id", "has_hash", "in_doubt")
        .join(rivals(told, claims, devices), on="row", how="left", maintain_order="left", validate="1:1")
        .join(duplicates(devices, matches), on="row", how="left", maintain_order="left", validate="1:1")
        .join(conflicts(devices, matches), on="row", how="left", maintain_order="left", validate="1:1")
        .join(registrations(told, devices, matches), on="profile", how="left", maintain_order="left", validate="m:1")
        .join(warnings(met, matches), on="profile", how="left", maintain_order="left", validate="m:1")
        .with_columns(
            rival=pl.col("elsewhere").is_not_null(),
            two_tenants=pl.col("other_claim").is_not_null(),
            contradicted=pl.col("conflict_evidence").is_not_null(),
            in_crowd=pl.col("crowd_evidence").is_not_null(),
        )
    )
    named = met_rows(devices, found, told, claims, matches)
    return _codes(found.join(named, on="row", how="left", maintain_order="left", validate="1:1"))


def _met_profiles(matches: Matches) -> pl.Series:
    """The profiles of which matching found anything; nothing is to be said of the others."""
    within, registered, crowded = matches.within, matches.registered, matches.crowded
    return pl.concat([within["left"], within["right"], registered["profile"], crowded["profile"]]).unique()


def _codes(found: pl.DataFrame) -> pl.DataFrame:
    """What was found as codes: what the row matched, and the evidence in words."""
    # Where no registration is met, its columns are null, and so is what follows from them, which counts as no.
    unsettled = (pl.col("registrations") > 1) | pl.col("in_doubt") | pl.col("rival")
    same = (pl.col("verdict") == Verdict.SAME) & ~unsettled
    here = pl.col("registered_tenant").eq_missing(pl.col("tenant_id"))
    by_customer = pl.col("registered_via").is_in(CUSTOMER_PORTALS).fill_null(value=False)
    ambiguous = unsettled | (pl.col("verdict") == Verdict.CONTRADICTION) | pl.col("contradicted") | pl.col("in_crowd")
    # Without a hash, the same as a device and as a registration that is another one: it repeats neither.
    kept_row = pl.when(~pl.col("has_hash") & pl.col("elsewhere")).then(None).otherwise("kept_row")
    at_odds = pl.col("in_doubt") | pl.col("rival") | pl.col("contradicted") | pl.col("two_tenants")
    return found.select(
        "row",
        CONFLICTING_CLAIMS="two_tenants",
        DUPLICATE_IN_BATCH=kept_row.is_not_null(),
        REGISTERED_OTHER_TENANT=same & ~here,
        REGISTERED_BY_CUSTOMER=same & here & by_customer,
        ALREADY_REGISTERED=same & here & ~by_customer,
        BOARD_REPLACED=(pl.col("verdict") == Verdict.BOARD_REPLACED) & ~unsettled,
        AMBIGUOUS_MATCH=ambiguous,
        PROBABLE_DUPLICATE=pl.col("verdict") == Verdict.PROBABLE,
        UUID_COLLISION="colliding",
        DISK_OF_REGISTERED_DEVICE=pl.col("donor").is_not_null(),
        matched_device_id=pl.coalesce("device_id", "donor"),
        matched_row=pl.coalesce(kept_row, pl.when(at_odds).then(pl.col("met_rows").list.first())),
        met_rows="met_rows",
        evidence=_evidence(),
        learnable=pl.when(pl.col("has_hash") & ~pl.col("registered_has_hash")).then("device_id"),
        **{name: name for name in FACTS},
    )


def _evidence() -> pl.Expr:
    return pl.concat_str(
        pl.col("met_evidence"),
        pl.when("in_doubt").then(pl.lit("in this delivery: which device it is cannot be told")),
        pl.col("conflict_evidence"),
        pl.when("rival").then(pl.lit("in this delivery: another device is the same as that registration")),
        pl.col("registered_evidence"),
        pl.col("donor_evidence"),
        pl.col("crowd_evidence"),
        separator=" | ",
        ignore_nulls=True,
    ).replace("", None)
