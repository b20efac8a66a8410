"""What becomes of requests that were not registered, from small tables of what was decided."""

from datetime import timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from pipeline.registry.requests import PENDING_TYPES
from pipeline.requests.docket import request_ids
from pipeline.requests.settling import settle
from pipeline.rows import ROW
from schemas.kinds import DEPARTURE, REGISTRATION
from schemas.matches import Verdict
from schemas.reasons import CATALOGUE, REASON_CODES
from tests.conftest import AS_OF

FILES = pl.DataFrame(
    {"request_kind": [REGISTRATION], "partner_id": ["p"], "tenant_folder": ["t"], "sha256": ["s"], "source_file": ["a"]}
)
EARLIER, LATER = AS_OF - timedelta(days=2), AS_OF - timedelta(days=1)
WAITS, LONG_AGO = "AUTH_PENDING", AS_OF - timedelta(days=90)
NOTHING_MET = (
    pl.DataFrame(schema={"row": ROW, "profile": pl.UInt32}),
    pl.DataFrame(schema=dict.fromkeys(("device_id", "tenant_id", "verdict"), pl.String) | {"profile": pl.UInt32}),
)


def a_row(*codes, at=None, device=None, kind=REGISTRATION, asked=None):
    """A row with its codes; `at` is the row, and `device` the registration, that it points at."""
    return codes, at, device, kind, asked


def settled(*rows, profiles=NOTHING_MET[0], registered=NOTHING_MET[1], over=(), bare=(), files=FILES):
    """What is settled of rows, of which those at `over` wait no more, and those at `bare` have no hash."""
    numbers = pl.Series("row", range(len(rows)), ROW)
    own = pl.DataFrame(numbers).with_columns(
        request_kind=pl.Series([kind for *_, kind, _ in rows], dtype=pl.String),
        tenant_id=pl.lit("t"),
        identity=pl.Series(["serial" if at in bare else "hash" for at in range(len(rows))], dtype=pl.String),
    )
    decisions = pl.DataFrame(
        [
            {code: code in codes for code in CATALOGUE}
            | {
                "matched_row": at,
                "matched_device_id": device,
                "reason": min(codes, key=REASON_CODES.index, default=None),
            }
            for codes, at, device, *_ in rows
        ],
        dict.fromkeys(CATALOGUE, pl.Boolean)
        | {"matched_row": ROW, "matched_device_id": pl.String, "reason": pl.String},
    ).select(numbers, pl.all())
    asked = pl.DataFrame(
        {
            "request_id": request_ids(numbers, files),
            "asked": [row[-1] or (AS_OF if at in over else None) for at, row in enumerate(rows)],
        },
        {name: PENDING_TYPES[name] for name in ("request_id", "asked")},
    ).drop_nulls()
    asked = asked.join(files.head(1).drop("source_file"), how="cross")
    night = SimpleNamespace(requests=SimpleNamespace(pending=asked), oldest=LONG_AGO)
    night.over = request_ids(numbers.filter(numbers.is_in(list(over))), files)
    matches = SimpleNamespace(profiles=profiles, registered=registered)
    return settle(own, decisions, matches, files, night, AS_OF)


def ends(*rows, **met):
    """Of each row what became of it in one word, what it is kept by, and from when its waiting counts."""
    found = settled(*rows, **met).with_columns(
        end=pl.when("is_waiting")
        .then(pl.lit("waits"))
        .when("can_wait")
        .then(pl.lit("over"))
        .when("is_done")
        .then(pl.lit("done"))
        .when(pl.col("reason").is_not_null())
        .then(pl.lit("final")),
        kept=pl.coalesce(pl.col("kept_row").cast(pl.String), "kept_device"),
    )
    return found.select("end", "kept").rows()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([a_row()], [(None, None)]),
        ([a_row("ALREADY_REGISTERED", device="d")], [("done", "d")]),
        ([a_row("NOT_REGISTERED", kind=DEPARTURE)], [("final", None)]),
        ([a_row("HASH_CHECKSUM", WAITS)], [("final", None)]),
        ([a_row(WAITS)], [("waits", None)]),
        ([a_row(WAITS, asked=LONG_AGO)], [("over", None)]),
        ([a_row(WAITS, asked=EARLIER)], [("waits", None)]),
        ([a_row("RECORD_BEFORE_HEADER")], [("final", None)]),
        ([a_row("AMBIGUOUS_MATCH")], [("waits", None)]),
        ([a_row("AMBIGUOUS_MATCH", kind=DEPARTURE)], [("final", None)]),
        ([a_row("DEPARTURE_LIMIT", kind=DEPARTURE, device="d")], [("waits", None)]),
        # A duplicate is what the row that it points at is.
        ([a_row(), a_row("DUPLICATE_IN_BATCH", at=0)], [(None, None), ("done", "0")]),
        (
            [a_row("ALREADY_REGISTERED", device="d"), a_row("DUPLICATE_IN_BATCH", at=0, device="e")],
            [("done", "d"), ("done", "d")],
        ),
        ([a_row(WAITS), a_row("DUPLICATE_IN_BATCH", at=0)], [("waits", None)] * 2),
        ([a_row(WAITS, asked=LONG_AGO), a_row("DUPLICATE_IN_BATCH", at=0)], [("over", None)] * 2),
        ([a_row("HASH_CHECKSUM"), a_row("DUPLICATE_IN_BATCH", at=0)], [("final", None)] * 2),
        (
            [a_row(kind=DEPARTURE), a_row("DUPLICATE_IN_BATCH", at=0, device="d", kind=DEPARTURE)],
            [(None, None), ("done", "d")],
        ),
        # Of a departure and a registration in each other's way both are final.
        (
            [a_row("AMBIGUOUS_MATCH", at=1), a_row("AMBIGUOUS_MATCH", at=0, kind=DEPARTURE)],
            [("final", None)] * 2,
        ),
        ([a_row("AMBIGUOUS_MATCH", at=1), a_row("AMBIGUOUS_MATCH", at=0)], [("waits", None)] * 2),
        ([a_row(WAITS, at=1), a_row("AMBIGUOUS_MATCH", kind=DEPARTURE)], [("waits", None), ("final", None)]),
    ],
)
def test_what_becomes_of_a_request(rows, expected):
    assert ends(*rows) == expected


