"""What becomes of each row that asks for a departure: it ends one registration, or says why it ends none."""

from dataclasses import dataclass

import polars as pl

from pipeline.decide import concluded
from pipeline.departing.candidates import Registrations, candidates, disagreements
from schemas.device import COMPONENT_TYPES
from schemas.reasons import CATALOGUE
from schemas.registry import CUSTOMER_PORTALS

FEWEST_LIMITED = 20
"""Registrations that departures may end in a run whatever share of the tenant's they are: a small customer's move."""

_MOST_NAMED = 5

CODES = (
    "SERIAL_MISMATCH",
    "PRODUCT_ID_MISMATCH",
    "NOT_REGISTERED",
    "DEPARTURE_LIMIT",
    "DUPLICATE_IN_BATCH",
    "REGISTERED_BY_CUSTOMER",
    "AMBIGUOUS_MATCH",
)
_TOLD = ("matched_device_id", "matched_row", "met_rows", "evidence", "ends_device_id", "departing")
"""What a departure can be found to be by the registration that it names."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms registrations are ended.

    Attributes:
        limit: the largest share of a tenant's registrations that one run ends.
        for_customers: partners that may end what the customer registered itself.
        spellings: `Reference.manufacturers`.
    """

    limit: float
    for_customers: pl.Series
    spellings: pl.DataFrame


def depart(
    rows: pl.DataFrame, findings: pl.DataFrame, asked: pl.DataFrame, existing: Registrations, terms: Terms
) -> pl.DataFrame:
    """Decide about rows that ask for departures.

    Args:
        rows: one row a row (`ROW_TYPES`), ascending by `row`, with `opened`: the version of the registry
            of which a registration must be that it may end.
        findings: for each of them, in order, a Boolean column for each code found before.
        asked: what the rows without such reasons say (`pipeline.intake.judge.ASKED_TYPES`).
        existing: the registry.
        terms: on what terms.

    Returns:
        One row for each, in order, as `pipeline.decide.decide` gives them, with `ends_device_id`, the registration
        that it ends, and `departing`, what that was: a struct of tenant, serial number, manufacturer and product ID.
    """
    told = asked.join(
        rows.select("row", "tenant_id", "identity", "opened", *COMPONENT_TYPES), on="row", how="inner", validate="1:1"
    ).sort("row")
    found = _with_time(candidates(told, existing, terms.spellings), told, existing)
    met = _met(found, told, terms)
    limited = _limited(_first(met), existing, terms)
    return concluded(rows, _plainly(limited), findings, CODES).select("row", *CATALOGUE, *_TOLD, "reason")


def _plainly(met: pl.DataFrame) -> pl.DataFrame:
    """The same; of a row that ends its registration there is no more to say."""
    ends = pl.col("ends_device_id").is_not_null()
    return met.with_columns(
        pl.when(~ends).then("matched_device_id"),
        pl.when(~ends).then("evidence"),
        met_rows=pl.concat_list("matched_row").list.drop_nulls(),
    )


def _with_time(found: pl.DataFrame, told: pl.DataFrame, existing: Registrations) -> pl.DataFrame:
    """Add the row's tenant, and `is_in_time`: the registration is of the version that the row may end it in."""
    own = told[found["at"]].select("row", "opened", own_tenant="tenant_id")
    placed = pl.concat([found, own], how="horizontal")
    late = placed.filter(pl.col("opened") < existing.version)["device_id"].unique()
    if late.is_empty():
        return placed.with_columns(is_in_time=pl.lit(value=True))
    began = placed.join(existing.began(late), on="device_id", how="left", maintain_order="left", validate="m:1")
    return began.with_columns(is_in_time=(pl.col("began") <= pl.col("opened")).fill_null(value=True)).drop("began")


