"""However a night is cut, and whatever dies meanwhile, it ends the same, and leaves nothing beside what it names."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from pipeline.intake.staging import Staging
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from tests.conftest import OTHER_TENANT, TENANT

HASH = INTUNE[2]


@pytest.fixture
def some_files(world):
    for at in range(6):
        rows = [{HASH: capture(world.factory.device())} for _ in range(3)]
        spoilt = {HASH: "AAAA"}
        partner = ("contoso", "northwind")[at % 2]
        world.deliver(f"{partner}/{(TENANT, OTHER_TENANT)[at % 2]}/{at}.csv", *rows, rows[0], spoilt)
    return world


def told(night):
    """All that a night says, but ids and times of the run."""
    report = Path(night.result.folder) / "report"
    lists = {str(path.relative_to(report)): path.read_bytes() for path in sorted(report.rglob("*.csv"))}
    sets = [frame.drop("run_id") for frame in (night.registered, night.rejected)]
    return [frame.rows() for frame in sets], lists, night.manifest["rows"], night.manifest["reasons"]


def cut_small(monkeypatch):
    monkeypatch.setattr("pipeline.intake.schedule._MOST_TOGETHER", 1)
    monkeypatch.setattr("pipeline.deals.dealing.PAIRS", 1)
    monkeypatch.setattr("pipeline.publish.sets._LEAST", 1)


def test_bundles_change_nothing(some_files, monkeypatch):
    whole = some_files.run(dry_run=True)
    before = told(whole)
    assert len(list((Path(whole.result.folder) / "registered").iterdir())) == 1
    cut_small(monkeypatch)
    night = some_files.run(run_id="run-1", dry_run=True)
    assert len(list((Path(night.result.folder) / "registered").iterdir())) == 6
    assert told(night) == before


def children():
    """Ids of the processes that this one has started."""
    folder = Path("/proc/self/task")
    return [int(pid) for task in folder.iterdir() for pid in (task / "children").read_text().split()]


@pytest.mark.parametrize(
    "begun",
    ["rows-1", "deals-*/deal-", "bundles-*/00001"],
    ids=["while parts are read", "while deals are compared", "while bundles are written"],
)
def test_a_worker_that_is_killed_changes_nothing(some_files, monkeypatch, begun):
    cut_small(monkeypatch)
    before = told(some_files.run(run_id="run-1", dry_run=True))
    own, killed = set(children()), []

    def kill():
        while not killed:
            if any((some_files.home / "runs").glob(f".staging/*/rows/{begun}*")):
                killed.extend(pid for pid in children() if pid not in own)
                for pid in killed[:1]:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)

    watch = threading.Thread(target=kill)
    watch.start()
    night = some_files.run(run_id="run-1", workers=2)
    killed.append(0)
    watch.join()
    assert len(killed) == 3, "two workers, of which one was killed"
    assert told(night) == before
    registry = Registry.open(some_files.registry, create=False)
    files = {path.name for path in some_files.registry.glob("*.parquet")}
    assert files == {path for path, _ in registry_files(registry)}


def test_a_bundle_that_cannot_be_written_leaves_nothing_of_the_others(some_files, monkeypatch):
    cut_small(monkeypatch)
    bundles = Staging.bundles

    def first_is_lost(staging, rows):
        (part,), *others = bundles(staging, rows)
        return [[replace(part, path=part.path.with_name("lost"))], *others]

    monkeypatch.setattr(Staging, "bundles", first_is_lost)
    with pytest.raises(OSError, match="lost"):
        some_files.run(workers=2)
    assert list(some_files.registry.glob("*.parquet")) == []


def registry_files(registry):
    return pl.DataFrame(DeltaTable(registry.folder).get_add_actions()).select("path", "num_records").iter_rows()
