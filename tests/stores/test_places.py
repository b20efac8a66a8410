import gzip
import io
import os
import pickle
import random
import subprocess
import sys

import pyarrow as pa
import pytest

from pipeline import run
from pipeline.errors import Fault
from pipeline.ingest import begin_reading, file_read, inbox_at, ingest
from pipeline.ingest.layout import Forms
from pipeline.settings import FILE_LIMIT
from pipeline.storage import places
from pipeline.storage.objects import Prefix
from pipeline.storage.places import StoredFile, in_turn, store_at
from tests.conftest import TENANT
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
