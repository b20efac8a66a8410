import pytest

from pipeline.clock import Clock
from pipeline.listener import Silence


def test_the_wall_time_of_stages_that_go_on_at_once_is_shared_out():
    clock = Clock(Silence())
    with clock.at_once("ingest") as parts:
        parts.add({"decode": 3.0})
        parts.add({"ingest": 1.0, "decode": 2.0})
    assert list(clock.seconds) == ["ingest", "decode"]
    assert clock.seconds["decode"] == pytest.approx(5 * clock.seconds["ingest"])


def test_what_no_task_took_is_the_first_stage_s():
    clock = Clock(Silence())
    with clock.at_once("ingest"):
        pass
    assert list(clock.seconds) == ["ingest"]
