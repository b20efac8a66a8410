"""What a night has to decide, from small tables of what the registry knows."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from pipeline.match.keys import named_key
from pipeline.registry.requests import DECISION_TYPES, FILE_TYPES, PENDING_TYPES, Requests
from pipeline.requests import docket
from pipeline.requests.docket import (
    Docket,
    delivered_again,
    deliveries,
    docket_of,
    due,
    identified,
    known_sheets,
    request_ids,
    seen,
)
from pipeline.rows import ROW
from schemas.requests import DELIVERY
from tests.conftest import AS_OF

ENDED = {
    "device_id": pl.String,
    "version": pl.Int64,
    "removal_reason": pl.String,
    "tenant_id": pl.String,
    "serial_number": pl.String,
    "manufacturer": pl.String,
    "product_id": pl.String,
    "hardware_hash_id": pl.String,
}
OLD = timedelta(days=90)


def table(types, *rows):
    return pl.DataFrame([dict.fromkeys(types) | row for row in rows], types)


def key_of(serial):
    return pl.select(serial=pl.lit(serial)).select(named_key("serial", "serial")).item()


def waiting(request, **more):
    return {"request_id": request, "event": "waiting", "waits_from": AS_OF, "tenant_id": "t", "version": 1} | more


def knowing(files=(), pending=(), decisions=()):
    return Requests(
        table(FILE_TYPES, *files),
        table(PENDING_TYPES, *pending),
        table({**DECISION_TYPES, "is_heeded": pl.Boolean}, *decisions),
        nights=1,
    )


def again(pending=(), decisions=(), ended=(), *, reprocess=False):
    """Ids of what is decided again, and of what is not although all others are."""
    registry = SimpleNamespace(
        requests=lambda: knowing((), pending, decisions),
        removals=lambda: table(ENDED, *ended),
        carried_out=lambda: pl.Series(["done"]),
    )
    made = docket_of(registry, AS_OF, 90, 4, reprocess=reprocess)
    return sorted(made.again["request_id"]), made.settled if made.settled is None else sorted(made.settled)


@pytest.mark.parametrize(
    ("request_", "is_decided"),
    [
        ({}, True),
        ({"event": "open"}, False),
        ({"waits_from": AS_OF - OLD}, False),
        ({"waits_from": AS_OF - OLD + timedelta(microseconds=1)}, True),
    ],
)
def test_what_waits_is_decided_again_for_so_many_days(request_, is_decided):
    assert again([waiting("a") | request_]) == (["a"] * is_decided, None)


@pytest.mark.parametrize(
    ("said", "is_heeded", "expected"),
    [("same", False, ["a", "b"]), ("same", True, ["b"]), ("reject", False, ["b"]), ("reject", True, ["b"])],
)
def test_what_was_said_since_is_decided_again_and_what_was_refused_is_not(said, is_heeded, expected):
    word = {"request_id": "a", "decision": said, "is_heeded": is_heeded, "version": 2}
    assert again([waiting("b")], [word]) == (expected, None)
    settled = ["a", "done"] if said == "reject" else ["done"]
    assert again([waiting("b")], [word], reprocess=True)[1] == settled
    if said == "reject":
        assert again([waiting("a")], [word])[0] == []


LEFT = {"device_id": "d", "version": 2, "tenant_id": "t", "serial_number": "S-12345", "manufacturer": "HP"}


@pytest.mark.parametrize(
    ("request_", "ended", "is_over"),
    [
        ({"waits_on": ["c", "d"]}, {}, True),
        ({"waits_on": ["d"]}, {"removal_reason": "Repair of the board"}, False),
        ({"waits_on": ["d"]}, {"removal_reason": "sold"}, True),
        ({"waits_on": ["c"]}, {}, False),
        ({"keys": [key_of("x-12345"), key_of("s-12345")]}, {}, True),
        ({"keys": [key_of("s-12345")]}, {"product_id": "p"}, True),
        ({"keys": [key_of("s-12345")], "manufacturer": "hp"}, {}, True),
        ({"keys": [key_of("s-12345")], "manufacturer": "hp"}, {"manufacturer": None}, True),
        ({"keys": [key_of("s-12345")], "manufacturer": "lenovo"}, {}, False),
        ({"keys": [key_of("s-12345")], "tenant_id": "u"}, {}, False),
        ({"keys": [key_of("s-12345")], "version": 2}, {}, False),
        ({"keys": [None]}, {"serial_number": None}, False),
        ({"keys": []}, {"serial_number": None}, False),
    ],
)
def test_what_waited_for_a_device_that_left_is_over(request_, ended, is_over):
    asks = waiting("a", request_kind="registration", **({"waits_on": []} | request_))
    assert again([asks], ended=[LEFT | ended])[0] == ([] if is_over else ["a"])
    night = Docket(knowing(), table(PENDING_TYPES, asks), AS_OF, None, 4)
    assert night.without_waiting_for(table(ENDED, LEFT | ended)).again.height == (not is_over)


def test_what_is_over_has_waited_and_is_not_decided_again():
    asks = [waiting("a", waits_from=AS_OF - OLD), waiting("b"), waiting("c", event="open")]
    registry = SimpleNamespace(requests=lambda: knowing((), asks), removals=lambda: table(ENDED))
    assert docket_of(registry, AS_OF, 90, 4, reprocess=False).over.to_list() == ["a"]


@pytest.mark.parametrize("kept", [{"request_kind": "departure"}, {"event": "decided"}])
def test_what_ends_tonight_is_over_for_registrations_that_wait(kept):
    asks = [
        waiting("a", request_kind="registration", waits_on=["d"]),
        waiting("b", request_kind="registration", waits_on=["d"]) | kept,
        waiting("c", request_kind="registration", waits_on=["other"]),
    ]
    night = Docket(knowing(), table(PENDING_TYPES, *asks), AS_OF, None, 4)
    assert night.without_waiting_for(table(ENDED, LEFT)).again["request_id"].to_list() == ["b", "c"]


ONE = dict(zip(DELIVERY, ("registration", "p", None, "one"), strict=True))


def a_file(sha256, path="a.csv", **more):
    return ONE | {"sha256": sha256, "source_file": path, "stamp": "s", "bytes": 5, "version": 3, "run_id": "r"} | more


def night(*files, again=(), settled=None):
    pending = table({**PENDING_TYPES, "line": pl.Int64}, *again)
    return Docket(knowing(files), pending, AS_OF, settled, opened=9)


def places(*rows):
    return SimpleNamespace(
        rows=pl.DataFrame(
            [(file << 32 | line, file, line) for file, line in rows],
            {"row": ROW, "file_no": pl.UInt32, "source_line": pl.UInt32},
            orient="row",
        )
    )


DELIVERED = pl.DataFrame(
    [("new", False), ("new", False), ("old", True), (None, True), (None, True)],
    {"sha256": pl.String, "known": pl.Boolean},
    orient="row",
).with_columns(
    request_kind=pl.lit("registration"),
    partner_id=pl.lit("p"),
    tenant_folder=pl.lit(None, pl.String),
    source_file=pl.format("{}.csv", pl.int_range(pl.len())),
)
LINES = places((0, 2), (1, 2), (2, 2), (2, 3), (3, 0), (4, 0))


def test_due_is_what_is_new_or_waits_once():
    asks = {**ONE, "sha256": "old", "line": 3, "event": "waiting"}
    other = asks | {"tenant_folder": "t", "line": 2}
    gone = asks | {"line": 99}
    found = due(LINES, DELIVERED, night(again=[asks, other, gone]))
    assert found.to_list() == [True, False, False, True, True, True]


def test_all_that_was_not_carried_out_is_due_when_decided_again():
    done = request_ids(LINES.rows["row"], DELIVERED)[2:3]
    found = due(LINES, DELIVERED, night(settled=done))
    assert found.to_list() == [True, False, False, True, True, True]


def test_a_file_is_recorded_as_it_was_not_known():
    known = [a_file("one"), a_file(None, "b.csv")]
    files = table(
        {**{name: FILE_TYPES[name] for name in (*DELIVERY, "source_file", "bytes", "stamp", "opened")}},
        a_file("one") | {"opened": 1},
        a_file("two") | {"opened": 2},
        a_file("one", "c.csv") | {"opened": 3},
        a_file(None, "b.csv") | {"opened": 4},
        a_file("one") | {"stamp": "t", "opened": 5},
    ).select(*DELIVERY, "source_file", "bytes", "stamp", "opened")
    found = seen(files, night(*known), "tonight")
    assert sorted(found["opened"]) == [2, 3, 5]
    assert set(found["run_id"]) == {"tonight"}


def test_what_is_delivered_again_elsewhere_is_told_once():
    files = table(FILE_TYPES, a_file("one", "new.csv"), a_file("one"), a_file("two", "x.csv"), a_file("one", "y.csv"))
    dispositions = pl.Series(["already_processed", "already_processed", "already_processed", "processed"])
    known = night(a_file("one"), a_file("one", "later.csv", run_id="s"), a_file(None, "new.csv"))
    (told,) = delivered_again(files, dispositions, known)
    assert told == "new.csv: was delivered before, in run r as a.csv; change it to ask again"


def test_of_many_files_delivered_again_some_are_named(monkeypatch):
    monkeypatch.setattr(docket, "_MOST_TOLD", 2)
    files = table(FILE_TYPES, *(a_file("one", f"{at}.csv") for at in range(5)))
    told = delivered_again(files, pl.Series(["already_processed"] * 5), night(a_file("one")))
    assert [line.split(":")[0] for line in told] == ["0.csv", "1.csv", "and 3 more files were delivered before"]


def read_as(*files):
    """Of each file of a night whether a run knows it, the folder that it is known by, and what was opened then."""
    types = dict.fromkeys(("source_file", "partner_id", "tenant_folder", "request_kind", "stamp"), pl.String)
    types |= {"bytes": pl.UInt64, "sha256": pl.String, "disposition": pl.String}
    rows = [
        {"source_file": "a", "partner_id": "p", "tenant_folder": "t", "request_kind": "registration", "stamp": "s"}
        | {"bytes": 5, "sha256": "one", "disposition": "processed"}
        | one
        for one, _ in files
    ]
    headers = [[SimpleNamespace(columns=columns) for columns in own] for _, own in files]
    return SimpleNamespace(files=pl.DataFrame(rows, types), headers=headers)


NAMED, UNNAMED = [("serial", "tenant")], [("serial",)]


@pytest.mark.parametrize(
    ("one", "headers", "known", "expected"),
    [
        ({}, UNNAMED, [], (False, "t", 9)),
        ({}, NAMED, [], (False, None, 9)),
        ({}, NAMED + UNNAMED, [], (False, "t", 9)),
        ({}, [], [], (False, "t", 9)),
        ({}, UNNAMED, [{"tenant_folder": "t"}], (True, "t", 2)),
        ({}, UNNAMED, [{"tenant_folder": "t", "opened": 1}, {"tenant_folder": "t", "opened": 2}], (True, "t", 1)),
        ({}, UNNAMED, [{}], (False, "t", 9)),
        ({}, NAMED, [{}], (True, None, 2)),
        ({}, NAMED, [{"tenant_folder": "t"}], (True, "t", 2)),
        ({}, NAMED, [{"tenant_folder": "t"}, {}], (True, None, 2)),
        ({"disposition": "already_processed"}, [], [{}], (True, None, 2)),
        ({"disposition": "already_processed"}, [], [{"tenant_folder": "t"}], (True, "t", 2)),
        ({"disposition": "unreadable"}, [], [{"tenant_folder": "t"}], (False, "t", 9)),
        ({"disposition": "unreadable"}, [], [{"sha256": None, "source_file": "a"}], (True, "t", 9)),
        ({"disposition": "unreadable"}, [], [{"sha256": None, "source_file": "b"}], (False, "t", 9)),
        (
            {"disposition": "unreadable"},
            [],
            [{"sha256": None, "source_file": "a", "tenant_folder": "t"}],
            (True, "t", 9),
        ),
        ({"disposition": "unreadable"}, [], [{"tenant_folder": "t", "source_file": "a"}], (False, "t", 9)),
    ],
)
def test_what_a_file_is_known_by(one, headers, known, expected):
    files = identified(read_as((one, headers)), night(*(a_file("one", "z") | own for own in known)))
    assert files.select("known", "tenant_folder", "opened").row(0) == expected


def test_what_is_no_manifest_is_known_by_its_path_and_stamp():
    files = identified(read_as(({"disposition": "not_a_manifest", "sha256": None}, [])), night())
    assert files["sha256"].item() == "no manifest a s"


def manifest(path="a.csv", **more):
    own = {"source_file": path, "partner_id": "p", "kind": "registration", "tenant_folder": "t", "mark": "s"}
    return SimpleNamespace(**(own | more), state=lambda: SimpleNamespace(size=5))


@pytest.mark.parametrize(
    ("known", "asks", "own", "may_be"),
    [
        ([{}], [], {}, {"one"}),
        ([{}, {"sha256": "two"}, {"sha256": "two", "source_file": "z"}], [], {}, {"one", "two"}),
        ([{"tenant_folder": "t"}], [], {}, {"one"}),
        ([{"tenant_folder": "u"}], [], {}, set()),
        ([{"tenant_folder": "u"}], [], {"tenant_folder": None}, set()),
        ([{}], [], {"tenant_folder": None}, {"one"}),
        ([{"sha256": None}], [], {}, set()),
        ([{"bytes": 6}], [], {}, set()),
        ([{"partner_id": "q"}], [], {}, set()),
        ([{"partner_id": None}], [], {"partner_id": None}, {"one"}),
        ([{"request_kind": "departure"}], [], {}, set()),
        ([{}], [{}], {}, set()),
        ([{}, {"sha256": "two"}], [{}], {}, {"two"}),
        ([{}], [{"tenant_folder": "t"}], {}, {"one"}),
    ],
)
def test_what_a_file_may_be_that_need_not_be_read(known, asks, own, may_be):
    tonight = night(*(a_file("one") | one for one in known), again=[ONE | one for one in asks])
    (found,) = deliveries([manifest(**own)], tonight)
    assert found.settled == may_be
    assert deliveries([manifest(**own)], replace(tonight, settled=pl.Series([""])))[0].settled == frozenset()


def test_a_file_that_is_as_it_was_has_the_digest_that_was_read_last():
    known = [a_file("old", version=1), a_file("new", version=2), a_file("other", "b.csv"), a_file("later", stamp="z")]
    found = deliveries([manifest("b.csv"), manifest(), manifest("c.csv"), manifest(), manifest("c.csv")], night(*known))
    assert [one.digest for one in found] == ["other", "new", None, "new", None]
    assert [one.number for one in found] == [0, 1, 2, 3, 4]


def test_the_sheets_of_a_workbook_that_is_as_it_was():
    book = [a_file("digest#One", "a.xlsx#One"), a_file("digest#Two", "a.xlsx#Two"), a_file("digest", "b.csv")]
    again = [a_file("digest#One", "a.xlsx#One", version=4), a_file("digest#Old", "a.xlsx#Old", stamp="before")]
    sheets = known_sheets(night(*book, *again))
    assert sheets(manifest("a.xlsx")) == ("One", "Two")
    assert sheets(manifest("b.csv")) == sheets(manifest("a.xlsx", mark=None)) == ()
