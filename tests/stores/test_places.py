import gzip
import io
import os
import pickle
import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import run
from pipeline.errors import Fault, RegistryConflict
from pipeline.ingest import begin_reading, file_read, inbox_at, ingest
from pipeline.ingest.layout import Forms
from pipeline.registry import Registry, RegistryWriter
from pipeline.registry.verifying import verify
from pipeline.settings import FILE_LIMIT
from pipeline.storage import places
from pipeline.storage.objects import Prefix
from pipeline.storage.places import StoredFile, in_turn, store_at
from tests.conftest import TENANT
from tests.registry.test_table import records_of
from tests.stores import servers
from tests.stores.partner_store import above_the_store, through_proxy
from tests.workbooks import row, text, write_workbook

SECRETS = (b"a-secret-access-key", b"an-access-key", b"Eby8")
PRODUCT_ID = b"PKID\n3305123456789\n"


@pytest.fixture
def put(store, tmp_path):
    """Makes an object of the inbox, and gives what a listing tells of it."""

    def make(content, name="contoso/t/a.csv"):
        path = tmp_path / "made"
        path.write_bytes(content)
        prefix = Prefix(f"{store.base}/inbox")
        prefix.upload({name: path})
        entry = prefix.names()[name]
        return StoredFile(prefix.uri, name, entry.size, entry.mark)

    return make


def test_a_file_is_read_in_ranges_as_if_it_lay_here(put, monkeypatch):
    monkeypatch.setattr(places, "_BUFFER", 100)
    content, source = os.urandom(5_000), random.Random(2)
    with put(content).open() as file, io.BytesIO(content) as here:
        for _ in range(40):
            begin, size = source.randrange(5_200), source.choice([1, 99, 100, 101, 3_000, -1])
            assert file.seek(begin) == here.seek(begin)
            assert file.read(size) == here.read(size)
        assert file.seek(-7, io.SEEK_END) == here.seek(-7, io.SEEK_END)
        assert file.read() == here.read()


def test_another_object_of_the_same_name_is_not_read(put):
    file = put(b"x" * 100)
    with file.open() as opened:
        put(b"y" * 100)
        with pytest.raises(OSError, match=file.name):
            opened.read(10)
    Prefix(file.folder).delete([file.name])
    with file.open() as opened, pytest.raises(OSError, match=file.name):
        opened.read(10)


@pytest.mark.parametrize("when", ["listed", "surveyed"])
@pytest.mark.parametrize("become", ["another", "gone"])
def test_a_manifest_that_changes_before_it_is_read_is_unreadable(store, put, when, become):
    file = put(PRODUCT_ID)
    (manifest,) = inbox_at(f"{store.base}/inbox").manifests
    reading = begin_reading(manifest, FILE_LIMIT) if when == "surveyed" else None
    if become == "another":
        put(PRODUCT_ID.replace(b"9\n", b"0\n"))
    else:
        Prefix(file.folder).delete([file.name])
    reading = reading or begin_reading(manifest, FILE_LIMIT)
    assert list(ingest([reading], Forms())) == []
    assert file_read([reading]).findings() == ["FILE_UNREADABLE"]


@above_the_store
def test_a_store_that_fails_is_no_finding(store, put, monkeypatch):
    put(PRODUCT_ID)
    (manifest,) = inbox_at(f"{store.base}/inbox").manifests
    name = "AWS_ENDPOINT_URL" if store.base.startswith("s3") else "AZURITE_BLOB_STORAGE_URL"
    monkeypatch.setenv(name, f"http://127.0.0.1:{servers.free_port()}")
    monkeypatch.setattr("pipeline.storage.objects._MOST_RETRIES", 0)
    store_at.cache_clear()
    with pytest.raises(Fault, match=f"{store.base}/inbox/contoso/t/a.csv"):
        begin_reading(manifest, FILE_LIMIT)


def test_what_is_handed_to_a_task_holds_no_credential_and_is_read_elsewhere(store, put, tmp_path):
    put(PRODUCT_ID)
    (manifest,) = inbox_at(f"{store.base}/inbox").manifests
    handed = pickle.dumps(manifest)
    assert not any(secret in handed for secret in SECRETS)
    with pytest.raises(TypeError):  # what holds a connection is handed to nobody
        pickle.dumps(Prefix(store.base))
    (tmp_path / "handed").write_bytes(handed)
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).open().read())"
    given = [sys.executable, "-c", code, str(tmp_path / "handed")]
    done = subprocess.run(given, capture_output=True, text=True, check=False, env=os.environ | store.environment)
    assert done.stdout.strip() == repr(PRODUCT_ID), done.stderr


@above_the_store
def test_small_files_that_follow_come_meanwhile_and_each_once(store, server, put, monkeypatch):
    monkeypatch.setattr(places, "_BYTES_AHEAD", 2_500)
    monkeypatch.setattr(places, "_WHOLE", 2_999)
    files = [put(bytes([number]) * 500, f"{number:02}") for number in range(40)]
    middle, large = put(b"x" * 2_999, "middle"), put(b"x" * 3_000, "large")
    with through_proxy(store, server, monkeypatch) as proxy:
        for file in in_turn([*files, middle, large, None, files[3]], lambda file: file):
            for _ in range(2 if file else 0):
                with file.open() as opened:
                    assert len(opened.read()) == file.size
        got = proxy.got("/inbox")
    assert got == {f"/{file.name}": 500 for file in files} | {"/03": 1_000, "/middle": 2_999, "/large": 6_000}
    assert places._coming == {}


