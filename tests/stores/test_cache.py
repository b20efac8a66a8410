import os
import random
import shutil
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from pipeline import run
from pipeline.errors import RegistryError
from pipeline.lab.synthesize.devices import Factory
from pipeline.registry import Registry, compacting, index, lookup, serials
from pipeline.registry.compacting import compact
from pipeline.registry.sidecars import FOLDER
from pipeline.registry.vacuuming import vacuum
from pipeline.registry.verifying import verify
from pipeline.settings import SETTINGS
from pipeline.storage import cache as caching
from pipeline.storage.near import Near
from pipeline.storage.objects import Prefix
from schemas.device import KEY_TYPES
from schemas.registry import IMPORT_COLUMNS
from tests.cli.running import command
from tests.conftest import TENANT
from tests.registry.test_table import add_devices, every_holder
from tests.stores.partner_store import above_the_store, through_proxy

pytestmark = above_the_store

DEVICES = 200
EVERY = pl.Series(range(1_000), dtype=pl.UInt32)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def registry(store, monkeypatch):
    """The URI of a registry of some files, whose large one has sidecars."""
    monkeypatch.setattr(compacting, "LOOKUP_RECORDS", DEVICES)
    opened = Registry.open(f"{store.base}/registry", create=True)
    opened = add_devices(opened, Factory(random.Random(8)), DEVICES)
    assert compact(opened).lookups_made == 1
    return f"{store.base}/registry"


def kept(cache):
    return [path for path in (cache / "kept").iterdir() if path.stat().st_size]


def damage(path, at=2):
    """Flip a bit of a file where it lies, whoever else has it linked."""
    told = path.stat()
    with path.open("r+b") as file:
        file.seek(int(told.st_size / at))
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))


def whole(opened):
    """Everything that is asked of a registry."""
    frames = [opened.scan().collect().sort("device_id"), opened.records(EVERY.head(DEVICES)).sort("record")]
    frames += [every_holder(opened, name).sort("record", "key") for name in KEY_TYPES]
    return [*frames, opened.serial_forms(frames[0]["manufacturer"].unique())]


def is_same(found, other):
    return all(ours.equals(theirs) for ours, theirs in zip(found, other, strict=True))


def devices_in(registry):
    """Ids of all registered devices."""
    opened = Registry.open(registry, create=False)
    found = opened.scan().collect()["device_id"]
    assert found.is_unique().all()
    return found


def fetched(proxy):
    """Names and bytes of the objects of a registry that came through a proxy."""
    return {path.removeprefix("/"): size for path, size in proxy.got("/registry").items()}


def test_only_what_is_new_comes_through_the_network(store, server, registry, cache, monkeypatch):
    store.deliver_devices(1)
    run(store.config("first", cache=cache))
    store.deliver_devices(1, name="b")
    run(store.config("elsewhere"))
    before = Registry.open(registry, create=False)
    new = {path.name for path in (*before.data_files(), *before.request_files())}
    old = {path.name for path in cache.glob("kept/*")}
    assert old
    store.deliver_devices(1, name="c")
    with through_proxy(store, server, monkeypatch) as proxy:
        second = run(store.config("second", cache=cache))
    assert second.manifest["rows"]["registered"] == 1
    got = fetched(proxy)
    elsewhere = {name for name in new if name in got}
    assert got.keys() - elsewhere == {f"_delta_log/{before.version:020}.json"}
    assert 0 < len(elsewhere) < len(new)
    there = Prefix(registry).names()
    assert got == {name: there[name].size for name in got}
    assert len(devices_in(registry)) == 3 + DEVICES


def test_what_a_run_wrote_itself_does_not_come_back(store, server, registry, cache, monkeypatch):
    store.deliver_devices(2)
    run(store.config("first", cache=cache))
    with through_proxy(store, server, monkeypatch) as proxy:
        Registry.open(registry, create=False, cache=cache)
    assert fetched(proxy) == {}


