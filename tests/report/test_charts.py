import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.charts import MOST_TICKS, heat_map, labels, round_ticks, stack


@pytest.mark.parametrize(
    ("most", "whole", "ticks"),
    [
        (0, True, [0, 1]),
        (1, True, [0, 1]),
        (3, True, [0, 1, 2, 3]),
        (5, True, [0, 1, 2, 3, 4, 5]),
        (7, True, [0, 2, 4, 6, 8]),
        (47, True, [0, 10, 20, 30, 40, 50]),
        (1_000_000, True, [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]),
        (1.0, False, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.37, False, [0, 0.1, 0.2, 0.3, 0.4]),
        (0.012, False, [0, 0.005, 0.01, 0.015]),
    ],
)
def test_ticks_are_round(most, whole, ticks):
    assert round_ticks(most, whole=whole) == ticks


@given(st.integers(1, 10**9))
def test_an_axis_reaches_its_largest_value_in_few_whole_steps(most):
    ticks = round_ticks(most, whole=True)
    assert len(ticks) <= MOST_TICKS + 1
    assert ticks[-2] < most <= ticks[-1]
    assert all(tick == int(tick) for tick in ticks)


def night(day, registered=0, outcomes=(), reasons=(), deregistered=0):
    as_of = f"2026-01-{day:02d}T02:00:00Z"
    counts = {"outcomes": dict(outcomes), "reasons": dict(reasons)}
    return {"as_of": as_of, "registered": registered, "deregistered": deregistered, **counts}


def test_few_dates_stand_below_many_nights_and_the_last_always():
    assert labels([night(1), night(2)]) == ["1 Jan", "2 Jan"]
    many = labels([night(day) for day in range(1, 31)])
    assert [label for label in many if label] == [f"{day} Jan" for day in range(3, 31, 3)]


def test_outcomes_are_stacked_in_one_order_and_those_of_no_night_left_out():
    chart = stack([night(1, 2, {"review": 1}, deregistered=1), night(2, 0, {"invalid": 3, "later_made_up": 4})])
    assert chart["names"] == ["registered", "deregistered", "invalid", "review", "later_made_up"]
    assert chart["values"] == [[2, 1, 0, 1, 0], [0, 0, 3, 0, 4]]
    assert chart["ticks"][-1] == 8


def test_a_heat_map_has_the_most_frequent_reasons_first():
    chart = heat_map([night(1, reasons={"A": 1, "B": 2}), night(2, reasons={"B": 2})])
    assert chart == {"codes": ["B", "A"], "rows": [[2, 2], [1, 0]], "most": 2, "of": 2}
    many = heat_map([night(1, reasons={f"R{at}": at + 1 for at in range(40)})])
    assert (len(many["codes"]), many["codes"][0], many["of"]) == (15, "R39", 40)
    assert heat_map([night(1)]) == {"codes": [], "rows": [], "most": 0, "of": 0}
