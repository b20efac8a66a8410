"""How well devices are told apart: real runs over made-up nights whose truth is known."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from pipeline.config import RunConfig, parse_moment
from pipeline.flow import run
from pipeline.lab.synthesize import MATCHING_STORIES, synthesize
from pipeline.lab.synthesize.night import AS_OF, SECOND, SECOND_AS_OF
from pipeline.listener import Listener, Silence
from pipeline.registry import Registry
from pipeline.registry.importing import import_records
from schemas.reasons import Outcome

_KEY = ["source_file", "source_line"]
_TRUTH_TYPES = {"source_line": pl.UInt32, "outcome": pl.String, "reasons": pl.String}
_PUBLISHED_TYPES = {
    "source_file": pl.String,
    "source_line": pl.UInt32,
    "outcome": pl.String,
    "reason": pl.String,
    "hardware_hash_id": pl.String,
}
_SETTLED = "settled"
"""Truth of a row that was registered in the first night: the second must not decide it again."""
_LOST = "lost"
"""What came of a row that was not decided at all."""


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
    """

    scenarios: pl.DataFrame
    totals: pl.DataFrame


def evaluate(rows: int, existing: int, seed: int, nights: int, listener: Listener | None = None) -> Evaluation:
    """Make nights of matching scenarios, run them, and compare what came of each row with its truth.

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
    synthesize(home, rows, seed, existing, MATCHING_STORIES)
    import_records(Registry.open(home / "registry", create=True), home / "existing_devices.csv")
    after = home / SECOND
    first = _played(RunConfig.beside(home / "inbox", run_id="first", as_of=parse_moment(AS_OF)))
    second = _played(
        RunConfig.beside(
            home / "inbox",
            after / "inbox",
            reference=after / "reference",
            run_id=SECOND,
            as_of=parse_moment(SECOND_AS_OF),
        )
    )
    truth, later = _truth(home), _truth(after)
    decided_again = truth.join(second, on=_KEY, how="semi").join(later, on=_KEY, how="anti")
    still = decided_again.with_columns(pl.col("truth").fill_null(_SETTLED))
    return pl.concat([_told(truth, first), _told(pl.concat([later, still]), second)])


def _truth(folder: Path) -> pl.DataFrame:
    truth = pl.read_csv(folder / "truth.csv", schema_overrides=_TRUTH_TYPES)
    return truth.select(*_KEY, "scenario", "reasons", truth="outcome")


def _played(config: RunConfig) -> pl.DataFrame:
    """Run a night: `source_file`, `source_line`, `outcome` and `reason` (null if registered), `has_hash`."""
    run(config)
    folder = Path(str(config.output)) / config.run_id
    has_hash = pl.col("hardware_hash_id").is_not_null().alias("has_hash")
    told = [
        pl.scan_parquet(
            folder / name / "*.parquet", missing_columns="insert", schema=_PUBLISHED_TYPES, extra_columns="ignore"
        )
        for name in ("registered", "rejected")
    ]
    return pl.concat(told).select(*_KEY, "outcome", "reason", has_hash).collect()


def _told(truth: pl.DataFrame, night: pl.DataFrame) -> pl.DataFrame:
    told = truth.join(night.with_columns(is_told=True), on=_KEY, how="left", validate="1:1")
    return told.select(
        "scenario",
        "truth",
        "has_hash",
        outcome=pl.when("is_told").then("outcome").otherwise(pl.lit(_LOST)),
        fits=pl.col("reasons").str.split("|").list.contains(pl.col("reason")).fill_null(pl.col("reason").is_null()),
    )


def summarize(rows: pl.DataFrame) -> Evaluation:
    """Count and rate.

    Args:
        rows: one row a row: `scenario`, `truth` and `outcome` (each an outcome, null for registered), `has_hash`, and
            `fits`: it ended for the reason that is right.
    """
    should, was = pl.col("truth") == Outcome.DUPLICATE, pl.col("outcome") == Outcome.DUPLICATE
    reviewed = (pl.col("outcome") == Outcome.REVIEW).fill_null(value=False)
    should, was = should.fill_null(value=False), was.fill_null(value=False)
    told = rows.with_columns(
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
    return Evaluation(scenarios, totals)