def test_damaged_files_of_the_cache_come_anew_and_nobody_hears_of_it(registry, cache):
    right = whole(Registry.open(registry, create=False))
    for change in (
        damage,
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, 0),
    ):
        assert is_same(whole(Registry.open(registry, create=False, cache=cache)), right)
        files = kept(cache)
        assert len(files) > 5
        for file in files:
            change(file)
        assert is_same(whole(Registry.open(registry, create=False, cache=cache)), right)


@pytest.mark.parametrize("at", [1.5, 2, 3, 7])
def test_what_is_damaged_while_it_is_used_comes_anew(registry, cache, at):
    right = whole(Registry.open(registry, create=False))
    opened = Registry.open(registry, create=False, cache=cache)
    files = [*opened.data_files(), *(opened.folder / FOLDER).iterdir()]
    assert len(files) == 4
    for file in files:
        damage(file, at)
    assert is_same(whole(opened), right)
    assert is_same(whole(Registry.open(registry, create=False, cache=cache)), right)


@pytest.mark.parametrize("kind", ["part-", "requests-"])
def test_a_night_goes_on_where_the_end_of_a_kept_file_is_damaged(store, cache, kind):
    store.deliver_devices(2)
    run(store.config("one", cache=cache))
    opened = Registry.open(f"{store.base}/registry", create=False, cache=cache)
    names = {path.stat().st_ino: path.name for path in opened.folder.glob("*.parquet")}
    for path in kept(cache):
        if names.get(path.stat().st_ino, "").startswith(kind):
            size = path.stat().st_size
            damage(path, size / (size - 20))
    assert names
    store.deliver_devices(1, name="b")
    assert run(store.config("two", cache=cache)).manifest["rows"]["registered"] == 1


@pytest.mark.parametrize("at", [1.0005, 1.003, 400, 10_000])
def test_so_does_a_sidecar_whose_ends_are_damaged(registry, cache, at):
    right = whole(Registry.open(registry, create=False))
    for _ in range(2):
        opened = Registry.open(registry, create=False, cache=cache)
        for file in (opened.folder / FOLDER).iterdir():
            damage(file, at)
        assert is_same(whole(opened), right)


