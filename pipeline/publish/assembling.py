"""Staged rows and what was decided of them, put together to rows of all sets."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.decide import listed
from pipeline.reference.profiles import profile
from pipeline.registry import request_id
from pipeline.requests.settling import WAITS
from pipeline.rows import file_of, line_of
from schemas.reasons import OUTCOMES, REASON_CODES, WARNING_CODES, Waits
from schemas.requests import DELIVERY


@dataclass(frozen=True, slots=True)
class Stamp:
    """What rows of a run carry.

    Attributes:
        run_id: the run's id.
        as_of: the moment that counts.
        partners: `partner_id` and `channel` of all partners.
        profiles: which profile a device gets (`pipeline.reference.profiles`).
        learning: the registrations that learn a hash, as they are, with the columns of
            `schemas.registry.RECORD_TYPES`.
        ending: the registrations that end, as they are, with the columns of `schemas.registry.ENDING`.
    """

    run_id: str
    as_of: datetime
    partners: pl.DataFrame
    profiles: pl.DataFrame
    learning: pl.DataFrame
    ending: pl.DataFrame


def assemble(wide: pl.DataFrame, decided: pl.DataFrame, files: pl.DataFrame, stamp: Stamp) -> pl.DataFrame:
    """Put a batch of rows together for all sets.

    Args:
        wide: staged rows.
        decided: what was decided of them, and maybe of others, in the order of `row`.
        files: one row a manifest, by position.
        stamp: what every row carries.

    Returns:
        One row for each of the staged ones that were decided, with the columns of all sets, and `reason` null where
        it is carried out.
    """
    here = decided.filter(pl.col("row").is_between(*wide.select(first=pl.min("row"), last=pl.max("row")).row(0)))
    rows = wide.drop("partner_id", "request_kind").join(
        here.drop("request_kind"), on="row", how="inner", maintain_order="left", validate="1:1"
    )
    matched_file = rows.select(file_of(pl.col("matched_row").fill_null(0))).to_series()
    batch = pl.concat(
        [
            rows,
            files[rows["file_no"]].select("source_file", *DELIVERY),
            files[matched_file].select(matched_file="source_file"),
        ],
        how="horizontal",
    )
    has_match = pl.col("matched_row").is_not_null()
    waits = [pl.when(name).then(pl.lit(what.value)) for name, what in zip(WAITS, Waits, strict=True)]
    waits_for = pl.concat_list(waits).list.drop_nulls()
    named = _with_places(batch, files).with_columns(line="source_line").with_columns(request_id())
    moment = pl.lit(stamp.as_of, pl.Datetime("us", "UTC"))
    ends = pl.col("ends_device_id").is_not_null()
    named = named.join(
        stamp.ending.select(
            ends_device_id="device_id",
            registered_via="registered_via",
            registered_by="partner_id",
            began_at="registered_at",
        ),
        on="ends_device_id",
        how="left",
        maintain_order="left",
        validate="m:1",
    )
    return named.with_columns(
        run_id=pl.lit(stamp.run_id),
        warnings=listed(named, WARNING_CODES),
        reasons=listed(named, REASON_CODES),
        outcome=pl.col("reason").replace_strict(OUTCOMES, return_dtype=pl.String),
        matched_source_file=pl.when(has_match).then("matched_file"),
        matched_source_line=pl.when(has_match).then(line_of(pl.col("matched_row"))),
        waits_for=pl.when(waits_for.list.len() > 0).then(waits_for),
        profile=profile(stamp.profiles),
        registered_at=pl.when(ends).then("began_at").otherwise(moment),
        deregistered_at=moment,
        hardware_hash="hash_blob",
        device_id=pl.coalesce("ends_device_id", "request_id"),
    )


def _with_places(rows: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """The rows with `evidence` that names where the rows of the batch stand that they met."""
    met = rows.select("row", met="met_rows").explode("met").drop_nulls("met")
    numbers, lines = met.select(file_of(pl.col("met"))).to_series(), met.select(line_of(pl.col("met"))).to_series()
    places = met.select("row", place=pl.format("{}:{}", files["source_file"].gather(numbers), lines))
    told = places.group_by("row").agg(places=pl.lit("met in this delivery: ") + pl.col("place").str.join(", "))
    evidence = pl.concat_str("evidence", "places", separator=" | ", ignore_nulls=True)
    return (
        rows.join(told, on="row", how="left", maintain_order="left", validate="1:1")
        .with_columns(
            evidence=pl.when(pl.col("evidence").is_not_null() | pl.col("places").is_not_null()).then(evidence)
        )
        .drop("places")
    )
