"""How well devices are told apart, and whether those leave that were meant: real runs whose truth is known."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from pipeline.config import RunConfig, parse_moment
from pipeline.flow import run
from pipeline.lab.endings import Endings, rate_endings
from pipeline.lab.synthesize import DEPARTURE_STORIES, MATCHING_STORIES, synthesize
from pipeline.lab.synthesize.departure_stories import BY_ID
from pipeline.lab.synthesize.night import AS_OF, SECOND, SECOND_AS_OF
from pipeline.listener import Listener, Silence
from pipeline.registry import Registry
from pipeline.registry.importing import import_records
from schemas.reasons import Outcome
from schemas.registry import DEREGISTERED, REGISTERED

_KEY = ["source_file", "source_line"]
_TRUTH_TYPES = {"source_line": pl.UInt32, "outcome": pl.String, "reasons": pl.String, "ends": pl.String}
_PUBLISHED_TYPES = {
    "source_file": pl.String,
    "source_line": pl.UInt32,
    "outcome": pl.String,
    "reason": pl.String,
    "device_id": pl.String,
    "tenant_id": pl.String,
    "hardware_hash_id": pl.String,
    "windows_product_id": pl.String,
    "serial_number": pl.String,
}
_SETTLED = "settled"
"""Truth of a row that was carried out in the first night: the second must not decide it again."""
_LOST = "lost"
"""What came of a row that was not decided at all."""
_UNASKED = "a registration that no row asked to end"
_LEAVING = "/departures/"
"""Where manifests of departures lie."""
_DEPARTURE_LIMIT = 0.9
"""Stories have a handful of devices a customer; the one that tells of the limit ends all of a customer's."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of made-up nights.

    Attributes:
        scenarios: one row a scenario: `scenario`; `ends_as`, the outcome that is right; `rows`; `right`, `merged` and
            `reviewed`, how many rows ended as they must, as a duplicate, and in review; `precision`, `recall` and `f1`
            of merging, null where there is nothing to merge.
        totals: the same for all rows with a hash, all without, and all, by `identity`; with `wrong_merges`, rows that
            were taken for a device that they are not, or for another reason than is right; and `needless_reviews`, the
            share of rows that went to review and should not have.
        endings: what came of the rows that ask for departures, which are in none of the others.
    """

    scenarios: pl.DataFrame
    totals: pl.DataFrame
    endings: Endings


def evaluate(rows: int, existing: int, seed: int, nights: int, listener: Listener | None = None) -> Evaluation:
    """Make nights of scenarios, run them, and compare what came of each row with its truth.

    Each night is followed by a second one over the registry that it leaves, in which its stories go on.

    Args:
        rows: about how many rows a night has, with its second.
        existing: registered devices besides those of the scenarios.
        seed: of the first night; the others follow it.
        nights: how many, the second ones not counted.
        listener: hears which night is on.
    """
    listener = listener or Silence()
    judged = []
    for number in range(nights):
        listener.stage(f"night {number + 1} of {nights}")
        with TemporaryDirectory() as folder:
            judged.append(_nights(Path(folder) / "night", rows, existing, seed + number))
    return summarize(pl.concat(judged))


def _nights(home: Path, rows: int, existing: int, seed: int) -> pl.DataFrame:
    """One row for each row that two nights in a row decided, with the columns that `summarize` takes."""
    synthesize(home, rows, seed, existing, (*MATCHING_STORIES, *DEPARTURE_STORIES))
    import_records(Registry.open(home / "registry", create=True), home / "existing_devices.csv")
    after = home / SECOND
    first = _played(_night(home, run_id="first", as_of=parse_moment(AS_OF)))
    truth = _truth(home)
    by_id = _leave_by_id(after / "inbox", truth, first)
    second = _played(_night(home, after, run_id=SECOND, as_of=parse_moment(SECOND_AS_OF)))
    later = pl.concat([_truth(after), by_id])
    decided_again = truth.join(second, on=_KEY, how="semi").join(later, on=_KEY, how="anti")
    carried_out = pl.col("truth").is_null() | (pl.col("truth") == DEREGISTERED)
    still = decided_again.with_columns(pl.when(~carried_out).then("truth").otherwise(pl.lit(_SETTLED)).alias("truth"))
    return pl.concat([_told(truth, first), _told(pl.concat([later, still]), second)])


def _night(home: Path, *after: Path, run_id: str, as_of: datetime) -> RunConfig:
    return RunConfig.beside(
        *(folder / "inbox" for folder in (home, *after)),
        reference=(home, *after)[-1] / "reference",
        run_id=run_id,
        as_of=as_of,
        departure_limit=_DEPARTURE_LIMIT,
    )


def _truth(folder: Path) -> pl.DataFrame:
    truth = pl.read_csv(folder / "truth.csv", schema_overrides=_TRUTH_TYPES)
    ends = pl.when(pl.col("want") == DEREGISTERED).then("want")
    return truth.select(*_KEY, "scenario", "reasons", "ends", truth=pl.coalesce("outcome", ends))


def _leave_by_id(inbox: Path, truth: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """Let devices of the first night leave by the ids that the registry gave them; the truth of those rows."""
    asked = truth.filter(scenario=BY_ID).join(first, on=_KEY, how="inner", validate="1:1")
    truths = [truth.clear()]
    for (tenant,), devices in asked.partition_by("tenant_id", as_dict=True).items():
        name = f"contoso/{tenant}{_LEAVING}by-id.csv"
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        devices.select(pl.col("device_id").alias("Device ID")).write_csv(inbox / name)
        told = {"source_file": name, "scenario": "registered last night, leaves by its ID", "truth": DEREGISTERED}
        named = devices.select(source_line=pl.int_range(2, pl.len() + 2, dtype=pl.UInt32), ends="registered_serial")
        truths.append(named.with_columns(pl.lit(text).alias(column) for column, text in told.items()))
    return pl.concat(truths, how="diagonal")


def _played(config: RunConfig) -> pl.DataFrame:
    """Run a night.

    Returns:
        One row a row that it decided, and one without a place for each registration that ended without any:
        `source_file`, `source_line`, `outcome` and `reason` (null if registered), the device, what names it, and of a
        departure the serial number and the tenant of the registration that it `ended`.
    """
    run(config)
    folder = Path(str(config.output)) / config.run_id
    done, rejected, left = [
        pl.scan_parquet(
            folder / name / "*.parquet", missing_columns="insert", schema=_PUBLISHED_TYPES, extra_columns="ignore"
        ).collect()
        for name in ("registered", "rejected", "deregistered")
    ]
    records = Registry.open(config.registry, create=False).scan().filter(run_id=config.run_id)
    own = records.select("event", "device_id", ended="serial_number", ended_in="tenant_id").collect()
    departed = own.filter(event=DEREGISTERED).drop("event")
    ended = left.join(departed, on="device_id", how="full", coalesce=True, validate="1:1")
    registered = done.join(own.filter(event=REGISTERED).select("device_id", registered_serial="ended"), on="device_id")
    told = [registered, rejected, ended.with_columns(outcome=pl.lit(DEREGISTERED))]
    return pl.concat(told, how="diagonal")


def _told(truth: pl.DataFrame, night: pl.DataFrame) -> pl.DataFrame:
    told = truth.join(night.with_columns(is_told=True), on=_KEY, how="left", validate="1:1")
    unasked = night.filter(pl.col("source_file").is_null()).with_columns(is_told=True, scenario=pl.lit(_UNASKED))
    is_meant = (pl.col("ended") == pl.col("ends")) & (pl.col("ended_in") == pl.col("tenant_id"))
    return pl.concat([told, unasked], how="diagonal").select(
        "scenario",
        "truth",
        has_hash=pl.col("hardware_hash_id").is_not_null(),
        named_by=_named_by(),
        is_departure=pl.col("source_file").str.contains(_LEAVING, literal=True).fill_null(value=True),
        is_meant=pl.when(pl.col("outcome") == DEREGISTERED).then(is_meant.fill_null(value=False)),
        outcome=pl.when("is_told").then("outcome").otherwise(pl.lit(_LOST)),
        fits=pl.col("reasons").str.split("|").list.contains(pl.col("reason")).fill_null(pl.col("reason").is_null()),
    )


def _named_by() -> pl.Expr:
    names = {"hardware_hash_id": "hash", "windows_product_id": "product ID", "serial_number": "serial number"}
    return pl.coalesce(
        *(pl.when(pl.col(column).is_not_null()).then(pl.lit(name)) for column, name in names.items()),
        pl.lit("device ID"),
    )


def summarize(rows: pl.DataFrame) -> Evaluation:
    """Count and rate.

    Args:
        rows: one row a row: `scenario`, `truth` and `outcome` (each an outcome, null for registered), `has_hash`,
            `fits`: it ended for the reason that is right, `is_departure`, and of departures the columns of
            `pipeline.lab.endings.rate_endings`.
    """
    endings = rate_endings(rows.filter("is_departure"))
    should, was = pl.col("truth") == Outcome.DUPLICATE, pl.col("outcome") == Outcome.DUPLICATE
    reviewed = (pl.col("outcome") == Outcome.REVIEW).fill_null(value=False)
    should, was = should.fill_null(value=False), was.fill_null(value=False)
    told = rows.filter(~pl.col("is_departure")).with_columns(
        right=pl.col("truth").eq_missing(pl.col("outcome")) & pl.col("fits"),
        merged=was,
        hit=should & was & pl.col("fits"),
        should=should,
        reviewed=reviewed,
        needless=reviewed & pl.col("truth").ne_missing(pl.lit(Outcome.REVIEW.value)),
        identity=pl.when("has_hash").then(pl.lit("hash")).otherwise(pl.lit("product ID or tuple")),
        ends_as=pl.col("truth").fill_null("registered"),
    )
    precision = pl.when(pl.col("merged") > 0).then(pl.col("hit") / pl.col("merged"))
    recall = pl.when(pl.col("should") > 0).then(pl.col("hit") / pl.col("should"))
    counts = [pl.col(name).sum() for name in ("right", "merged", "hit", "should", "reviewed", "needless")]
    f1 = pl.when((pl.col("merged") > 0) & (pl.col("should") > 0)).then(
        2 * pl.col("hit") / (pl.col("merged") + pl.col("should"))
    )
    rates = {"precision": precision, "recall": recall, "f1": f1}
    scenarios = (
        told.group_by("scenario", "ends_as", maintain_order=True)
        .agg(pl.len().alias("rows"), *counts)
        .with_columns(**rates)
        .select("scenario", "ends_as", "rows", "right", "merged", "reviewed", *rates)
        .sort("ends_as", "scenario")
    )
    everything = pl.concat([told, told.with_columns(identity=pl.lit("all"))])
    totals = (
        everything.group_by("identity", maintain_order=True)
        .agg(pl.len().alias("rows"), *counts)
        .with_columns(
            **rates,
            wrong_merges=pl.col("merged") - pl.col("hit"),
            needless_reviews=pl.col("needless") / pl.col("rows"),
        )
        .select("identity", "rows", "right", "wrong_merges", *rates, "needless_reviews")
    )
    return Evaluation(scenarios, totals, endings)
