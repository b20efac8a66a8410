import os
import pathlib
import shutil
import time
from itertools import product

import deltalake
import polars as pl
import pytest

from pipeline.config import RunConfig, parse_moment
from pipeline.errors import Fault, RegistryConflict, RegistryError, UsageError
from pipeline.lab.synthesize.night import INTUNE
from pipeline.publish import sets
from pipeline.registry import Registry
from pipeline.registry.writer import ARROW_SCHEMA
from pipeline.runs import workspace
from tests.conftest import AS_OF, make_world, read_published
from tests.faults.killing import deliver_devices, devices_in, finish, leftovers, start

HASH = INTUNE[2]


def test_two_processes_race_and_each_device_is_registered_once(world):
    Registry.open(world.registry, create=True)
    deliver_devices(world, 40)
    racers = [start(world, f"racer-{number}") for number in range(2)]
    told = [racer.communicate(timeout=300) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], told
    found = devices_in(world.registry)
    assert len(found) == len(set(found)) == 40
    nights = [read_published(world.home / "runs" / f"racer-{number}", None) for number in range(2)]
    assert sum(night.registered.height for night in nights) == 40
    assert leftovers(world) == []


@pytest.mark.parametrize("step", ["rename", "manifest"])
def test_a_committed_run_is_published_at_the_next_start(world, monkeypatch, step):
    deliver_devices(world, 3)
    real = workspace.Workspace.publish

    def die(place, destination):
        if step == "manifest":
            place.publication.rename(destination)
        raise OSError(28, "No space left on device", str(destination))

    monkeypatch.setattr(workspace.Workspace, "publish", die)
    with pytest.raises(Fault, match="No space left"):
        world.run(run_id="torn")
    monkeypatch.setattr(workspace.Workspace, "publish", real)
    folder = world.home / "runs" / "torn"
    assert not (folder / "run.json").exists()
    assert len(devices_in(world.registry)) == 3
    night = world.run(run_id="torn")
    assert night.result.repeated
    assert night.registered.height == 3
    assert leftovers(world) == []


def test_a_full_disk_publishes_nothing(world, monkeypatch):
    deliver_devices(world, 3)

    def die(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sets.PublishedSet, "write", die)
    with pytest.raises(OSError, match="No space left"):
        world.run(run_id="full")
    assert devices_in(world.registry) == []
    assert not (world.home / "runs" / "full").exists()
    assert leftovers(world) == []
    assert list(world.registry.glob("*.parquet")) == []


def test_a_stale_handle_cannot_commit(world):
    first = Registry.open(world.registry, create=True)
    second = first.reopened()
    with first.writer() as writer:
        first.commit(writer, "one", 7)
    with second.writer() as writer, pytest.raises(RegistryConflict, match="start again"):
        second.commit(writer, "two", 8)
    now = first.reopened()
    assert (now.committed("one"), now.committed("two"), now.version) == (7, None, 1)


def test_another_registry_s_unfinished_run_is_left_alone(world):
    deliver_devices(world, 1)
    output = world.home / "runs"
    elsewhere = Registry.open(world.home / "elsewhere", create=True)
    with workspace.workspace(output, "other", elsewhere) as place:
        place.in_doubt = True
    world.run()
    assert [path.name.split("-")[0] for path in leftovers(world)] == ["other"]


def test_a_run_that_ends_while_it_is_looked_at_is_no_fault(world, monkeypatch):
    registry = Registry.open(world.registry, create=True)
    output = world.home / "runs"
    with workspace.workspace(output, "ending", registry) as place:
        place.in_doubt = True
    (place.folder / "lock").unlink()
    assert workspace.recover(output, registry) == []


@pytest.mark.parametrize(
    ("ending", "age", "stays"), [(".begun", 60, True), (".begun", 4_000, False), (".ended", 0, False)]
)
def test_half_a_workspace_is_removed_once_nobody_can_be_at_it(world, ending, age, stays):
    folder = world.home / "runs" / ".staging" / f"gone-{7:016x}{ending}"
    folder.mkdir(parents=True)
    os.utime(folder, (time.time() - age, time.time() - age))
    assert workspace.recover(world.home / "runs", Registry.open(world.registry, create=True)) == []
    assert folder.exists() == stays


def test_a_living_run_is_left_alone(world):
    deliver_devices(world, 1)
    registry = Registry.open(world.registry, create=True)
    with workspace.workspace(world.home / "runs", "alive", registry) as place:
        place.begin_publication()
        world.run()
        assert place.publication.exists()


def test_a_damaged_registry_is_refused(world):
    deliver_devices(world, 3)
    world.run()
    files = [*world.registry.glob("*.parquet"), *sorted((world.registry / "_delta_log").glob("*.json"))]
    assert len(files) == 5
    for path, size in product(files, (0, 0.5)):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * size)])
        with pytest.raises(RegistryError, match="registry"):
            world.run(run_id="no")
        assert not (world.home / "runs" / "no").exists()
        path.write_bytes(whole)
    assert world.run().manifest["files"]["already_processed"] == 1


def test_processes_that_create_the_registry_together_share_it(world):
    deliver_devices(world, 5)
    racers = [start(world, f"first-{number}") for number in range(2)]
    for racer in racers:
        finish(racer)
    assert len(devices_in(world.registry)) == 5


def test_a_creation_that_was_cut_short_is_made_again(world):
    (world.registry / "_delta_log").mkdir(parents=True)
    deliver_devices(world, 1)
    assert world.run().registered.height == 1


