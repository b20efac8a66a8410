import json
import shutil

import pytest

from pipeline.errors import RegistryError, UsageError
from pipeline.registry import Registry
from pipeline.runs import restored
from tests.faults.killing import deliver_devices


def three_nights(world):
    """Three nights of a device each, and `backup-1`, the registry after the first."""
    for night in (1, 2, 3):
        deliver_devices(world, 1, name=str(night))
        world.run(run_id=f"night-{night}")
        if night == 1:
            shutil.copytree(world.registry, world.home / "backup-1")


@pytest.fixture
def nights(played, tmp_path):
    return played(three_nights, tmp_path / "here")


def restore(world, backup="backup-1"):
    shutil.rmtree(world.registry)
    shutil.copytree(world.home / backup, world.registry)


def forget(world):
    """As a program left it that wrote no note."""
    (world.home / "runs" / restored.NOTE).unlink()


@pytest.mark.parametrize("noted", [True, False])
def test_a_registry_of_an_older_backup_is_refused_until_that_is_accepted(nights, noted):
    restore(nights)
    if not noted:
        forget(nights)
    with pytest.raises(
        RegistryError, match=r"lacks 2 published runs with 2 devices \(night-2, night-3\).*--accept-restored"
    ):
        nights.run(run_id="no")
    assert not (nights.home / "runs" / "no").exists()
    night = nights.run(run_id="on", accept_restored=True)
    assert night.manifest["files"]["already_processed"] == 1
    assert night.registered.height == 2
    nights.run(run_id="after")


def test_a_backup_that_went_on_by_itself_is_refused(nights):
    restore(nights)
    registry = Registry.open(nights.registry, create=False)
    for _ in range(5):
        with registry.writer() as writer:
            registry.commit(writer)
        registry = registry.reopened()
    with pytest.raises(RegistryError, match="--accept-restored"):
        nights.run()


@pytest.mark.parametrize("noted", [True, False])
def test_a_registry_that_is_gone_is_not_made_anew_unsaid(nights, noted):
    shutil.rmtree(nights.registry)
    if not noted:
        forget(nights)
    for options in ({}, {"create_registry": True}):
        with pytest.raises(UsageError, match=r"is gone.*--accept-restored"):
            nights.run(**options)
    assert not nights.registry.exists()
    assert nights.run(accept_restored=True).registered.height == 3
    nights.run()


def test_another_registry_in_the_place_of_one_is_refused(nights):
    nights.run()  # by which the output knows where the registry lies now
    shutil.rmtree(nights.registry)
    Registry.open(nights.registry, create=True)
    with pytest.raises(RegistryError, match="lacks 4 published runs"):
        nights.run()


def test_two_registries_may_share_an_output(nights):
    for night in (1, 2):
        second = nights.run(run_id=f"second-{night}", registry=nights.home / "second", create_registry=True)
        first = nights.run(run_id=f"first-{night}")
        assert first.registered.height == 0
        assert second.registered.height == (3 if night == 1 else 0)


def test_folders_that_were_moved_are_known_again(nights, tmp_path):
    moved = type(nights)(tmp_path / "moved", nights.factory)
    moved.home.mkdir()
    for name in ("inbox", "reference", "registry", "runs"):
        (nights.home / name).rename(moved.home / name)
    assert moved.run(run_id="night-4").manifest["files"]["already_processed"] == 3
    shutil.rmtree(moved.registry)
    shutil.copytree(nights.home / "backup-1", moved.registry)
    with pytest.raises(RegistryError, match="lacks 3 published runs"):
        moved.run()


def test_pruned_runs_do_not_matter(nights):
    for night in (1, 2, 3):
        shutil.rmtree(nights.home / "runs" / f"night-{night}")
    nights.run()
    restore(nights)
    with pytest.raises(RegistryError, match="--accept-restored"):
        nights.run()


def test_a_night_reads_no_run_that_the_note_counts(nights):
    assert restored.recall(nights.home / "runs").runs == []
    forget(nights)
    assert len(restored.recall(nights.home / "runs").runs) == 3


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": {}}', json.dumps({"x": {"registry": 1, "version": "a"}})])
def test_a_note_that_cannot_be_read_is_made_anew(nights, text):
    (nights.home / "runs" / restored.NOTE).write_text(text)
    nights.run()
    assert restored.recall(nights.home / "runs").runs == []
    assert restored.recall(nights.home / "runs").version == 4