WRITE = """
import sys, time
from pipeline.storage.places import writing
with writing(sys.argv[1], "new") as file:
    for _ in range(40):
        file.write(bytes(1 << 20))
        print("written", flush=True)
    time.sleep(60)
"""


def test_a_file_is_written_in_pieces_and_is_there_whole(store, monkeypatch):
    monkeypatch.setattr(places, "_PIECE", 5 << 20)
    table = pa.table({"a": np.random.default_rng(1).integers(0, 1 << 62, 3_000_000)})
    with places.writing(store.base, "set/part.parquet") as file, pq.ParquetWriter(file, table.schema) as writer:
        for batch in table.to_batches(100_000):
            writer.write_batch(batch)
    content = Prefix(store.base).read("set/part.parquet")
    assert len(content) > 20 << 20
    assert pq.read_table(io.BytesIO(content)).equals(table)


@pytest.mark.parametrize("size", [10, 20 << 20])
def test_a_file_that_is_not_written_to_its_end_is_not_there(store, size):
    def write():
        with places.writing(store.base, "new") as file:
            file.write(bytes(size))
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert "new" not in Prefix(store.base).names()


def test_of_a_process_that_is_killed_while_it_writes_nothing_is_there(store):
    given = [sys.executable, "-c", WRITE, store.base]
    with subprocess.Popen(given, stdout=subprocess.PIPE, env=os.environ | store.environment) as writer:
        for _ in range(40):
            assert writer.stdout.readline() == b"written\n"
        writer.kill()
    assert "new" not in Prefix(store.base).names()


ELSEWHERE = """
import pickle, random, sys
from pathlib import Path
from pipeline.registry import RegistryWriter
from pipeline.storage.places import workplace
from tests.registry.test_table import records_of
with workplace(Path("/no/such/folder")) as folder, RegistryWriter(folder, 1, name=sys.argv[2]) as writer:
    writer.write(records_of(int(sys.argv[3])))
    written = writer.finish(sys.argv[1])
    print(pickle.dumps(written).hex())
assert not folder.exists()
"""


@above_the_store
def test_what_another_machine_wrote_by_a_uri_alone_is_committed_here(store, tmp_path):
    uri = f"{store.base}/registry"
    opened = Registry.open(uri, create=True, cache=tmp_path / "cache")
    with opened.writer() as writer:
        for seed in range(2):
            given = [sys.executable, "-c", ELSEWHERE, uri, writer.name_for_another(), str(seed)]
            done = subprocess.run(given, capture_output=True, text=True, check=True, env=os.environ | store.environment)
            writer.adopt(pickle.loads(bytes.fromhex(done.stdout)))  # noqa: S301 - our own process wrote it
        opened.commit(writer)
    assert sum(opened.reopened().data_files().values()) == 10
    assert verify(Registry.open(uri, create=False)) == []


@above_the_store
def test_data_files_of_a_commit_that_came_second_are_gone(store):
    uri = f"{store.base}/registry"
    first, second = (Registry.open(uri, create=True) for _ in range(2))
    for opened in (first, second):
        with opened.writer() as writer:
            with RegistryWriter(opened.folder, 1, name=writer.name_for_another()) as other:
                other.write(records_of(1))
                writer.adopt(other.finish(uri))
            writer.write(records_of(2))
            if opened is first:
                opened.commit(writer)
                there = Prefix(uri).names().keys()
            else:
                with pytest.raises(RegistryConflict):
                    opened.commit(writer)
    assert Prefix(uri).names().keys() == there
    assert sum(first.reopened().data_files().values()) == 10


@above_the_store
def test_what_is_no_longer_wanted_is_forgotten(put):
    files = [put(b"x", f"{number}") for number in range(4)]
    turn = in_turn(files, lambda file: file)
    assert next(turn) is files[0]
    assert set(places._coming) == set(files)
    turn.close()
    assert places._coming == {}


@above_the_store
@pytest.mark.parametrize("workers", [1, 2])
def test_files_of_every_form_are_read_as_on_disk(store, monkeypatch, workers):
    for name, size in {
        "ingest.survey.PART_BYTES": 20_000,
        "ingest.encoding.BLOCK_BYTES": 16_000,
        "ingest.encoding.CHUNK": 10_000,
        "intake.schedule._LARGE": 40_000,
        "storage.places._BYTES_AHEAD": 20_000,
        "storage.places._WHOLE": 30_000,
        "storage.places._BUFFER": 7_000,
    }.items():
        monkeypatch.setattr(f"pipeline.{name}", size)
    world = store.world
    store.deliver_devices(60, name="large")
    large = (world.inbox / f"contoso/{TENANT}/large.csv").read_bytes()
    small = b"\n".join(large.splitlines()[:2]) + b"\n"
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(large)
    for name, content in {
        "packed.csv.zst": packed.getvalue().to_pybytes(),
        "cut.csv.gz": gzip.compress(large)[:-500],
        "empty.csv.gz": b"",
        "empty.csv.zst": b"",
        "empty.csv": b"",
        "wide.csv": small.decode().encode("utf-16"),
    }.items():
        store.put(world.put(f"contoso/{TENANT}/{name}", content))
    book = world.put(f"contoso/{TENANT}/book.xlsx", b"")
    write_workbook(book, {sheet: row(1, text("PKID")) + row(2, text(f"330512345678{sheet}")) for sheet in "12"})
    store.put(book)
    here = world.run(run_id="night", workers=workers)
    there = run(store.config("night", workers=workers))
    assert (here.manifest["files"]["empty"], here.registered.height) == (3, 62)
    assert there.manifest["rows"] == here.manifest["rows"]
    assert store.published("night").equals(here.registered)
    assert store.published("night", "rejected").equals(here.rejected)
