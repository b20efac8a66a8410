import errno
import os
from pathlib import Path

import pytest

from pipeline.config import FILE_LIMIT
from pipeline.ingest import Forms, begin_reading, file_read, find_manifests, ingest

KEY, OTHER_KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE", "AAAAA-BBBBB-CCCCC-DDDDD-FFFFF"


@pytest.fixture
def inbox(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return find_manifests((tmp_path,))

    return make


def test_the_folders_say_whose_a_manifest_is(inbox):
    found = inbox("contoso/tenant/deep/a.csv", "contoso/b.CSV.GZ", "c.csv.zst", "contoso/tenant/notes.txt", ".d.csv")
    assert [(one.source_file, one.partner_id, one.tenant_folder, one.refused) for one in found.manifests] == [
        ("c.csv.zst", None, None, None),
        ("contoso/b.CSV.GZ", "contoso", None, None),
        ("contoso/tenant/deep/a.csv", "contoso", "tenant", None),
        ("contoso/tenant/notes.txt", "contoso", "tenant", "FILE_TYPE_UNKNOWN"),
    ]
    assert found.ignored == 1


def test_what_is_nobody_s_delivery_is_left_alone_and_counted(inbox):
    names = [".x.csv", "a.csv.part", "b.TMP", "c.csv.filepart", "~$book.xlsx", "Thumbs.db", "DESKTOP.INI", ".git/a.csv"]
    found = inbox(*(f"contoso/{name}" for name in names), "contoso/part.csv", "contoso/thumbs.db.csv")
    assert found.ignored == len(names)
    assert [one.source_file for one in found.manifests] == ["contoso/part.csv", "contoso/thumbs.db.csv"]


@pytest.mark.parametrize("name", ["a.zip", "a.txt", "a.xml", "a", "a.csv.bak", "csv", "a.csv "])
def test_any_other_file_is_told(inbox, name):
    assert [one.refused for one in inbox(f"contoso/{name}").manifests] == ["FILE_TYPE_UNKNOWN"]


def refused(found):
    return {one.source_file: one.refused for one in found.manifests}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.csv", "A.csv"),
        ("deep/a.csv", "DEEP/A.CSV"),
        ("é.csv", "e\u0301.csv"),
        ("ß.csv", "SS.csv"),
        ("É.zip", "e\u0301.zip"),
    ],
)
def test_names_alike_but_for_case_or_normalisation_are_not_read(inbox, one, other):
    found = inbox(f"contoso/{one}", f"contoso/{other}", "fabrikam/a.csv", f"Contoso/{one}")
    fine = "FILE_TYPE_UNKNOWN" if one.endswith("zip") else None
    assert refused(found) == {
        f"contoso/{one}": "FILE_UNREADABLE",
        f"contoso/{other}": "FILE_UNREADABLE",
        "fabrikam/a.csv": None,
        f"Contoso/{one}": fine,
    }
    assert "alike" in found.notices[0]


def test_names_that_are_no_utf_8_are_not_read_and_stay_apart(tmp_path):
    (tmp_path / "contoso").mkdir()
    for name in (b"\xff.csv", b"\\xff.csv", b"\xfe\xff.csv", b"a.csv"):
        Path(os.fsdecode(bytes(tmp_path / "contoso") + b"/" + name)).write_bytes(b"x")
    found = find_manifests((tmp_path,))
    assert sorted(one.refused or "" for one in found.manifests) == ["", "", "FILE_UNREADABLE", "FILE_UNREADABLE"]
    assert len({one.source_file for one in found.manifests}) == 4
    for one in found.manifests:
        one.source_file.encode()


def test_a_path_too_long_is_not_read(tmp_path):
    folder = tmp_path
    for part in ["contoso", *["d" * 200] * 6]:
        folder = folder / part
        folder.mkdir()
    (folder.parent / "a.csv").write_bytes(b"x")
    (tmp_path / "contoso" / "b.csv").write_bytes(b"x")
    found = find_manifests((tmp_path,))
    long = "/".join(["contoso", *["d" * 200] * 5])
    assert refused(found) == {"contoso/b.csv": None, f"{long}/a.csv": None, f"{long}/{'d' * 200}": "FILE_UNREADABLE"}
    assert {one.partner_id for one in found.manifests} == {"contoso"}


