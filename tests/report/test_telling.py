import re

import pytest

from pipeline.report.content import _reason
from pipeline.report.grouping import sections, tiles
from pipeline.report.telling import WHO, first_step, owners, said_to_operator, said_to_partner, to_you, verdict, who
from schemas.reasons import CATALOGUE, REASON_CODES

OUR_WORDS = re.compile(r"(this|the) partner|The customer|[Tt]he customer|\w+\.csv\b|--\w|partner_id|operator")

MEND, SEND = "First: put 2 rows right; correct those in", " and send it back."
MORE = " For 1 more do what is said with it."


def counts(registered=0, deregistered=0, **reasons):
    done = {"registered": registered, "deregistered": deregistered}
    return {"rows": {**done, "rejected": sum(reasons.values())}, "reasons": reasons}


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_partner_is_spoken_to_and_told_no_file_or_option_of_ours(code):
    told = said_to_partner(_reason(code, 1, 1))
    for text in (told["sentence"], told["remedy"], to_you(CATALOGUE[code].expected)):
        assert not OUR_WORDS.search(text), text


def test_what_is_the_operator_s_to_mend_is_said_to_be():
    ours = [code for code in REASON_CODES if who(code) == "operator"]
    assert "AUTH_CHANNEL" in ours
    assert {said_to_partner(_reason(code, 1, 1))["remedy"] for code in ours} == {
        "Nothing for you to do: this is ours to look into, and you need not send the rows again."
    }


def test_somebody_or_nobody_must_act_on_every_reason():
    assert {who(code) for code in REASON_CODES} == set(WHO)
    assert who("RECORD_BEFORE_HEADER") == who("DUPLICATE_IN_BATCH") == "nobody"
    assert owners({"USER_FORMAT": 2, "AUTH_PENDING": 1}) == {"partner": 2, "customer": 1, "operator": 0, "nobody": 0}


@pytest.mark.parametrize(
    ("told", "again", "files", "unfixed", "first"),
    [
        (
            counts(USER_FORMAT=2, AUTH_PENDING=9),
            {"AUTH_PENDING": 9},
            ["resubmit.csv", "resubmit.xlsx"],
            11,
            f"{MEND} resubmit.xlsx{SEND}",
        ),
        (counts(USER_FORMAT=2), {}, ["errors.csv", "resubmit.csv"], 1, f"{MEND} resubmit.csv{SEND}"),
        (
            counts(AUTH_PENDING=1_200),
            {},
            [],
            1,
            "First: ask your customer to act on 1,200 rows; there is nothing to send.",
        ),
        (counts(AUTH_CHANNEL=1), {}, [], 1, "Nothing for you to do: 1 row is with us."),
        (counts(3, ALREADY_REGISTERED=1), {}, [], 0, "Nothing to do: 3 rows were registered."),
        (counts(1, 4), {}, [], 0, "Nothing to do: 1 row was registered, 4 deregistered."),
        (counts(USER_FORMAT=2), {}, ["resubmit-00001.csv"], 1, f"{MEND} resubmit-00001.csv{SEND}"),
        (
            counts(NOT_REGISTERED=2),
            {},
            ["departures-resubmit.csv", "open.csv"],
            1,
            f"{MEND} departures-resubmit.csv{SEND}",
        ),
        (
            counts(NOT_REGISTERED=1, USER_FORMAT=1),
            {},
            ["departures-resubmit.csv", "departures-resubmit.xlsx", "resubmit.csv", "resubmit.xlsx"],
            2,
            f"{MEND} resubmit.xlsx and departures-resubmit.xlsx and send them back.",
        ),
        (
            counts(USER_FORMAT=2, BOARD_REPLACED=3),
            {"BOARD_REPLACED": 2},
            ["resubmit.csv"],
            5,
            f"{MEND} resubmit.csv{SEND}{MORE}",
        ),
        (
            counts(BOARD_REPLACED=3, AUTH_PENDING=1),
            {},
            [],
            4,
            "First: do what is said with 3 rows; there is nothing to correct in them.",
        ),
        (counts(USER_DOMAIN=5, USER_FORMAT=2), {"USER_DOMAIN": 5}, ["resubmit.xlsx"], 7, f"{MEND} resubmit.xlsx{SEND}"),
        (counts(BOARD_REPLACED=1), {"BOARD_REPLACED": 1}, [], 1, "Nothing new to do: 1 row told before waits."),
        (
            counts(AUTH_PENDING=3, USER_DOMAIN=1),
            {"AUTH_PENDING": 3, "USER_DOMAIN": 1},
            ["resubmit.csv"],
            4,
            "Nothing new to do: 4 rows told before wait. What resubmit.csv holds can also be corrected.",
        ),
        (counts(), {}, [], 2, "Nothing new to do: 2 rows of earlier deliveries are still open."),
    ],
)
def test_a_partner_is_told_what_to_do_first(told, again, files, unfixed, first):
    assert first_step(told, again, files, unfixed) == first


