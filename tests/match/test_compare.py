"""How the components of two records stand to each other."""

import pytest

from pipeline.match.compare import ABSENT, EQUAL, UNEQUAL, relations
from tests.match.test_matching import batch, record


@pytest.mark.parametrize("component", ["mac_addresses", "disk_serials"])
@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([], [], ABSENT),
        (["a"], [], ABSENT),
        ([], ["a"], ABSENT),
        (["a"], ["b"], UNEQUAL),
        (["a", "b"], ["b", "c"], EQUAL),
    ],
)
def test_lists_agree_by_one_value_and_an_empty_one_says_nothing(component, left, right, expected):
    sides = (batch([record(**{component: side})]) for side in (left, right))
    assert relations(*sides)[component].to_list() == [expected]


@pytest.mark.parametrize(
    ("left", "right", "expected"), [(None, None, ABSENT), ("a", None, ABSENT), (None, "a", ABSENT), ("a", "b", UNEQUAL)]
)
@pytest.mark.parametrize("component", ["tpm_ek_id", "smbios_uuid", "product_id"])
def test_a_value_that_one_side_lacks_says_nothing(component, left, right, expected):
    sides = (batch([record(**{component: side})]) for side in (left, right))
    assert relations(*sides)[component].to_list() == [expected]


def test_both_have_a_hash_only_where_each_has():
    hashes = [(True, True), (True, False), (False, True), (False, False)]
    left, right = (batch([record(has_hash=pair[side]) for pair in hashes]) for side in (0, 1))
    assert relations(left, right)["both"].to_list() == [True, False, False, False]
