import json

import polars as pl
import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from pipeline.lab.endings import rate_endings
from pipeline.lab.evaluate import summarize
from pipeline.lab.synthesize import DEPARTURE_STORIES, MATCHING_STORIES
from pipeline.lab.synthesize.night import Night


def rated(*rows, fits=True):
    """Totals of rows given as truth and outcome."""
    types = {
        "scenario": pl.String,
        "truth": pl.String,
        "outcome": pl.String,
        "has_hash": pl.Boolean,
        "fits": pl.Boolean,
        "is_departure": pl.Boolean,
        "named_by": pl.String,
        "is_meant": pl.Boolean,
    }
    told = [("s", truth, outcome, True, fits, False, "hash", None) for truth, outcome in rows]
    frame = pl.DataFrame(told, types, orient="row")
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


@pytest.mark.parametrize(
    ("truth", "outcome", "is_meant", "fits", "told"),
    [
        ("deregistered", "deregistered", True, True, {"right": 1, "ended": 1}),
        ("deregistered", "deregistered", False, True, {"ended": 1, "wrong_ends": 1}),
        ("not_registered", "deregistered", True, True, {"ended": 1, "wrong_ends": 1}),
        ("settled", "deregistered", True, True, {"ended": 1, "wrong_ends": 1}),
        (None, "deregistered", False, True, {"ended": 1, "wrong_ends": 1}),
        ("deregistered", "not_registered", None, False, {"missed": 1}),
        ("deregistered", "lost", None, True, {"missed": 1}),
        ("review", "review", None, True, {"right": 1}),
        ("review", "review", None, False, {}),
        ("invalid", None, None, True, {}),
    ],
)
def test_what_ended_is_right_only_where_it_was_named_and_might(truth, outcome, is_meant, fits, told):
    texts = dict.fromkeys(("scenario", "truth", "outcome", "named_by"), pl.String)
    types = {**texts, "fits": pl.Boolean, "is_meant": pl.Boolean}
    rows = pl.DataFrame([("s", truth, outcome, "hash", fits, is_meant)], types, orient="row")
    nothing = dict.fromkeys(("right", "ended", "wrong_ends", "missed"), 0)
    rated = rate_endings(rows)
    assert rated.totals.to_dicts() == [{"named_by": name, "rows": 1, **nothing, **told} for name in ("hash", "all")]
    assert rated.scenarios.row(0, named=True) == {"scenario": "s", "ends_as": truth, "rows": 1, **nothing, **told}


def test_every_scenario_is_rated_and_none_goes_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["evaluate", "--rows", "1", "--existing", "5", "--seed", "77", "--format", "json"])
    assert (done.exit_code, done.stderr, list(tmp_path.iterdir())) == (0, "", [])
    told = json.loads(done.stdout)
    night = Night(1)
    for tell in (*MATCHING_STORIES, *DEPARTURE_STORIES):
        tell(night)
    rated = told["scenarios"] + told["departures"]
    by_id = {"registered last night, leaves by its ID"}
    assert {one["scenario"] for one in rated} == {truth.scenario for truth in night.truths()} | by_id
    assert [one for one in rated if one["right"] != one["rows"]] == []
    assert [total["wrong_merges"] for total in told["totals"]] == [0, 0, 0]
    assert {total["named_by"] for total in told["endings"]} == {
        *("hash", "product ID", "serial number", "device ID", "all")
    }
    assert {(total["wrong_ends"], total["missed"]) for total in told["endings"]} == {(0, 0)}
