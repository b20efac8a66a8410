"""What `doctor` says of an inbox, of runs that were not finished, and of an output."""

import fcntl
import json
import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline import RunConfig, run
from pipeline.cli.main import cli
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.lab.synthesize.night import INTUNE
from pipeline.runs.workspace import STAGING
from tests.conftest import TENANT, make_world


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    world = make_world(tmp_path_factory.mktemp("doctor"), Factory(random.Random(1)))
    world.deliver(f"contoso/{TENANT}/a.csv", {INTUNE[2]: capture(world.factory.device())})
    world.run(run_id="first")
    return world.home


@pytest.fixture
def home(published, tmp_path, monkeypatch):
    place = tmp_path / "home"
    shutil.copytree(published, place)
    monkeypatch.chdir(place)
    return place


def looked_at(check, *arguments):
    """Levels and sentences of one check, and the exit code."""
    done = CliRunner().invoke(cli, ["doctor", *arguments, "--format", "json"], standalone_mode=False)
    told = [one for one in json.loads(done.stdout) if one["check"] == check]
    return [one["level"] for one in told], "\n".join(one["told"] for one in told), done.return_value


def prepared(home, run_id, token=0x0123456789ABCDEF, *, owner="x\ny\n"):
    folder = home / "runs" / STAGING / f"{run_id}-{token:016x}"
    folder.mkdir(parents=True)
    (folder / "registry").write_text(owner)
    (folder / "lock").touch()
    return folder


def test_an_inbox_is_told_by_what_would_be_taken(home):
    (home / "inbox" / "contoso" / "departures").mkdir()
    (home / "inbox" / "contoso" / "departures" / "out.csv").touch()
    (home / "inbox" / "contoso" / ".hidden").touch()
    told = "2 manifests of 1 partner in inbox, 1 of departures; 1 left alone"
    assert looked_at("inbox") == (["ok"], told, 0)


def test_what_is_unknown_in_an_inbox_is_a_note_with_what_to_do(home):
    for name in ("contoso/b.pdf", "contoso/c.zip", "stray.csv", "fabricam/d.csv"):
        (home / "inbox" / name).parent.mkdir(exist_ok=True)
        (home / "inbox" / name).touch()
    (home / "inbox" / "contoso" / "link.csv").symlink_to("elsewhere")
    levels, told, code = looked_at("inbox")
    assert (levels, code) == (["ok", "note", "note", "note", "note"], 0)
    assert "contoso/link.csv: not read: it is a link" in told
    assert "contoso/b.pdf and 1 more: no manifest; take it away" in told
    assert "stray.csv: in no partner's folder; move it to <partner_id>/" in told
    assert "fabricam: no such partner; add it to partners.csv" in told


def test_an_inbox_that_is_not_there_is_to_be_mended(home):
    levels, told, code = looked_at("inbox", "nowhere")
    assert (levels, code) == (["FAIL"], 1)
    assert "nowhere: not a folder" in told


def test_a_manifest_that_cannot_be_read_is_to_be_mended(home, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, _mode: Path(path).name != "a.csv")
    levels, told, _ = looked_at("inbox")
    assert (levels, "a.csv: cannot be read; give this user the right" in told) == (["FAIL"], True)


def test_a_registry_that_runs_tell_of_and_is_gone_is_to_be_mended(home):
    assert looked_at("registry")[0] == ["ok"]
    shutil.rmtree(home / "registry")
    levels, told, code = looked_at("registry")
    assert (levels, code) == (["FAIL"], 1)
    assert "registry registry: is gone, and runs published in runs tell of it; restore it from a backup" in told
    shutil.rmtree(home / "runs")
    assert looked_at("registry") == (["ok"], "registry is not there; the first run makes it", 0)


def test_a_registry_that_is_older_than_what_is_published_is_to_be_mended(home):
    shutil.copytree(home / "registry", home / "backup")
    run(RunConfig.beside(home / "inbox", run_id="second"))
    shutil.rmtree(home / "registry")
    (home / "backup").rename(home / "registry")
    levels, told, code = looked_at("registry")
    assert (levels, code, "was restored from a backup" in told) == (["FAIL"], 1, True)


def test_a_registry_that_no_run_would_make_is_to_be_mended(home):
    levels, told, _ = looked_at("registry", "--registry", "elsewhere")
    assert (levels, "registry elsewhere: not found" in told) == (["FAIL"], True)
    assert not (home / "elsewhere").exists()


def test_runs_are_counted_and_those_committed_and_not_there_are_named(home):
    assert looked_at("runs") == (["ok"], "1 published run in runs", 0)
    shutil.rmtree(home / "runs" / "first")
    levels, told, _ = looked_at("runs")
    assert levels == ["ok", "note"]
    assert "run first: committed, and not in runs; pruned, or published elsewhere" in told


def test_a_run_that_waits_to_be_published_is_to_be_mended(home, monkeypatch):
    shutil.rmtree(home / "runs" / "first")
    prepared(home, "first", 7)
    monkeypatch.setattr("pipeline.registry.Registry.committed", lambda _self, run_id: 7 if run_id == "first" else None)
    levels, told, code = looked_at("runs")
    assert (levels, code) == (["FAIL"], 1)
    assert told == "run first: is committed, and waits in runs to be published; the next run does it"


def test_stale_staging_is_told_and_that_of_a_living_run_is_not(home):
    folder = prepared(home, "second")
    (home / "runs" / STAGING / f"{folder.name}.ended").mkdir()
    levels, told, code = looked_at("output")
    assert (levels, code) == (["ok", "note"], 0)
    assert f"2 folders in runs/{STAGING}, left by runs that died" in told
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "1 folder in" in looked_at("output")[1]
    assert folder.exists()