def test_an_operator_is_told_of_the_command_that_decides_and_a_partner_is_not():
    review = _reason("BOARD_REPLACED", 1, 1)
    assert "review decide r7 FILE:LINE" in said_to_operator(review, "r7")["remedy"]
    assert "review decide" not in said_to_partner(review)["remedy"]
    assert said_to_operator(_reason("USER_FORMAT", 1, 1), "r7") == _reason("USER_FORMAT", 1, 1)


def test_a_night_has_a_verdict():
    assert verdict(counts()) == "No file held a row that had to be decided."
    assert verdict(counts(2)) == "All 2 rows that had to be decided were registered."
    leaving = "All 3 rows that had to be decided were carried out: 2 rows were registered, 1 deregistered."
    assert verdict(counts(2, 1)) == leaving
    told = verdict(counts(1, 2, NOT_REGISTERED=1))
    assert told == "1 of 4 rows were registered, 2 deregistered; the others are 1 for the partner to mend."
    told = verdict(counts(1, USER_FORMAT=2, AUTH_CHANNEL=1))
    assert told == "1 of 4 rows were registered; the others are 2 for the partner to mend, 1 for an operator to decide."


def report(page, *reasons, rows=()):
    listed = [
        {"code": code, "again": again, "source_file": "a.csv", "source_line": at, "serial": None, "tenant_id": None}
        | {"field": None, "found": None, "meant": None, "expected": "x", "remedy": None, "others": [], "nights": nights}
        | {"waits": again}
        for at, (code, again, nights) in enumerate(rows)
    ]
    told = [{**_reason(code, number, 100), "who": who(code), "again": again} for code, number, again in reasons]
    return {"page": page, "reasons": told, "rejected_rows": {"listed": listed}}


def test_rows_stand_in_groups_by_who_must_act_the_largest_first():
    told = report("run", ("USER_FORMAT", 1, 0), ("AUTH_PENDING", 5, 3), ("FORMULA_CELL", 2, 0))
    assert [(section.who, [group.anchor for group in section.groups], section.rows) for section in sections(told)] == [
        ("partner", ["FORMULA_CELL", "USER_FORMAT"], 3),
        ("customer", ["AUTH_PENDING"], 5),
    ]


def test_a_partner_s_waiting_rows_stand_apart_from_new_ones():
    rows = [("AUTH_PENDING", True, 3), ("AUTH_PENDING", False, 1), ("USER_DOMAIN", True, 2)]
    told = report("partner", ("USER_DOMAIN", 1, 1), ("AUTH_PENDING", 5, 4), ("AUTH_REMOVED", 2, 0), rows=rows)
    found = [
        (section.part, section.who, group.anchor, group.rows, [cells[-1] for cells in group.listed])
        for section in sections(told)
        for group in section.groups
    ]
    assert found == [
        ("new", "customer", "AUTH_REMOVED", 2, []),
        ("new", "customer", "AUTH_PENDING", 1, ["tonight"]),
        ("waiting", "partner", "USER_DOMAIN", 1, ["2 nights, waits"]),
        ("waiting", "customer", "AUTH_PENDING-waiting", 4, ["3 nights, waits"]),
    ]
    assert tiles(sections(told)) == {"partner": 0, "customer": 3, "operator": 0, "nobody": 0, "waiting": 5}
