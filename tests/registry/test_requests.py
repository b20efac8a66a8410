"""What some events tell of requests, as small tables."""

import polars as pl
import pytest

from pipeline.registry import requests
from schemas.requests import REQUEST_TYPES


@pytest.fixture
def told(monkeypatch):
    """Events, one a row, told in the order of their versions to whoever reads them from the registry."""

    def tell(*events):
        frame = pl.DataFrame([dict.fromkeys(REQUEST_TYPES) | event for event in events], REQUEST_TYPES)
        monkeypatch.setattr(requests, "scan_requests", lambda files: frame.lazy())
        return frame

    return tell


def event(kind, version, request=None, **more):
    return {"event": kind, "version": version, "request_id": request} | more


def test_the_latest_event_of_a_request_counts(told):
    told(
        event("open", 3, "b", reason="later"),
        event("waiting", 1, "b", reason="first"),
        event("waiting", 2, "a", reason="own"),
        event("waiting", 1, "c"),
        event("closed", 2, "c"),
        event("seen", 2, source_file="z"),
        event("seen", 2, source_file="y"),
        event("seen", 1, source_file="x"),
        event("carried_out", 4, "b", device_id="d"),
    )
    found = requests.read_requests([], 7)
    assert found.pending.select("request_id", "event", "reason").rows() == [
        ("a", "waiting", "own"),
        ("b", "open", "later"),
    ]
    assert found.files.select("version", "source_file").rows() == [(1, "x"), (2, "y"), (2, "z")]
    assert found.decisions.is_empty()
    assert found.nights == 7


@pytest.mark.parametrize(("heeded", "is_heeded"), [(None, False), (1, False), (2, False), (3, True)])
def test_a_word_is_heeded_by_a_run_after_it(told, heeded, is_heeded):
    told(
        event("decided", 1, "a", decision="reject"),
        event("decided", 2, "a", decision="same"),
        *([event("heeded", heeded, "a")] if heeded else []),
        event("heeded", 9, "b"),
    )
    found = requests.read_requests([], 0).decisions
    assert found.select("request_id", "decision", "is_heeded").rows() == [("a", "same", is_heeded)]


def test_what_later_events_have_overtaken_is_left_out(told):
    told(
        event("waiting", 1, "a"),
        event("open", 2, "a"),
        event("waiting", 1, "c"),
        event("closed", 2, "c"),
        event("heeded", 1, "a"),
        event("heeded", 2, "a"),
        event("decided", 1, "a"),
        event("decided", 2, "a"),
        event("seen", 1),
        event("carried_out", 1, "d"),
        event("step_done", 1),
    )
    kept = sorted(pl.concat(requests.condensed([])).select("event", "version").rows())
    assert kept == [
        ("carried_out", 1),
        ("decided", 1),
        ("decided", 2),
        ("heeded", 2),
        ("open", 2),
        ("seen", 1),
        ("step_done", 1),
    ]


def test_who_asked_before_by_the_same_cells(told):
    told(
        event("carried_out", 1, tenant_id="t", identity_key=1, device_id="a"),
        event("carried_out", 2, tenant_id="t", identity_key=1, device_id="a"),
        event("carried_out", 2, tenant_id="t", identity_key=1, device_id="b"),
        event("carried_out", 2, tenant_id="u", identity_key=1, device_id="c"),
        event("carried_out", 2, tenant_id="t", identity_key=2, device_id="d"),
        event("carried_out", 2, tenant_id="t", device_id="e"),
        event("open", 2, "f", tenant_id="t", identity_key=1),
    )
    wanted = pl.DataFrame({"tenant_id": ["t", "t", None], "identity_key": [1, None, 2]})
    found = requests.carried_out_for({}, 0, wanted)
    assert sorted(found.rows()) == [("t", 1, "a"), ("t", 1, "b")]
    assert sorted(requests.carried_out_ids({}, 0, None)["request_id"]) == ["a", "b", "c", "d", "e"]


def test_the_words_on_a_registration_are_told_in_order(told):
    told(
        event("decided", 3, "c", decided_on=["b"], decision="reject"),
        event("decided", 2, "a", decided_on=["a", "b"], decision="same"),
        event("decided", 1, "x", decided_on=["y"], decision="same"),
        event("open", 1, "a", decided_on=["b"]),
    )
    assert requests.words_on([], pl.Series(["b"])).select("version", "device_id").rows() == [(2, "b"), (3, "b")]
    assert requests.words_on([], pl.Series(["a"])).select("version", "device_id").rows() == [(2, "a")]


def test_who_said_first_that_a_step_is_done_is_told(told):
    told(
        event("step_done", 2, device_id="a", ended_in=1, step="sync", said_by="later"),
        event("step_done", 1, device_id="a", ended_in=1, step="sync", said_by="first"),
        event("step_done", 1, device_id="a", ended_in=5, step="sync", said_by="of another end"),
        event("open", 1, "r", device_id="a", ended_in=2, step="sync"),
    )
    assert sorted(requests.steps_done([])["said_by"]) == ["first", "of another end"]