def test_a_folder_that_cannot_be_read_is_its_partner_s(tmp_path, monkeypatch):
    for name in ("contoso/tenant/a.csv", "contoso/b.csv", "fabrikam/c.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    scan = os.scandir

    def scandir(path):
        if str(path).endswith(("tenant", "fabrikam")):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find_manifests((tmp_path,))
    told = [(one.source_file, one.partner_id, one.tenant_folder, one.refused) for one in found.manifests]
    assert told == [
        ("contoso/b.csv", "contoso", None, None),
        ("contoso/tenant", "contoso", "tenant", "FILE_UNREADABLE"),
        ("fabrikam", "fabrikam", None, "FILE_UNREADABLE"),
    ]


def test_links_and_special_files_are_told(tmp_path):
    (tmp_path / "contoso").mkdir()
    (tmp_path / "outside.csv").write_bytes(b"x")
    (tmp_path / "contoso" / "link.csv").symlink_to(tmp_path / "outside.csv")
    (tmp_path / "contoso" / "folder").symlink_to(tmp_path)
    (tmp_path / "contoso" / "dangling.txt").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "contoso" / "pipe.csv")
    found = find_manifests((tmp_path,))
    assert set(refused(found).values()) == {"FILE_UNREADABLE", None}
    assert sum(one.refused is None for one in found.manifests) == 1


@pytest.mark.parametrize("at", ["file", "folder"])
@pytest.mark.parametrize("when", ["listed", "surveyed"])
def test_what_takes_a_manifest_s_place_is_not_followed(tmp_path, at, when):
    inbox, secret = tmp_path / "inbox", tmp_path / "fabrikam"
    for folder in (inbox / "contoso" / "t", secret):
        folder.mkdir(parents=True)
        (folder / "a.csv").write_bytes(b"PKID\n3305123456789\n")
    (manifest,) = find_manifests((inbox,)).manifests
    reading = begin_reading(manifest, FILE_LIMIT) if when == "surveyed" else None
    replaced = manifest.path if at == "file" else manifest.path.parent
    replaced.rename(tmp_path / "away")
    replaced.symlink_to(secret / "a.csv" if at == "file" else secret)
    reading = reading or begin_reading(manifest, FILE_LIMIT)
    assert list(ingest([reading], Forms())) == []
    assert file_read([reading]).findings() == ["FILE_UNREADABLE"]


def test_a_pipe_in_a_manifest_s_place_is_not_waited_for(tmp_path):
    (tmp_path / "contoso").mkdir()
    path = tmp_path / "contoso" / "a.csv"
    path.write_bytes(b"PKID\n3305123456789\n")
    (manifest,) = find_manifests((tmp_path,)).manifests
    path.unlink()
    os.mkfifo(path)
    assert file_read([begin_reading(manifest, FILE_LIMIT)]).findings() == ["FILE_UNREADABLE"]


def test_what_stood_there_for_a_moment_is_not_read(tmp_path):
    (tmp_path / "contoso").mkdir()
    path, other = tmp_path / "contoso" / "a.csv", tmp_path / ".other"
    path.write_bytes(b"PKID\n3305123456789\n")
    other.write_bytes(b"PKID\n3305123456780\n")
    (manifest,) = find_manifests((tmp_path,)).manifests
    reading = begin_reading(manifest, FILE_LIMIT)
    path.rename(tmp_path / "mine")
    other.rename(path)
    rows = ingest([reading], Forms())
    assert next(rows, None) is None
    assert file_read([reading]).findings() == ["FILE_UNREADABLE"]


def test_a_path_in_two_inboxes_is_read_in_neither(tmp_path):
    for name in ("one/contoso/a.csv", "two/contoso/a.csv", "two/contoso/b.csv", "one/contoso/B2.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = find_manifests((tmp_path / "one", tmp_path / "two"))
    assert refused(found) == {"contoso/a.csv": "FILE_UNREADABLE", "contoso/b.csv": None, "contoso/B2.csv": None}
    assert "in two inboxes" in found.notices[0]


def test_notices_mask_product_keys(tmp_path):
    (tmp_path / "contoso").mkdir()
    (tmp_path / "contoso" / f"{KEY}.csv").symlink_to("nowhere")
    notices = str(find_manifests((tmp_path,)).notices)
    assert "*****" in notices
    assert KEY not in notices


def test_a_product_key_in_a_name_is_masked_and_names_stay_apart(inbox):
    found = inbox(f"{KEY}/{OTHER_KEY}/{KEY}.csv", f"{KEY}/{OTHER_KEY}/{OTHER_KEY}.csv", f"contoso/x {KEY} y.csv")
    names = [one.source_file for one in found.manifests]
    shown = " ".join([*names, *(str((one.partner_id, one.tenant_folder)) for one in found.manifests)])
    assert KEY not in shown
    assert OTHER_KEY not in shown
    assert len(set(names)) == 3
    assert all(one.path.exists() for one in found.manifests)
    assert sum(name.startswith("contoso/x *****-*****-*****-*****-*****~") for name in names) == 1
