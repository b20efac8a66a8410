"""What is prepared of a run, and renewed once it is committed."""

import json
import shutil

import polars as pl
import pytest

from pipeline import RunConfig, run
from pipeline.errors import Fault
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.runs.workspace import PENDING, Workspace
from tests.conftest import AS_OF, TENANT, Notices


def sealed(home):
    place = Workspace(home / "runs" / ".staging" / "night", 1)
    place.publication.mkdir(parents=True)
    (place.publication / PENDING).write_text('{"seconds": 1}')
    return place


def test_a_manifest_is_renewed_and_nothing_is_left_beside_it(tmp_path):
    place = sealed(tmp_path)
    (place.publication / PENDING).chmod(0o600)
    place.renew({"seconds": 2})
    (pending,) = place.publication.iterdir()
    assert json.loads(pending.read_text()) == {"seconds": 2}
    assert pending.stat().st_mode & 0o777 == 0o600


def test_where_it_cannot_be_renewed_what_was_sealed_is_shown(tmp_path):
    place = sealed(tmp_path)
    (place.folder / PENDING).mkdir()
    place.renew({"seconds": 2})
    (pending,) = place.publication.iterdir()
    assert json.loads(pending.read_text()) == {"seconds": 1}


def test_a_dead_run_takes_no_other_run_s_place(world, monkeypatch):
    def config(registry, run_id):
        place = world.home / registry
        return RunConfig.beside(world.inbox, as_of=AS_OF, run_id=run_id, registry=place, create_registry=True)

    def die(*_):
        raise OSError

    def published():
        return pl.read_parquet(world.home / "runs" / "night" / "registered" / "*.parquet")

    world.deliver(f"contoso/{TENANT}/a.csv", *({INTUNE[2]: capture(world.factory.device())} for _ in range(2)))
    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "publish", die)
        with pytest.raises(Fault, match="is committed"):
            run(config("one", "night"))
    world.deliver(f"contoso/{TENANT}/b.csv", {INTUNE[2]: capture(world.factory.device())})
    run(config("other", "night"))
    before, notices = published(), Notices()
    run(config("one", "next"), notices)
    assert [text for text in notices.told if "a run of another registry has its place" in text]
    assert published().equals(before)
    shutil.rmtree(world.home / "runs" / "night")
    run(config("one", "last"))
    assert published().height == 2
    assert list((world.home / "runs" / ".staging").iterdir()) == []
