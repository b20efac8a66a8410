from datetime import UTC, datetime

from tests.decide.test_decide import AMBIGUOUS, CLAIMS, DUPLICATE, PKID, SWAPPED, TUPLE, A, decided
from tests.match.test_matching import record

MOMENT = datetime(2025, 1, 1, tzinfo=UTC)
MATE = A | {"disk_serials": ["d"]}
TORN = PKID | {"serial_number": "sz", "manufacturer": "HP", "model": "m"}


def test_of_two_captures_the_one_of_a_known_moment_is_kept():
    decisions, codes = decided([A, A], captured_at=[None, MOMENT])
    assert codes == [DUPLICATE, set()]
    assert decisions["evidence"][1] is None


def test_a_row_in_doubt_is_kept_for_no_other():
    _, codes = decided([A, PKID, TORN, TUPLE], list("tuuu"))
    assert codes == [CLAIMS, CLAIMS | AMBIGUOUS, CLAIMS | AMBIGUOUS, CLAIMS]


def test_each_of_two_claims_tells_of_the_other():
    decisions, codes = decided([A, MATE], list("tu"))
    assert codes == [CLAIMS, CLAIMS]
    assert decisions["matched_row"].to_list() == [1, 0]
    assert [told.startswith("in this delivery: same TPM key, UUID, serial") for told in decisions["evidence"]] == [
        True
    ] * 2


def test_of_conflicts_that_weigh_as_much_the_first_by_text_is_told():
    ours = record(smbios_uuid="ua", serial_number="sa", manufacturer="HP")
    others = [ours | {"serial_number": "sx"}, ours | {"smbios_uuid": "ux"}]
    for records in ([ours, *others], [ours, *reversed(others)]):
        decisions, codes = decided(records)
        assert codes == [AMBIGUOUS] * 3
        assert "board replaced" in decisions["evidence"][0]
        assert "contradiction" not in decisions["evidence"][0]


def test_a_content_of_several_rows_that_another_contradicts():
    _, codes = decided([A, A, SWAPPED, SWAPPED])
    assert codes == [AMBIGUOUS, AMBIGUOUS | DUPLICATE, AMBIGUOUS, AMBIGUOUS | DUPLICATE]


def test_rows_of_a_content_that_says_too_little_are_not_each_other():
    alone = record(serial_number="sa", manufacturer="HP")
    decisions, codes = decided([alone, alone])
    assert codes == [AMBIGUOUS] * 2
    assert decisions["met_rows"].to_list() == [[1], [0]]


def test_rows_that_are_probably_the_same_decide_nothing_of_each_other():
    decisions, codes = decided([A, TUPLE | {"product_id": "px"}])
    assert codes == [set(), set()]
    assert decisions["met_rows"].to_list() == [None, None]