def test_a_duplicate_is_of_a_row_or_of_a_registration_never_of_both():
    found = settled(a_row(), a_row("DUPLICATE_IN_BATCH", at=0, device="d"))
    assert found.select("kept_row", "kept_device").rows() == [(None, None), (0, None)]


def test_what_waits_no_more_is_final_and_so_is_what_points_at_it():
    rows = [a_row(WAITS), a_row("DUPLICATE_IN_BATCH", at=0), a_row(WAITS)]
    assert ends(*rows, over=[0]) == [("over", None), ("over", None), ("waits", None)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([a_row(WAITS)], [AS_OF]),
        ([a_row(WAITS, asked=EARLIER)], [EARLIER]),
        # Rows in each other's way end with the first of those that wait.
        (
            [a_row("AMBIGUOUS_MATCH", at=1, asked=LATER), a_row("AMBIGUOUS_MATCH", at=0, asked=EARLIER)],
            [EARLIER, EARLIER],
        ),
        (
            [a_row("AMBIGUOUS_MATCH", at=1, asked=LATER), a_row("AMBIGUOUS_MATCH", "HASH_CHECKSUM", asked=EARLIER)],
            [LATER, EARLIER],
        ),
        ([a_row(WAITS, at=1, asked=LATER), a_row(WAITS, asked=EARLIER)], [LATER, EARLIER]),
        ([a_row("AMBIGUOUS_MATCH", at=2, asked=LATER), a_row(WAITS, asked=EARLIER), a_row()], [LATER, EARLIER, None]),
        ([a_row(WAITS, asked=EARLIER), a_row("DUPLICATE_IN_BATCH", at=0, asked=LATER)], [EARLIER, EARLIER]),
    ],
)
def test_from_when_waiting_counts(rows, expected):
    assert settled(*rows)["waits_from"].to_list() == expected


@pytest.mark.parametrize(
    ("codes", "bare", "expected"),
    [
        (("AMBIGUOUS_MATCH",), [], EARLIER),
        # Without a hash it may be the other, and is in no way of that.
        (("AMBIGUOUS_MATCH",), [0], LATER),
        (("AMBIGUOUS_MATCH",), [1], EARLIER),
        (("AMBIGUOUS_MATCH",), [0, 1], EARLIER),
        (("AMBIGUOUS_MATCH", "CONFLICTING_CLAIMS"), [0], EARLIER),
    ],
)
def test_who_is_in_the_way_of_whom(codes, bare, expected):
    rows = a_row(*codes, at=1, asked=LATER), a_row(*codes, asked=EARLIER)
    assert settled(*rows, bare=bare)["waits_from"].to_list() == [expected, EARLIER]


def test_what_a_row_waits_on_are_registrations_of_its_tenant_that_it_met_or_was_told_of():
    profiles = pl.DataFrame({"row": [0, 1, 2], "profile": [0, 1, 0]}, {"row": ROW, "profile": pl.UInt32})
    registered = pl.DataFrame(
        [
            (0, "b", "t", Verdict.SAME),
            (0, "a", "t", Verdict.BOARD_REPLACED),
            (0, "stranger", "u", Verdict.SAME),
            (0, "c", "t", Verdict.DIFFERENT),
            (1, "told", "t", Verdict.PROBABLE),
            (1, "told", "t", Verdict.PROBABLE),
        ],
        NOTHING_MET[1].select("profile", "device_id", "tenant_id", "verdict").schema,
        orient="row",
    )
    rows = (
        a_row("BOARD_REPLACED", device="a"),
        a_row("AMBIGUOUS_MATCH", device="told"),
        a_row("BOARD_REPLACED", "HASH_CHECKSUM"),
        a_row("AUTH_PENDING", device="unknown"),
    )
    found = settled(*rows, profiles=profiles, registered=registered)
    assert found["waits_on"].to_list() == [["a", "b"], ["told"], None, None]


def test_what_was_asked_before_is_known_of_any_file():
    """Also of one that names tenants itself, or cannot be read to its end."""
    nameless = FILES.with_columns(pl.lit(None, pl.String).alias(name) for name in ("tenant_folder", "sha256"))
    other = FILES.with_columns(partner_id=pl.lit("q"))
    for files in (FILES, nameless, pl.concat([nameless, other])):
        found = settled(a_row(WAITS, asked=EARLIER), a_row(WAITS), files=files)
        assert found["waits_from"].to_list() == [EARLIER, AS_OF]
