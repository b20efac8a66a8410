"""How well devices are told apart: real runs over made-up nights whose truth is known."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from pipeline.config import DRY_RUNS, RunConfig, parse_moment
from pipeline.flow import run
from pipeline.lab.synthesize import MATCHING_STORIES, synthesize
from pipeline.lab.synthesize.night import AS_OF
from pipeline.listener import Listener, Silence
from pipeline.registry import Registry
from pipeline.registry.importing import import_records
from schemas.reasons import Outcome

_KEY = ["source_file", "source_line"]
_TRUTH_TYPES = {"source_line": pl.UInt32}
_RUN_ID = "evaluation"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of made-up nights.

    Attributes:
        scenarios: one row a scenario: `scenario`; `ends_as`, the outcome that is right; `rows`; `right`, `merged` and
            `reviewed`, how many rows ended as they must, as a duplicate, and in review; `precision`, `recall` and `f1`
            of merging, null where there is nothing to merge.
        totals: the same for all rows with a hash, all without, and all, by `identity`; with `wrong_merges`, rows that
            were taken for a device that they are not, and `needless_reviews`, the share of rows that went to review
            and should not have.
    """

    scenarios: pl.DataFrame
    totals: pl.DataFrame


def evaluate(rows: int, existing: int, seed: int, nights: int, listener: Listener | None = None) -> Evaluation:
    """Make nights of matching scenarios, run them, and compare what came of each row with its truth.

    Args:
        rows: about how many rows a night has.
        existing: registered devices besides those of the scenarios.
        seed: of the first night; the others follow it.
        nights: how many.
        listener: hears which night is on.
    """
    listener = listener or Silence()
    judged = []
    for number in range(nights):
        listener.stage(f"night {number + 1} of {nights}")
        with TemporaryDirectory() as folder:
            judged.append(_night(Path(folder) / "night", rows, existing, seed + number))
    return summarize(pl.concat(judged))


def _night(home: Path, rows: int, existing: int, seed: int) -> pl.DataFrame:
    """One row a row of a night: `scenario`, `truth` and `outcome` (null where it is registered), `has_hash`."""
    synthesize(home, rows, seed, existing, MATCHING_STORIES)
    import_records(Registry.open(home / "registry", create=True), home / "existing_devices.csv")
    run(RunConfig.beside(home / "inbox", run_id=_RUN_ID, as_of=parse_moment(AS_OF), dry_run=True))
    folder = home / "runs" / DRY_RUNS / _RUN_ID
    has_hash = pl.col("hardware_hash_id").is_not_null().alias("has_hash")
    rejected = pl.read_parquet(folder / "rejected" / "*.parquet", columns=[*_KEY, "outcome", "hardware_hash_id"])
    registered = pl.read_parquet(folder / "registered" / "*.parquet", columns=[*_KEY, "hardware_hash_id"])
    published = pl.concat(
        [
            rejected.select(*_KEY, "outcome", has_hash),
            registered.select(*_KEY, has_hash).with_columns(outcome=pl.lit(None, pl.String)),
        ],
        how="diagonal",
    )
    truth = pl.read_csv(home / "truth.csv", schema_overrides=_TRUTH_TYPES).rename({"outcome": "truth"})
    return truth.join(published, on=_KEY, how="left", validate="1:1").select(
        "scenario", pl.col("truth").cast(pl.String), "outcome", "has_hash"
    )


def summarize(rows: pl.DataFrame) -> Evaluation:
    """Count and rate.

    Args:
        rows: one row a row: `scenario`, `truth` and `outcome` (each an outcome, null for registered), `has_hash`.
    """
    should, was = pl.col("truth") == Outcome.DUPLICATE, pl.col("outcome") == Outcome.DUPLICATE
    reviewed = (pl.col("outcome") == Outcome.REVIEW).fill_null(value=False)
    should, was = should.fill_null(value=False), was.fill_null(value=False)
    told = rows.with_columns(
        right=pl.col("truth").eq_missing(pl.col("outcome")),
        merged=was,
        hit=should & was,
        should=should,
        reviewed=reviewed,
        needless=reviewed & pl.col("truth").ne_missing(pl.lit(Outcome.REVIEW.value)),
        identity=pl.when("has_hash").then(pl.lit("hash")).otherwise(pl.lit("product ID or tuple")),
        ends_as=pl.col("truth").fill_null("registered"),
    )
    precision = pl.when(pl.col("merged") > 0).then(pl.col("hit") / pl.col("merged"))
    recall = pl.when(pl.col("should") > 0).then(pl.col("hit") / pl.col("should"))
    counts = [pl.col(name).sum() for name in ("right", "merged", "hit", "should", "reviewed", "needless")]
    rates = {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}
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
