"""The departures of a run, which come before its registrations and are committed with them."""

from dataclasses import dataclass

import polars as pl

from pipeline.authorize import suiting
from pipeline.decide import has_reason
from pipeline.departing.arriving import stand_in_the_way
from pipeline.departing.candidates import Registrations
from pipeline.departing.deciding import Terms, depart
from pipeline.intake.taking_in import Intake
from pipeline.reference.tables import Reference
from pipeline.requests.docket import request_ids
from schemas.device import COMPONENT_TYPES
from schemas.kinds import DEPARTURE


@dataclass(frozen=True, slots=True)
class Departures:
    """What becomes of the departures of a run.

    Attributes:
        decisions: one row a departure, as `pipeline.departing.deciding.depart` gives them.
        ended: one row a registration that ends, with the columns of `pipeline.registry.Registry.removals`.
        asked: what departures say that were read first in this run, as `stand_in_the_way` takes it.
        spellings: `Reference.manufacturers`.
    """

    decisions: pl.DataFrame
    ended: pl.DataFrame
    asked: pl.DataFrame
    spellings: pl.DataFrame

    def joined(self, registering: pl.DataFrame, arrivals: Intake, files: pl.DataFrame) -> pl.DataFrame:
        """The decisions of all rows, in the order of `row`: departures and rows that register.

        Args:
            registering: the decisions of the rows that register.
            arrivals: those rows.
            files: what requests are known by (`pipeline.requests.docket.identified`).
        """
        decisions = pl.concat([self.decisions.drop("departing"), registering], how="diagonal")
        if not decisions["row"].is_sorted():
            decisions = decisions.sort("row")
        if self.asked.is_empty():
            return decisions
        rows = arrivals.rows.filter(~files["known"].gather(arrivals.rows["file_no"]))
        new = rows.select("row", "tenant_id", *COMPONENT_TYPES).with_columns(device_id=request_ids(rows["row"], files))
        return stand_in_the_way(decisions, self.asked, new, self.spellings)


def for_customers(reference: Reference) -> pl.Series:
    """Partners that may end what a customer registered itself: those on the API to which it has consented."""
    return reference.partners.filter((pl.col("channel") == "oem_direct_api") & suiting())["partner_id"]


def departing(intake: Intake, files: pl.DataFrame, existing: Registrations, terms: Terms) -> Departures:
    """Decide about the departures of a run.

    Args:
        intake: all rows that are decided.
        files: what requests are known by.
        existing: the registry.
        terms: on what terms registrations are ended.
    """
    own = intake.of_kind(DEPARTURE)
    rows = own.rows.with_columns(files["opened"].gather(own.rows["file_no"]))
    eligible = rows.filter(~has_reason(own.findings))
    asked = own.asked.filter(pl.col("row").is_in(eligible["row"].implode()))
    decisions = depart(rows, own.findings, asked, existing, terms)
    reasons = own.asked.select("row", removal_reason="departure_reason")
    ended = (
        decisions.filter(pl.col("ends_device_id").is_not_null() & pl.col("reason").is_null())
        .join(reasons, on="row", how="left", maintain_order="left", validate="1:1")
        .select(
            "removal_reason",
            version=pl.lit(existing.version + 1, pl.Int64),
            device_id="ends_device_id",
            hardware_hash_id=pl.lit(None, pl.String),
            **{
                name: pl.col("departing").struct.field(name)
                for name in ("tenant_id", "serial_number", "manufacturer", "product_id")
            },
        )
    )
    new = rows.filter(~files["known"].gather(rows["file_no"])).select("row", "tenant_id", "identity", *COMPONENT_TYPES)
    return Departures(decisions, ended, asked.join(new, on="row", how="inner", validate="1:1"), terms.spellings)
