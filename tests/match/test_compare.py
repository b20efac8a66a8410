"""How the components of two records stand to each other."""

import math

import pytest

from pipeline.match.compare import ABSENT, EQUAL, UNEQUAL, compare, relations
from tests.match.test_matching import batch, record

SERIAL = {"serial_number": "s", "manufacturer": "HP"}


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


def compared(left, right):
    pairs = batch([record()]).select(left="row", right="row")
    return compare(pairs, batch([left]), batch([right])).row(0, named=True)


def test_what_agrees_counts_for_half_of_what_differs_against_and_what_is_not_known_for_nothing():
    ours = record(tpm_ek_id="a", smbios_uuid="u", model="m", **SERIAL)
    told = compared(ours, ours | {"smbios_uuid": "other", "serial_number": None})
    assert told["score"] == pytest.approx(math.log2(10**12) - math.log2(10**9) / 2 + math.log2(30))


@pytest.mark.parametrize(
    ("theirs", "verdict"),
    [
        ({"disk_serials": ["d"]}, "same"),
        ({"mac_addresses": ["a"]}, "same"),
        ({}, "contradiction"),
        ({"disk_serials": ["e"]}, "contradiction"),
        ({"serial_number": "other", "disk_serials": ["d"], "mac_addresses": ["a"]}, "different"),
        ({"serial_number": None, "disk_serials": ["d"], "mac_addresses": ["a"]}, "different"),
        ({"manufacturer": "Dell", "disk_serials": ["d"]}, "different"),
    ],
)
def test_a_serial_alone_needs_a_card_or_a_disk(theirs, verdict):
    ours = record(disk_serials=["d"], mac_addresses=["a"], **SERIAL)
    assert compared(ours, record(**SERIAL) | theirs)["verdict"] == verdict
