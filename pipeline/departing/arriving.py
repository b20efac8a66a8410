"""Departures and registrations of one delivery that name each other: nobody can say which of them came first."""

import polars as pl

from pipeline.departing.candidates import candidates, disagreements
from pipeline.match import with_keys
from schemas.device import COMPONENT_TYPES, SERIAL_FORM_TYPES


class _Arriving:
    """Rows to be registered, as departures look at the registry."""

    version = 0

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = with_keys(rows).with_row_index("record")

    def holders(self, name: str, wanted: pl.Series) -> pl.DataFrame:
        keyed = self._rows.select("record", key=name)
        flat = keyed.explode("key") if keyed.schema["key"] == pl.List else keyed
        return flat.drop_nulls("key").filter(pl.col("key").is_in(wanted.implode()))

    def named(self, column: str, values: pl.Series) -> pl.DataFrame:
        told = self._rows.select("record", value=pl.col(column).str.to_lowercase())
        return told.filter(pl.col("value").is_in(values.str.to_lowercase().implode()))

    def records(self, positions: pl.Series) -> pl.DataFrame:
        columns = ("record", "device_id", "tenant_id", "registered_via", *COMPONENT_TYPES)
        return self._rows.filter(pl.col("record").is_in(positions.implode())).select(columns)

    def ended_records(self, positions: pl.Series) -> pl.DataFrame:
        return self.records(positions.clear())

    def manufacturers(self) -> pl.Series:
        return self._rows["manufacturer"].drop_nulls().unique().sort()

    def serial_forms(self, manufacturers: pl.Series) -> pl.DataFrame:  # noqa: ARG002 - no likeness counts here
        return pl.DataFrame(schema=SERIAL_FORM_TYPES)

    def began(self, device_ids: pl.Series) -> pl.DataFrame:
        return pl.DataFrame({"device_id": device_ids, "began": 0})

    def live_by_tenant(self, tenant_ids: pl.Series) -> pl.DataFrame:
        return pl.DataFrame({"tenant_id": tenant_ids, "live": 0})


def stand_in_the_way(
    decisions: pl.DataFrame, asked: pl.DataFrame, arriving: pl.DataFrame, spellings: pl.DataFrame
) -> pl.DataFrame:
    """Refuse departures that end nothing and the rows that they name: which of both came first cannot be told.

    Args:
        decisions: of all rows of a run.
        asked: what departures say that were read first in this run, as `pipeline.departing.depart` takes it, with
            `tenant_id`, `identity` and `COMPONENT_TYPES`.
        arriving: rows to be registered that were read first in this run, with `row`, `device_id` (that they would get),
            `tenant_id` and `COMPONENT_TYPES`.
        spellings: `Reference.manufacturers`.

    Returns:
        The decisions, both sides `AMBIGUOUS_MATCH`, each pointing at the first of the other.
    """
    idle = decisions.filter(pl.col("reason") == "NOT_REGISTERED")["row"]
    kept = decisions.filter(pl.col("reason").is_null())["row"]
    lost = asked.filter(pl.col("row").is_in(idle.implode())).sort("row")
    new = arriving.filter(pl.col("row").is_in(kept.implode())).sort("row")
    if lost.is_empty() or new.is_empty():
        return decisions
    found = candidates(
        lost, _Arriving(new.with_columns(registered_via=pl.lit(None, pl.String))), spellings, hints=False
    )
    row_of = new.select("device_id", other="row")
    pairs = (
        pl.concat([found, lost[found["at"]].select("row", own_tenant="tenant_id")], how="horizontal")
        .filter(
            pl.col("is_exact")
            & ~pl.any_horizontal(disagreements().values())
            & (pl.col("tenant_id") == pl.col("own_tenant"))
        )
        .join(row_of, on="device_id", how="inner", validate="m:1")
        .select("row", "other")
    )
    sides = pl.concat([pairs, pairs.select(row="other", other="row")])
    met = sides.group_by("row").agg(in_the_way=pl.col("other").min())
    told = pl.lit("in this delivery: a departure and a registration name each other, and neither came before the other")
    is_met = pl.col("in_the_way").is_not_null()
    return (
        decisions.join(met, on="row", how="left", maintain_order="left", validate="1:1")
        .with_columns(
            NOT_REGISTERED=pl.col("NOT_REGISTERED") & ~is_met,
            AMBIGUOUS_MATCH=pl.col("AMBIGUOUS_MATCH") | is_met,
            reason=pl.when(is_met).then(pl.lit("AMBIGUOUS_MATCH")).otherwise("reason"),
            matched_device_id=pl.when(~is_met).then("matched_device_id"),
            matched_row=pl.when(is_met).then("in_the_way").otherwise("matched_row"),
            met_rows=pl.when(is_met).then(pl.concat_list("in_the_way")).otherwise("met_rows"),
            evidence=pl.when(is_met).then(told).otherwise("evidence"),
        )
        .drop("in_the_way")
    )
