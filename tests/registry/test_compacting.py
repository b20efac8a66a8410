import random
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from pipeline.errors import RegistryConflict
from pipeline.lab.synthesize.devices import Factory
from pipeline.listener import Silence
from pipeline.registry import Registry, compacting, index, key_set, lookup
from pipeline.registry.compacting import compact
from pipeline.registry.removing import remove_devices
from schemas.device import KEY_TYPES
from tests.conftest import AS_OF
from tests.registry.test_table import add_devices, every_holder

EVERY = pl.Series(range(1_000), dtype=pl.UInt32)


@pytest.fixture(scope="module")
def of_some_files(tmp_path_factory):
    made = Registry.open(tmp_path_factory.mktemp("some") / "registry", create=True)
    factory = Factory(random.Random(3))
    for number in (7, 1, 40, 3, 12):
        made = add_devices(made, factory, number)
    gone = made.records(EVERY)["device_id"][4]
    remove_devices(made, [gone], "sold", AS_OF)
    return made.folder


@pytest.fixture
def registry(of_some_files, tmp_path, monkeypatch):
    monkeypatch.setattr(compacting, "LOOKUP_RECORDS", 5)
    shutil.copytree(of_some_files, tmp_path / "registry")
    return Registry.open(tmp_path / "registry", create=False)


def contents(registry):
    return registry.scan().collect().sort("device_id", "event")


def found(registry):
    return registry.records(EVERY).drop("record").sort("device_id")


def test_compaction_keeps_every_record(registry):
    before, live = contents(registry), found(registry)
    done = compact(registry)
    after = registry.reopened()
    assert (done.files_before, done.files_after, done.lookups_made) == (6, 1, 1)
    assert done.version == registry.version + 1 == after.version
    assert contents(after).equals(before)
    assert found(after).equals(live)


def test_who_listens_hears_of_every_file(registry):
    heard = []

    class Ear(Silence):
        def stage(self, name):
            heard.append(name)

        def read(self, files, size, rows):
            heard.append((files, size > 0, rows))

    compact(registry, Ear())
    merged = [(1, True, rows) for rows in registry.data_files().values()]
    assert heard == ["merge", *merged, "look-ups", (1, True, 64)]


def test_compacting_again_changes_nothing(registry):
    compact(registry)
    again = compact(registry.reopened())
    assert (again.files_before, again.files_after, again.lookups_made) == (1, 1, 0)
    assert again.version == registry.version + 1


def test_files_that_are_large_already_are_left_alone(registry, monkeypatch):
    monkeypatch.setattr(compacting, "FILE_RECORDS", 30)
    assert compact(registry).files_after == 2


def test_records_are_the_same_with_and_without_a_look_up(registry):
    read = registry.records(EVERY)
    for file in registry.data_files():
        lookup.SIDECAR.write(file)
    assert registry.records(EVERY).equals(read)
    some = read["record"].sample(9, seed=1)
    assert registry.records(some).equals(read.filter(pl.col("record").is_in(some.implode())))


@pytest.mark.parametrize("damage", [b"", b"ARROW1", None])
def test_a_look_up_that_does_not_fit_is_not_used(registry, damage):
    read = registry.records(EVERY)
    files = list(registry.data_files())
    for file in files:
        lookup.SIDECAR.write(file)
    places = [lookup.SIDECAR.place(file) for file in files]
    if damage is None:
        content = [place.read_bytes() for place in places]
        for place, other in zip(places, content[1:] + content[:1], strict=True):
            place.write_bytes(other)
    else:
        for place in places:
            place.write_bytes(damage)
    assert registry.records(EVERY).equals(read)


def test_a_position_is_found_in_every_batch_of_a_look_up(registry, monkeypatch):
    monkeypatch.setattr(lookup, "_BATCH_ROWS", 7)
    file = max(registry.data_files(), key=registry.data_files().get)
    lookup.SIDECAR.write(file)
    taken = lookup.take(file, np.arange(40))
    assert taken.equals(pl.read_parquet(file, columns=list(lookup.COLUMNS)).select(lookup.COLUMNS))
    assert (
        lookup.take(file, np.array([0, 6, 7, 39]))["device_id"].to_list() == taken["device_id"][[0, 6, 7, 39]].to_list()
    )


