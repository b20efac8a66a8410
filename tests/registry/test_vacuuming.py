import os
import time

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry, index, lookup, serials
from pipeline.registry.compacting import compact
from pipeline.registry.sidecars import FOLDER, UNFINISHED
from pipeline.registry.vacuuming import vacuum
from pipeline.registry.verifying import verify
from tests.conftest import TENANT


def three_nights(world):
    for night in range(3):
        world.deliver(f"contoso/{TENANT}/{night}.csv", {INTUNE[2]: capture(world.factory.device())})
        world.run()


@pytest.fixture
def world(played, tmp_path):
    return played(three_nights, tmp_path)


def opened(world):
    return Registry.open(world.registry, create=False)


def age(path, hours):
    then = time.time() - 3_600 * hours
    os.utime(path, (then, then))


def test_what_a_dead_run_left_is_removed_once_it_is_old(world):
    registry = opened(world)
    orphan = world.registry / "part-of-a-dead-run.parquet"
    orphan.write_bytes(b"half a file")
    assert vacuum(registry, 24, dry_run=False).files == ()
    age(orphan, 25)
    assert vacuum(registry, 24, dry_run=True).files == (orphan.name,)
    assert orphan.exists()
    assert vacuum(registry, 24, dry_run=False).size == 11
    assert not orphan.exists()
    assert verify(registry.reopened()) == []


def test_what_compaction_replaced_stays_while_a_run_may_read_it(world):
    before = opened(world)
    for file in before.data_files():
        lookup.SIDECAR.write(file)
        age(file, 48)
    compact(before)
    after = before.reopened()
    assert vacuum(after, 24, dry_run=False).files == ()
    assert before.scan().collect().height == after.scan().collect().height == 3


def test_replaced_files_go_with_their_look_ups(world):
    before = opened(world)
    for file in before.data_files():
        lookup.SIDECAR.write(file)
        index.SIDECAR.write(file)
        serials.SIDECAR.write(file)
    compact(before)
    files = before.data_files()
    requests = before.request_files()
    replaced = {
        *files,
        *requests,
        *(kind.SIDECAR.place(file) for file in files for kind in (index, lookup, serials)),
    }
    names = {path.relative_to(before.folder).as_posix() for path in replaced}
    assert set(vacuum(before.reopened(), 0, dry_run=False).files) == names
    assert world.run().manifest["files"]["already_processed"] == 3
    assert verify(before.reopened()) == []


def test_copies_that_were_never_finished_are_removed_once_they_are_old(world):
    registry = opened(world)
    file, *_ = registry.data_files()
    lookup.SIDECAR.write(file)
    left = lookup.SIDECAR.place(file).with_name(f"{UNFINISHED}0123")
    left.write_bytes(b"half a copy")
    assert vacuum(registry, 24, dry_run=False).files == ()
    age(left, 25)
    assert vacuum(registry, 24, dry_run=False).files == (f"{FOLDER}/{left.name}",)
    assert [path.name for path in left.parent.iterdir()] == [lookup.SIDECAR.place(file).name]