def _met(found: pl.DataFrame, told: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """One row a row: what it met, as codes, and in words."""
    here = pl.col("tenant_id") == pl.col("own_tenant")
    is_hit = pl.col("is_exact") & here & pl.col("is_in_time")
    judged = found.with_columns(is_hit=is_hit, **disagreements()).with_columns(told=_in_words())
    summed = (
        judged.sort("row", ~pl.col("is_hit"), ~pl.col("is_exact"), "device_id")
        .group_by("row", maintain_order=True)
        .agg(
            pl.col("device_id", "registered_via", "tenant_id", "serial_number", "manufacturer", "product_id").first(),
            pl.col("serial_differs", "product_id_differs", "hash_differs").first(),
            hits=pl.col("is_hit").sum(),
            evidence=pl.col("told").head(_MOST_NAMED).str.join(" | "),
        )
    )
    met = told.select("row", "partner_id", own_tenant="tenant_id").join(
        summed, on="row", how="left", maintain_order="left", validate="1:1"
    )
    one, hits = pl.col("hits") == 1, pl.col("hits").fill_null(0)
    is_theirs = pl.col("registered_via").is_in(CUSTOMER_PORTALS)
    may = pl.col("partner_id").is_in(terms.for_customers.implode())
    return met.with_columns(
        SERIAL_MISMATCH=one & pl.col("serial_differs"),
        PRODUCT_ID_MISMATCH=one & pl.col("product_id_differs"),
        NOT_REGISTERED=hits == 0,
        REGISTERED_BY_CUSTOMER=one & is_theirs & ~may,
        AMBIGUOUS_MATCH=(hits > 1) | (one & pl.col("hash_differs")),
    ).with_columns(
        pl.col("^[A-Z_]+$").fill_null(value=False),
        departing=pl.struct("tenant_id", "serial_number", "manufacturer", "product_id"),
        matched_device_id="device_id",
    )


def _in_words() -> pl.Expr:
    elsewhere = pl.when(pl.col("tenant_id") != pl.col("own_tenant")).then(pl.format(" of tenant {}", "tenant_id"))
    later = pl.when(~pl.col("is_in_time")).then(pl.lit(", which is later than the request"))
    return pl.format("registered device {}{}{}: {}", "device_id", elsewhere.fill_null(""), later.fill_null(""), "told")


def _first(met: pl.DataFrame) -> pl.DataFrame:
    """Add `ends_device_id`, for the first row of each registration, and to which row the others point."""
    refused = pl.any_horizontal(
        "SERIAL_MISMATCH", "PRODUCT_ID_MISMATCH", "NOT_REGISTERED", "REGISTERED_BY_CUSTOMER", "AMBIGUOUS_MATCH"
    )
    meant = met.with_columns(meant=pl.when(~refused).then("device_id"))
    first = pl.col("row").min().over("meant")
    is_again = pl.col("meant").is_not_null() & (pl.col("row") != first)
    return meant.with_columns(
        DUPLICATE_IN_BATCH=is_again,
        matched_row=pl.when(is_again).then(first),
        ends_device_id=pl.when(~is_again).then("meant"),
    )


def _limited(met: pl.DataFrame, existing: Registrations, terms: Terms) -> pl.DataFrame:
    """Add `DEPARTURE_LIMIT`: a run does not end so many of a tenant's registrations."""
    ends = met.drop_nulls("ends_device_id").group_by("own_tenant").agg(ends=pl.len())
    many = ends.filter(pl.col("ends") > FEWEST_LIMITED)
    live = (
        existing.live_by_tenant(many["own_tenant"]) if many.height else many.select(tenant_id="own_tenant", live="ends")
    )
    over = many.join(live, left_on="own_tenant", right_on="tenant_id", how="left", validate="1:1").filter(
        pl.col("ends") > pl.col("live").fill_null(0) * terms.limit
    )
    told = pl.format(
        "departures would end {} of the tenant's {} registrations; --departure-limit is {}",
        "ends",
        "live",
        pl.lit(terms.limit),
    )
    counted = met.join(
        over.select("own_tenant", numbers=told), on="own_tenant", how="left", maintain_order="left", validate="m:1"
    )
    is_over = pl.col("numbers").is_not_null() & pl.col("ends_device_id").is_not_null()
    return counted.with_columns(
        DEPARTURE_LIMIT=is_over,
        evidence=pl.when(is_over).then("numbers").otherwise("evidence"),
        ends_device_id=pl.when(~is_over).then("ends_device_id"),
    )