def test_who_opened_the_registry_before_cannot_commit_after(registry):
    stale = registry.reopened()
    compact(registry)
    with pytest.raises(RegistryConflict), stale.writer() as writer:
        stale.commit(writer, "night", 1)


def test_keys_are_found_across_chunks(registry, monkeypatch):
    whole = {name: every_holder(registry, name) for name in ("tpm_key", "disk_keys")}
    monkeypatch.setattr("pipeline.registry.holders._CHUNK_RECORDS", 10)
    monkeypatch.setattr("pipeline.registry.key_set._BLOCK", 3)
    for name, expected in whole.items():
        assert every_holder(registry, name).equals(expected)


@pytest.mark.parametrize("name", KEY_TYPES)
@pytest.mark.parametrize("sparse", [0, 1 << 40], ids=["searched", "looked through"])
@pytest.mark.parametrize("indexed", [slice(None), slice(1, 4)], ids=["all indexed", "some indexed"])
def test_keys_are_the_same_with_and_without_an_index(registry, monkeypatch, name, sparse, indexed):
    expected = every_holder(registry, name).sort("record", "key")
    for file in list(registry.data_files())[indexed]:
        index.SIDECAR.write(file)
    monkeypatch.setattr(key_set, "_SPARSE", sparse)
    assert every_holder(registry, name).sort("record", "key").equals(expected)
    some = expected["key"].unique().sample(9, seed=1)
    held = expected.filter(pl.col("key").is_in(some.implode()))
    strange = pl.Series([-1, 0, 1], dtype=pl.Int64)
    assert registry.holders(name, pl.concat([some, strange])).sort("record", "key").equals(held)
    assert registry.holders(name, strange).is_empty()


def test_records_that_share_a_key_are_all_found(tmp_path):
    made = Registry.open(tmp_path / "registry", create=True)
    for _ in range(2):
        made = add_devices(made, Factory(random.Random(3)), 5, times=3)
    expected = every_holder(made, "tpm_key").sort("record")
    assert expected.height == 30
    for file in made.data_files():
        index.SIDECAR.write(file)
    assert every_holder(made, "tpm_key").sort("record").equals(expected)


def test_a_copy_that_fails_leaves_nothing(registry):
    (file, *_) = registry.data_files()

    def fail(_):
        yield from ()
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - that of the disk
        replace(lookup.SIDECAR, made=fail).write(file)
    assert list(lookup.SIDECAR.place(file).parent.iterdir()) == []


def test_two_that_make_a_copy_at_once_make_one(registry):
    (file, *_) = registry.data_files()

    def interrupted(data_file):
        batches = list(lookup.SIDECAR.made(data_file))
        lookup.SIDECAR.write(data_file)
        yield from batches

    replace(lookup.SIDECAR, made=interrupted).write(file)
    assert [path.name for path in lookup.SIDECAR.place(file).parent.iterdir()] == [lookup.SIDECAR.place(file).name]
    assert lookup.SIDECAR.agrees(file)


def test_an_index_of_other_kinds_of_keys_is_not_used(registry):
    (file, *_) = registry.data_files()
    expected = every_holder(registry, "tpm_key")
    older = index.SIDECAR.schema.with_metadata({b"keys": b"uuid_key,tpm_key"})
    replace(index.SIDECAR, schema=older).write(file)
    assert index.SIDECAR.open(file) is None
    assert every_holder(registry, "tpm_key").equals(expected)


def test_a_list_without_keys_moves_no_position():
    # Nothing forbids a null list to stand before bytes that it does not own.
    offsets = pa.array([0, 2, 4, 5], pa.int64())
    lists = pa.LargeListArray.from_arrays(offsets, pa.array([1, 2, 8, 9, 3]), mask=pa.array([False, True, False]))
    record, key = index.flat_keys(pl.Series(lists))
    assert (record.tolist(), key.tolist()) == ([0, 0, 2], [1, 2, 3])
