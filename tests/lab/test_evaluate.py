import polars as pl
import pytest

from pipeline.lab.evaluate import evaluate, summarize
from pipeline.lab.synthesize import MATCHING_STORIES
from pipeline.lab.synthesize.night import Night


def rated(*rows, fits=True):
    """Totals of rows given as truth and outcome."""
    types = {
        "scenario": pl.String,
        "truth": pl.String,
        "outcome": pl.String,
        "has_hash": pl.Boolean,
        "fits": pl.Boolean,
    }
    frame = pl.DataFrame([("s", truth, outcome, True, fits) for truth, outcome in rows], types, orient="row")
    return summarize(frame).totals.filter(pl.col("identity") == "hash").row(0, named=True)


def test_a_wrong_merge_lowers_precision():
    told = rated(("duplicate", "duplicate"), (None, "duplicate"))
    assert (told["wrong_merges"], told["precision"], told["recall"]) == (1, 0.5, 1.0)


def test_a_duplicate_for_another_reason_is_a_wrong_merge():
    told = rated(("duplicate", "duplicate"), fits=False)
    assert (told["wrong_merges"], told["right"]) == (1, 0)


def test_a_missed_duplicate_lowers_recall():
    told = rated(("duplicate", "duplicate"), ("duplicate", None), ("duplicate", "review"))
    assert told["wrong_merges"] == 0
    assert told["recall"] == pytest.approx(1 / 3)
    assert told["needless_reviews"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("rows", [(None, "lost"), ("settled", None), ("settled", "duplicate")])
def test_a_row_that_was_lost_or_decided_again_is_not_right(rows):
    assert rated(rows)["right"] == 0


def test_a_review_that_must_be_is_not_needless():
    told = rated(("review", "review"), (None, None))
    assert (told["needless_reviews"], told["right"], told["precision"]) == (0.0, 2, None)


def test_every_scenario_is_rated_and_none_goes_wrong():
    told = evaluate(rows=300, existing=100, seed=77, nights=1)
    night = Night(1)
    for tell in MATCHING_STORIES:
        tell(night)
    assert set(told.scenarios["scenario"]) == {truth.scenario for truth in night.truths()}
    assert told.totals["wrong_merges"].to_list() == [0, 0, 0]
    assert told.scenarios.filter(pl.col("right") != pl.col("rows")).is_empty()