def test_a_registry_without_its_log_is_not_made_anew(world):
    deliver_devices(world, 1)
    world.run()
    shutil.rmtree(world.registry / "_delta_log")
    with pytest.raises(RegistryError, match="holds something else"):
        world.run()


def test_a_missing_data_file_is_refused(world):
    deliver_devices(world, 3)
    world.run()
    next(world.registry.glob("*.parquet")).unlink()
    with pytest.raises(RegistryError, match="missing"):
        world.run()


def test_a_table_of_another_program_is_refused(world):
    deltalake.write_deltalake(world.registry, pl.DataFrame({"a": [1]}))
    with pytest.raises(RegistryError, match="expected 'autopilot-intake registry"):
        world.run()


@pytest.mark.parametrize(
    ("version", "advice"), [("2", "update this one"), ("0", "by an older"), ("x", "another folder")]
)
def test_a_registry_of_another_version_says_what_to_do(world, version, advice):
    schema = deltalake.Schema.from_arrow(ARROW_SCHEMA)
    deltalake.DeltaTable.create(world.registry, schema, description=f"autopilot-intake registry, format {version}")
    with pytest.raises(RegistryError, match=advice):
        world.run()


def test_a_library_that_gives_up_is_a_damaged_registry(world, monkeypatch):
    deliver_devices(world, 1)
    world.run()
    panic = type("PanicException", (BaseException,), {})

    def give_up(*_):
        raise panic

    monkeypatch.setattr("pipeline.registry.table.DeltaTable", give_up)
    with pytest.raises(RegistryError, match="its library gave up"):
        world.run()


def test_an_output_that_cannot_be_written_is_a_fault(world):
    (world.home / "runs").write_text("a file")
    with pytest.raises(Fault, match="output"):
        world.run()


def test_a_damaged_published_run_is_named(world):
    deliver_devices(world, 1)
    world.run(run_id="night")
    (world.home / "runs" / "night" / "run.json").write_bytes(b"{")
    with pytest.raises(Fault, match="night"):
        world.run()


def test_any_folder_will_do(world):
    moved = type(world)(world.home / "a b [x] 100% ä*?", world.factory)
    shutil.copytree(world.home / "inbox", moved.inbox)
    shutil.copytree(world.home / "reference", moved.home / "reference")
    deliver_devices(moved, 2)
    assert moved.run().registered.height == 2
    assert moved.run().manifest["files"]["already_processed"] == 1


def test_as_of_has_a_zone():
    assert parse_moment("2026-01-15T03:00:00+01:00") == AS_OF


def leave_torn(world, monkeypatch):
    """Commit a run and do not publish it."""

    def die(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(workspace.Workspace, "publish", die)
        with pytest.raises(Fault, match="is committed"):
            world.run(run_id="torn")


def moved(world, to):
    """The same folders elsewhere."""
    there = type(world)(to, world.factory)
    world.home.rename(there.home)
    return there


def test_a_committed_run_is_published_after_its_folders_were_moved(tmp_path, factory, monkeypatch):
    (tmp_path / "here").mkdir()
    world = make_world(tmp_path / "here", factory)
    deliver_devices(world, 2)
    leave_torn(world, monkeypatch)
    there = moved(world, tmp_path / "there")
    assert there.run(run_id="torn").result.repeated
    assert read_published(there.home / "runs" / "torn", None).registered.height == 2
    assert leftovers(there) == []


def test_a_copy_of_a_registry_removes_nothing_that_it_did_not_commit(world, monkeypatch):
    deliver_devices(world, 1, name="a")
    world.run(run_id="first")
    copy = world.home / "copy"
    shutil.copytree(world.registry, copy)
    deliver_devices(world, 1, name="b")
    leave_torn(world, monkeypatch)
    world.run(run_id="try", registry=copy)
    assert [path.name.split("-")[0] for path in leftovers(world)] == ["torn"]
    with pytest.raises(RegistryError, match="--accept-restored"):  # the copy is what the output knows now
        world.run(run_id="torn")
    assert world.run(run_id="torn", accept_restored=True).result.repeated


@pytest.mark.parametrize(
    ("registry", "output"), [("both", "both"), ("registry", "registry/runs"), ("runs/registry", "runs")]
)
def test_output_and_registry_do_not_lie_in_one_another(world, registry, output):
    with pytest.raises(UsageError, match="in one another"):
        world.run(registry=world.home / registry, output=world.home / output, create_registry=True)
    with pytest.raises(UsageError, match="in one another"):
        RunConfig.beside("s3://bucket/inbox", registry=f"s3://bucket/{registry}", output=f"s3://bucket/{output}")


def test_a_run_learns_before_its_commit_that_its_place_is_taken(world, monkeypatch):
    deliver_devices(world, 1)
    real = workspace.Workspace.seal

    def seal(place, *arguments, **options):
        real(place, *arguments, **options)
        (world.home / "runs" / "night").mkdir()

    monkeypatch.setattr(workspace.Workspace, "seal", seal)
    with pytest.raises(Fault, match="nothing was registered"):
        world.run(run_id="night")
    assert devices_in(world.registry) == []
    assert leftovers(world) == []


def test_a_run_learns_before_its_commit_that_it_cannot_publish(world, monkeypatch):
    deliver_devices(world, 1)
    real = pathlib.Path.rename

    def rename(path, target):
        if path.name == "tried":
            raise OSError(18, "Invalid cross-device link")
        return real(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", rename)
    with pytest.raises(Fault, match=r"cross-device.*nothing was registered"):
        world.run(run_id="night")
    assert devices_in(world.registry) == []
    assert leftovers(world) == []
