import json
import os

import pytest
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.transaction import AddAction

from pipeline.errors import Fault, RegistryConflict, RegistryError
from pipeline.registry import Registry, log
from pipeline.registry.removing import remove_devices
from pipeline.registry.writer import ARROW_SCHEMA
from pipeline.runs import workspace
from pipeline.storage import durable
from tests.conftest import AS_OF
from tests.faults.killing import deliver_devices, devices_in, two_nights


@pytest.fixture
def published(played, tmp_path):
    return played(two_nights, tmp_path)


def opened(world):
    return Registry.open(world.registry, create=False)


def die(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("share", [0, 0.5, 0.95])
def test_a_newest_commit_that_a_power_cut_emptied_is_set_aside(published, monkeypatch, share):
    deliver_devices(published, 1, name="c")
    with monkeypatch.context() as patched:
        patched.setattr(workspace.Workspace, "publish", die)
        with pytest.raises(Fault, match="is committed"):
            published.run(run_id="cut")
    newest = log.place_of(published.registry, 3)
    os.truncate(newest, int(newest.stat().st_size * share))
    with pytest.raises(RegistryError, match="cut off"):
        opened(published)
    night = published.run(run_id="cut")
    assert not night.result.repeated
    assert night.registered.height == 1
    assert len(devices_in(published.registry)) == 3


def test_it_is_told(published):
    log.place_of(published.registry, 3).touch()
    (notice,) = log.set_torn_aside(published.registry, 2)
    assert "is set aside" in notice
    assert opened(published).version == 2


@pytest.mark.parametrize("noted", [True, False])
def test_an_emptied_commit_whose_run_was_published_is_a_damage(published, noted):
    if not noted:
        (published.registry / "_settled").unlink()
    os.truncate(log.place_of(published.registry, 2), 0)
    with pytest.raises(RegistryError, match="cut off"):
        published.run()
    assert log.place_of(published.registry, 2).exists()


def test_an_emptied_commit_of_a_finished_command_is_a_damage(published):
    (device, *_) = opened(published).scan().collect()["device_id"]
    remove_devices(opened(published), [device], "sold", AS_OF)
    os.truncate(log.place_of(published.registry, 3), 0)
    with pytest.raises(RegistryError, match="cut off"):
        published.run()


def test_an_older_commit_is_never_set_aside(published, monkeypatch):
    monkeypatch.setattr(log, "settled", lambda _: -1)
    os.truncate(log.place_of(published.registry, 1), 0)
    assert log.set_torn_aside(published.registry, -1) == []
    with pytest.raises(RegistryError, match="cut off"):
        published.run()


def test_a_registry_whose_creation_was_cut_off_is_made_again(world):
    (world.registry / "_delta_log").mkdir(parents=True)
    log.place_of(world.registry, 0).touch()
    deliver_devices(world, 1)
    assert world.run().registered.height == 1


def test_a_flipped_bit_of_a_commit_is_a_damage(published):
    commit = log.place_of(published.registry, 2)
    whole = commit.read_bytes()
    for at in range(0, len(whole), 7):
        content = bytearray(whole)
        content[at] ^= 2
        commit.write_bytes(bytes(content))
        try:
            devices = devices_in(published.registry)
        except RegistryError:
            continue
        assert len(devices) == 2, at


def commit_by_another_program(registry):
    """A data file of another program: one row without a single key."""
    table = DeltaTable(registry)
    name = "foreign.parquet"
    row = Registry.open(registry, create=False).scan().head(1).select("device_id", "event").collect()
    row.with_columns(device_id=row["device_id"] + "x").write_parquet(registry / name)
    size = (registry / name).stat().st_size
    action = AddAction(name, size, {}, 0, data_change=True, stats=json.dumps({"numRecords": 1}))
    table.create_write_transaction([action], "append", table.schema(), commit_properties=CommitProperties())


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_commit_of_another_program_is_refused(published, checkpoint):
    commit_by_another_program(published.registry)
    if checkpoint:
        DeltaTable(published.registry).create_checkpoint()
    with pytest.raises(RegistryError, match="registry"):
        published.run()
    assert not (published.home / "runs" / "run-3").exists()


def test_a_foreign_commit_behind_a_checkpoint_of_ours_is_refused(published):
    commit_by_another_program(published.registry)
    table = DeltaTable(published.registry)
    ours = CommitProperties(app_transactions=[Transaction(log.WRITER, 3)])
    table.create_write_transaction([], "append", table.schema(), commit_properties=ours)
    DeltaTable(published.registry).create_checkpoint()
    with pytest.raises(RegistryError, match="another program has changed it"):
        published.run()


def test_a_commit_is_on_the_disk_before_it_has_its_name(published, monkeypatch):
    registry = opened(published)
    steps = []
    real_sync, real_link = durable._sync, os.link
    monkeypatch.setattr(durable, "_sync", lambda path: (steps.append(("sync", path.name)), real_sync(path)))
    monkeypatch.setattr(os, "link", lambda *a, **k: (steps.append(("link", a[1].name)), real_link(*a, **k)))
    row = registry.scan().head(1).drop("version").collect()
    with registry.writer() as writer:
        writer.write(row.with_columns(device_id=row["device_id"] + "x"))
        registry.commit(writer)
    linked = steps.index(("link", log.place_of(published.registry, 3).name))
    (data,) = writer.files()
    before = [name for kind, name in steps[:linked] if kind == "sync"]
    assert data.name in before
    assert published.registry.name in before
    assert any(name.startswith(".") and name.endswith(".tmp") for name in before)
    assert ("sync", "_delta_log") in steps[linked:]


def test_a_publication_is_on_the_disk_before_the_commit(published, monkeypatch):
    deliver_devices(published, 1, name="c")
    synced, at_commit = [], []
    real_sync, real_commit = durable._sync, log.commit
    monkeypatch.setattr(durable, "_sync", lambda path: (synced.append(path), real_sync(path)))

    def commit(*arguments):
        (attempt,) = (published.home / "runs" / ".staging").iterdir()
        at_commit.extend([*attempt.rglob("*"), attempt, attempt.parent, *attempt.parents[1:3]])
        real_commit(*arguments)

    monkeypatch.setattr(log, "commit", commit)
    published.run()
    needed = {path for path in at_commit if "rows" not in path.parts and path.name != "lock"}
    names = {path.name for path in needed}
    assert {"registry", "run.json.pending", "part-00000.parquet", ".staging", "runs"} <= names
    assert needed <= set(synced)


def test_a_commit_whose_answer_was_lost_is_no_conflict(published, monkeypatch):
    deliver_devices(published, 1, name="c")
    real = os.link

    def lose(*arguments, **options):
        real(*arguments, **options)
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr(os, "link", lose)
    night = published.run(run_id="lost")
    assert night.registered.height == 1
    assert night.manifest["registry_version"] == {"before": 2, "after": 3}
    assert opened(published).version == 3


def test_the_answer_to_another_run_s_commit_is_a_conflict(published, monkeypatch):
    registry = opened(published)
    real = os.link
    monkeypatch.setattr(log, "transaction", lambda name, version: {"txn": {"appId": name, "version": version}})

    def lose(*arguments, **options):
        real(*arguments, **options)
        raise FileExistsError(17, "File exists")

    with registry.writer() as writer:
        registry.commit(writer, "mine", 7)
    monkeypatch.setattr(os, "link", lose)
    with registry.writer() as writer, pytest.raises(RegistryConflict):
        registry.commit(writer, "mine", 8)


def test_foreign_readers_see_what_is_there(published):
    table = DeltaTable(published.registry)
    found = table.to_pyarrow_table(columns=["event", "device_id"]).to_pylist()
    assert len({row["device_id"] for row in found if row["event"] == "registered"}) == 2
    assert [entry["operation"] for entry in table.history()][:1] == ["WRITE"]
    assert [field.name for field in table.schema().fields] == ARROW_SCHEMA.names
