import polars as pl
import pytest

from pipeline.decide import decide
from pipeline.decide.deciding import listed
from pipeline.match import match
from pipeline.match.existing import NoRecords
from schemas.requests import DIFFERENT
from tests.decide.test_decide import SWAPPED, A
from tests.match.test_matching import Registrations, batch

ROWS = {"row": pl.UInt32, "tenant_id": pl.String, "identity": pl.String, "captured_at": pl.Datetime("us", "UTC")}
ELSE = {"tpm_ek_id": "x", "smbios_uuid": "x", "serial_number": "x", "product_id": None}
FOUND = {"A": [True, None, False, True], "B": [True, None, True, False], "C": [True, True, None, None]}


def rows_of(count):
    return pl.DataFrame([(row, "t", "hash", None) for row in range(count)], ROWS, orient="row")


def test_codes_are_listed_in_the_order_asked_for_and_what_was_not_found_is_no_code():
    assert listed(pl.DataFrame(FOUND), ("C", "A")).to_list() == [["C", "A"], ["C"], [], ["A"]]


@pytest.mark.parametrize(
    ("registered", "named", "told"),
    [
        ([], "device-9", "asked for before, and ended: device-9"),
        ([A], "device-0", "registered device device-0, same: same TPM key"),
    ],
)
def test_who_left_before_is_told_after_what_it_meets(registered, named, told):
    existing = Registrations(registered) if registered else NoRecords()
    departed = pl.Series(["device-9", None], dtype=pl.String)
    matches = match(batch([A, A | ELSE]), existing)
    decisions = decide(rows_of(2), pl.DataFrame({"HASH_NO_TPM": [False, False]}), matches, departed)
    assert decisions["DEVICE_LEFT"].to_list() == [True, False]
    assert decisions["matched_device_id"].to_list() == [named, None]
    assert decisions["evidence"][0].startswith(told)
    assert decisions["evidence"][0].endswith("asked for before, and ended: device-9")
    assert decisions["evidence"][1] is None


def test_a_word_on_a_row_says_nothing_of_the_others():
    spoken = {"row": 0, "decision": DIFFERENT, "decided_on": ["device-0"], "device_id": None, "registered_via": None}
    schema = {"row": pl.UInt32, "decision": pl.String, "decided_on": pl.List(pl.String)}
    words = pl.DataFrame([spoken], schema | {"device_id": pl.String, "registered_via": pl.String})
    for matched, codes in (([A, A | ELSE], [set(), set()]), ([A | ELSE, A], [set(), {"BOARD_REPLACED"}])):
        decisions = decide(rows_of(2), pl.DataFrame(), match(batch(matched), Registrations([SWAPPED])), None, words)
        found = [name for name, dtype in decisions.schema.items() if dtype == pl.Boolean]
        assert [{code for code in found if row[code]} for row in decisions.iter_rows(named=True)] == codes