def test_what_is_damaged_in_the_store_is_told(registry, cache):
    (name,) = (name for name in Prefix(registry).names() if name.startswith("part-"))
    opened = Registry.open(registry, create=False, cache=cache)
    content = bytearray((opened.folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    prefix = Prefix(registry)
    damaged = cache / name
    damaged.write_bytes(content)
    prefix.upload({name: damaged})
    with pytest.raises(RegistryError, match=f"{registry}/{name}: is damaged"):
        Registry.open(registry, create=False, cache=cache)
    assert verify(opened) == []
    with pytest.raises(RegistryError, match="is damaged"):
        Registry.open(registry, create=False)


def test_what_changed_since_it_was_listed_is_kept_as_what_came(store, cache, tmp_path):
    prefix = Prefix(f"{store.base}/changing")

    def put(content):
        (tmp_path / "made").write_bytes(content)
        prefix.upload({"a": tmp_path / "made"})
        return prefix.names()

    def brought(listed):
        with closing(Near(prefix, cache)) as near:
            near.bring(listed)
            return (near.folder / "a").read_bytes()

    listed = put(b"one")
    put(b"two")
    assert brought(listed) == b"two"
    assert brought(put(b"one")) == b"one"


def test_another_registry_at_the_same_place_is_another(registry, cache):
    first = Registry.open(registry, create=False, cache=cache)
    Prefix(registry).delete(list(Prefix(registry).names()))
    made = add_devices(Registry.open(registry, create=True), Factory(random.Random(9)), DEVICES)
    compact(made)
    right = Registry.open(registry, create=False)
    found = Registry.open(registry, create=False, cache=cache)
    assert first.identity != found.identity == right.identity
    assert is_same(whole(found), whole(right))
    assert is_same(whole(first.reopened()), whole(right))


def test_sidecars_are_looked_at_from_the_cache(registry, cache):
    opened = Registry.open(registry, create=False, cache=cache)
    (file,) = opened.data_files()
    assert all(one.SIDECAR.open(file) is not None for one in (index, lookup, serials))
    assert compact(opened).lookups_made == 0
    bare = Registry.open(registry, create=False)
    assert not (bare.folder / FOLDER).exists()
    assert verify(bare) == []
    assert (bare.folder / FOLDER).exists()


def test_sidecars_in_a_store_go_with_their_files(registry):
    opened = add_devices(Registry.open(registry, create=False), Factory(random.Random(10)), 3)
    beside = {name for name in Prefix(registry).names() if name.startswith(FOLDER)}
    compact(opened)
    opened = opened.reopened()
    assert beside <= Prefix(registry).names().keys()
    assert beside <= set(vacuum(opened, 0, dry_run=False).files)
    left = {name for name in Prefix(registry).names() if name.startswith(FOLDER)}
    assert len(left) == 3
    assert not left & beside
    assert verify(opened.reopened()) == []


def test_a_cache_without_room_keeps_nothing_and_all_goes_on(store, registry, cache, monkeypatch):
    monkeypatch.setattr(caching, "_SHARE", 0.0)
    store.deliver_devices(2)
    run(store.config("night", cache=cache))
    assert kept(cache) == []
    assert len(devices_in(registry)) == 2 + DEVICES
    assert verify(Registry.open(registry, create=False, cache=cache)) == []


def test_runs_that_share_a_cache_and_one_that_is_killed(store, registry, cache):
    store.deliver_devices(3)
    racers = [store.start(f"racer-{number}", "--cache", str(cache)) for number in range(2)]
    victim = store.start("victim", "--cache", str(cache))
    while not any(cache.glob("*near*/files/_delta_log/*.json")):
        assert victim.poll() is None, victim.communicate()[1]
    victim.kill()
    victim.communicate()
    for racer in racers:
        store.finish(racer)
    run(store.config("next", cache=cache))
    assert len(devices_in(registry)) == 3 + DEVICES
    assert {path.name for path in cache.iterdir()} == {"kept"}


def test_every_command_takes_what_is_kept(store, server, registry, cache, tmp_path, monkeypatch):
    store.deliver_devices(1)
    run(store.config("night", cache=cache))
    name = devices_in(registry)[0]
    (store.world.home / "none.csv").write_text(",".join(IMPORT_COLUMNS) + "\n")
    at, runs = ["--registry", registry, "--cache", str(cache)], ["--output", f"{store.base}/runs"]
    commands = [
        ["registry", "stats"],
        ["registry", "list"],
        ["registry", "find", name],
        ["registry", "history", name],
        ["registry", "steps"],
        ["registry", "export", str(tmp_path / "files"), "--layout", "intune"],
        ["registry", "vacuum", "--dry-run"],
        ["registry", "remove", name, "--reason", "sold", "--dry-run"],
        ["registry", "compact"],
        ["registry", "import", str(store.world.home / "none.csv")],
        ["review", "list", *runs],
        ["check", str(store.world.inbox / "contoso" / TENANT / "a.csv")],
        ["doctor", f"{store.base}/inbox", "--reference", f"{store.base}/reference", *runs],
    ]
    known = {command for setting in SETTINGS if setting.name == "cache" for command in setting.commands}
    assert known - {" ".join(given[:2]) for given in commands} - {given[0] for given in commands} == {
        "run",
        "registry steps done",
        "review show",
        "review decide",
    }
    for given in commands:
        with through_proxy(store, server, monkeypatch) as proxy:
            done = command(*given, *at, cwd=tmp_path)
        assert done.returncode in {0, 1}, done.stderr
        assert not any(path.startswith(("part-", "requests-", FOLDER)) for path in fetched(proxy)), given


def test_no_credential_lies_in_a_cache(store, registry, cache):
    opened = Registry.open(registry, create=False, cache=cache)
    secrets = ("a-secret-access-key", "an-access-key", "Eby8")
    for path in (path for path in Path(cache).rglob("*") if path.is_file()):
        assert not any(secret.encode() in path.read_bytes() for secret in secrets)
    assert opened.folder.is_relative_to(cache)
    shutil.rmtree(cache)
