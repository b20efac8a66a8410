"""Whoever looks through the registry's files, the answers are the same."""

import polars as pl
import pytest

from pipeline.engine import Processes
from pipeline.errors import RegistryError
from pipeline.registry import LookingByTasks, index, lookup, serials
from pipeline.storage.mapped import mapped
from schemas.device import KEY_TYPES
from schemas.registry import ENDING
from tests.conftest import TENANT
from tests.engine.others import Others
from tests.registry.test_compacting import EVERY, of_some_files, registry  # noqa: F401 - fixtures
from tests.registry.test_digests import flip, places_of
from tests.registry.test_table import every_holder


def answers(asked):
    """All that is asked of a registry, in an order of its own where none is promised."""
    told = {name: every_holder(asked, name).sort("record", "key") for name in KEY_TYPES}
    everything = asked.scan().collect()
    ids, makers = (everything[name].drop_nulls().unique().sort() for name in ("device_id", "manufacturer"))
    types = {"tenant_id": pl.String, "identity_key": pl.Int64}
    identities = pl.DataFrame({"tenant_id": [TENANT], "identity_key": [1]}, types)
    return told | {
        "records": asked.records(EVERY),
        "ended": asked.ended_records(EVERY),
        "some": asked.records(pl.Series([60, 3, 3, 8], dtype=pl.UInt32)),
        "none": asked.records(EVERY.clear()),
        "no keys": asked.holders("tpm_key", pl.Series([], dtype=pl.Int64)),
        "forms": asked.serial_forms(makers),
        "states": asked.states(ids),
        "ending": asked.states(ids.head(9), ENDING).sort("device_id"),
        "named": asked.named("serial_number", everything["serial_number"].drop_nulls().str.to_lowercase()),
        "makers": asked.manufacturers().to_frame(),
        "began": asked.began(ids).sort("device_id"),
        "live": asked.live_by_tenant(pl.Series([TENANT, "nobody"])),
        "removals": asked.removals(),
        "removed": asked.removed_ids().to_frame(),
        "departed": asked.departed(identities),
        "carried out": asked.carried_out().sort().to_frame(),
    }


@pytest.fixture
def indexed(registry):  # noqa: F811 - the fixture
    """Some of its files have sidecars."""
    for file in list(registry.data_files())[1:3]:
        for kind in (index, lookup, serials):
            kind.SIDECAR.write(file)
    return registry


@pytest.mark.parametrize("group", [1, 10, 1_000], ids=["each file", "some files", "all files"])
def test_tasks_answer_as_this_process_does(indexed, tmp_path, monkeypatch, group):
    monkeypatch.setattr("pipeline.registry.looking._GROUP", group)
    with Others() as executor:
        found = answers(indexed.reopened().looked_through_by(LookingByTasks(executor, tmp_path, always=True)))
        for name, expected in answers(indexed).items():
            assert found[name].equals(expected), name
        groups = {tuple(files) for _, _, files, *_ in executor.tasks}
        assert {file for files in groups for file in files} == set(indexed.data_files())


def test_workers_answer_as_this_process_does(indexed, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.registry.looking._GROUP", 1)
    with Processes(2) as executor:
        found = answers(indexed.reopened().looked_through_by(LookingByTasks(executor, tmp_path, always=True)))
        assert all(found[name].equals(expected) for name, expected in answers(indexed).items())


def test_a_task_that_is_done_twice_leaves_what_was_found_alone(indexed, tmp_path):
    with Others() as executor:
        indexed.looked_through_by(LookingByTasks(executor, tmp_path, always=True)).manufacturers()
    task, *arguments = executor.tasks[0]
    first = task(*arguments)
    before = first.read_bytes()
    second = task(*arguments)
    assert second != first
    assert first.read_bytes() == before
    assert mapped(second).equals(mapped(first))


@pytest.mark.parametrize(
    ("worth", "always", "asked"),
    [(64, False, False), (61, False, False), (20, False, True), (64, True, True)],
    ids=["few records", "few without an index", "many without an index", "always"],
)
def test_tasks_are_asked_where_many_records_have_no_index(indexed, tmp_path, monkeypatch, worth, always, asked):
    monkeypatch.setattr("pipeline.registry.looking._WORTH", worth)
    with Others() as executor:
        indexed.looked_through_by(LookingByTasks(executor, tmp_path, always=always)).manufacturers()
    assert bool(executor.tasks) is asked


def test_damage_that_a_task_finds_is_told(registry, tmp_path):  # noqa: F811 - the fixture
    file = max(registry.data_files(), key=registry.data_files().get)
    flip(file, places_of(file, "tpm_key")[0])
    with Processes(1) as executor, pytest.raises(RegistryError, match=f"{file.name}: is damaged"):
        every_holder(registry.looked_through_by(LookingByTasks(executor, tmp_path, always=True)), "tpm_key")
