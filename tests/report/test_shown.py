import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.shown import MOST_ROWS, fairly, most_on_each

ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=60)


def frame(rows):
    return pl.DataFrame(rows, {"partner": pl.String, "reason": pl.String}, orient="row")


@given(ROWS, st.integers(1, 20))
def test_no_group_is_shown_less_than_another_that_has_more_to_show(rows, most):
    given_ = frame(rows)
    chosen = given_.filter(fairly(given_, most, "partner", "reason"))
    assert chosen.height == min(most, given_.height)
    of = dict.fromkeys(rows, 0) | {key: rows.count(key) for key in rows}
    shown = {key: chosen.rows().count(key) for key in of}
    for one in of:
        for other in of:
            assert shown[one] >= min(of[one], shown[other] - 1)


@given(ROWS, st.integers(1, 20))
def test_within_each_value_as_if_it_were_alone(rows, most):
    given_ = frame(rows)
    chosen = fairly(given_, most, "partner", "reason", within="partner")
    for partner in "ab":
        own = given_["partner"] == partner
        alone = given_.filter(own)
        assert chosen.filter(own).to_list() == fairly(alone, most, "partner", "reason").to_list()


def test_the_first_of_each_group_come_first():
    given_ = frame([("a", "x"), ("a", "x"), ("a", "y"), ("b", "x")])
    assert fairly(given_, 3, "partner", "reason").to_list() == [True, False, True, True]


@given(st.lists(st.integers(1, 2 * MOST_ROWS), max_size=30), st.integers(1, 20 * MOST_ROWS))
def test_pages_have_as_many_rows_as_all_of_them_may(numbers, in_all):
    most = most_on_each(numbers, in_all)

    def shown(each):
        return sum(min(number, each) for number in numbers)

    assert 1 <= most <= MOST_ROWS
    assert shown(most) <= max(in_all, len(numbers))
    assert most == MOST_ROWS or shown(most + 1) > in_all
