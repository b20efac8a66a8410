import csv
import io
import json
import os
import random
import shutil
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import RunConfig, run
from pipeline.config import parse_moment
from pipeline.errors import UsageError
from pipeline.flow import RunResult
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import recaptured, with_board
from pipeline.lab.synthesize.night import AS_OF, INTUNE
from pipeline.registry import Registry, compacting
from pipeline.registry.removing import remove_devices
from pipeline.registry.statistics import count_records
from tests.cli.running import command
from tests.conftest import OTHER_TENANT, TENANT, Notices, World, read_published

HASH, TAG, USER = INTUNE[2:]


def done(home, *arguments):
    """What the real command says, which must succeed."""
    told = command(*arguments, cwd=home)
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory):
    """Folders of nights that were made up, each once, with their existing devices imported."""

    @cache
    def make(rows, seed):
        home = tmp_path_factory.mktemp("made") / "night"
        done(home.parent, "synthesize", home.name, "--rows", str(rows), "--seed", str(seed), "--existing", "100")
        done(home, "registry", "import", "existing_devices.csv")
        return home

    return make


@pytest.fixture
def made_night(synthesized, tmp_path, factory):
    def make(rows, seed):
        shutil.copytree(synthesized(rows, seed), tmp_path / "night")
        return World(tmp_path / "night", factory)

    return make


def counts(night):
    """Rows read, settled, registered and rejected."""
    return tuple(night.manifest["rows"][name] for name in ("read", "settled", "registered", "rejected"))


def wrong_rows(world, night):
    """Rows of a night that did not end as its truth says."""
    reasons, warnings = night.reasons(), night.warnings()
    wrong = []
    for truth in csv.DictReader(io.StringIO((world.home / "truth.csv").read_text(encoding="utf-8"))):
        row = truth["source_file"], int(truth["source_line"])
        found = reasons.pop(row, None)
        right = found is not None and (found[0] in truth["reasons"].split("|") if truth["reasons"] else found == [])
        if not right or not set(filter(None, truth["warnings"].split("|"))) <= set(warnings[row]):
            wrong.append((truth, found))
    assert reasons == {}
    return wrong


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_night_ends_as_its_truth_says(made_night, seed):
    world = made_night(400, seed)
    manifest = json.loads(done(world.home, "run", "inbox", "--as-of", AS_OF, "--run-id", "n", "--format", "json"))
    night = read_published(world.home / "runs" / "n", RunResult(world.home / "runs" / "n", manifest))
    assert wrong_rows(world, night) == []
    assert night.manifest["rows"]["read"] == sum(
        each.height for each in (night.registered, night.deregistered, night.rejected)
    )


def test_neither_file_names_nor_order_of_rows_matter(made_night):
    world = made_night(1, 3)
    before = world.run(as_of=parse_moment(AS_OF), dry_run=True)
    for path in sorted(world.inbox.glob("*/*/*.csv")):
        text = path.read_bytes()
        if text.startswith(b"Device") and b"\r\n" in text:
            header, *rows = text.splitlines(keepends=True)
            random.Random(5).shuffle(rows)
            path.unlink()
            path.with_name("z-" + path.name).write_bytes(header + b"".join(rows))
    after = world.run(as_of=parse_moment(AS_OF), dry_run=True)
    for name in ("registered", "rejected"):
        key = ["partner_id", "tenant_id", "serial_number", "windows_product_id", "hardware_hash_id"]
        found = pl.col("reasons" if name == "rejected" else "warnings").list.join(" ")
        frames = [getattr(night, name).select(*key, found).sort(pl.all()) for night in (before, after)]
        assert frames[0].equals(frames[1])


def test_how_rows_are_read_changes_nothing(made_night, monkeypatch):
    world = made_night(400, 1)
    usual = world.run(dry_run=True, run_id="n")
    monkeypatch.setattr("pipeline.ingest.cells._is_plain", lambda records: np.zeros(len(records.start), bool))
    monkeypatch.setattr("pipeline.ingest.survey.PART_BYTES", 20_000)
    monkeypatch.setattr("pipeline.ingest.encoding.CHUNK", 5_000)
    monkeypatch.setattr("pipeline.ingest.encoding.BLOCK_BYTES", 5_000)
    monkeypatch.setattr("pipeline.intake.schedule._LARGE", 40_000)
    carefully = world.run(dry_run=True, run_id="n")
    keys = ["source_file", "source_line"]
    assert carefully.registered.sort(keys).equals(usual.registered.sort(keys))
    assert carefully.rejected.sort(keys).equals(usual.rejected.sort(keys))
    assert carefully.files.equals(usual.files)


def test_the_same_input_gives_the_same_sets(made_night, tmp_path):
    world = made_night(1, 3)
    other = World(tmp_path / "copy", world.factory)
    shutil.copytree(world.home, other.home)
    first = world.run(as_of=parse_moment(AS_OF), run_id="same")
    second = other.run(as_of=parse_moment(AS_OF), run_id="same")
    assert first.registered.equals(second.registered)
    assert first.rejected.equals(second.rejected)


def test_a_run_id_is_run_once(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    first = world.run(run_id="once")
    world.deliver(f"contoso/{TENANT}/b.csv", {HASH: capture(world.factory.device())})
    again = world.run(run_id="once")
    assert again.result.repeated
    assert again.manifest == first.manifest
    assert again.registered.equals(first.registered)


def test_a_file_is_read_again_only_while_a_row_of_it_is_open(world):
    settled = {HASH: capture(world.factory.device())}
    world.deliver(f"contoso/{TENANT}/settled.csv", settled, {TAG: "nothing"})
    pending = "33333333-3333-4333-8333-333333333333"
    world.deliver(f"contoso/{pending}/open.csv", {HASH: capture(world.factory.device())})
    world.put(f"contoso/{TENANT}/empty.csv", b"")
    assert world.run().manifest["files"]["processed"] == 2
    second = world.run()
    dispositions = dict(second.files.select("source_file", "disposition").rows())
    assert dispositions == {
        f"contoso/{TENANT}/settled.csv": "already_processed",
        f"contoso/{pending}/open.csv": "processed",
        f"contoso/{TENANT}/empty.csv": "already_processed",
    }
    statements = (
        world.home / "reference" / "authorizations.csv"
    ).read_text() + f"contoso,{pending},active,2024-01-01T00:00:00Z,\n"
    world.reference("authorizations.csv", statements)
    world.reference("tenants.csv", (world.home / "reference" / "tenants.csv").read_text() + f"{pending},EU,public,\n")
    assert counts(world.run()) == (1, 0, 1, 0)
    assert world.run().manifest["rows"]["read"] == 0
    again = world.run(reprocess=True)
    assert (counts(again), again.manifest["reasons"]) == ((3, 2, 0, 1), {"IDENTITY_MISSING": 1})


def test_the_same_bytes_for_another_tenant_are_another_file(world):
    row = {HASH: capture(world.factory.device())}
    world.deliver(f"contoso/{TENANT}/a.csv", row)
    world.run()
    world.deliver(f"contoso/{OTHER_TENANT}/a.csv", row)
    assert world.run().manifest["reasons"] == {"REGISTERED_OTHER_TENANT": 1}


def test_a_dry_run_changes_nothing(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    dry = world.run(run_id="tried", dry_run=True)
    assert dry.result.folder == world.home / "runs" / "dry-run" / "tried"
    assert dry.registered.height == 1
    assert not world.registry.exists()
    assert world.run(run_id="tried", dry_run=True).registered.height == 1
    assert world.run(run_id="tried").registered.height == 1


def test_an_empty_inbox_is_a_run(world):
    night = world.run()
    assert counts(night) == (0, 0, 0, 0)
    assert night.registered.is_empty()
    assert night.rejected.is_empty()
    assert night.manifest["registry_version"] == {"before": 0, "after": 1}


def test_a_removed_device_may_be_registered_again(world):
    device = world.factory.device()
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"].to_list()
    remove_devices(Registry.open(world.registry, create=False), ids, "sold", parse_moment(AS_OF))
    world.deliver(f"contoso/{OTHER_TENANT}/b.csv", {HASH: capture(with_board(device, world.factory))})
    night = world.run()
    assert counts(night) == (1, 0, 1, 0)
    counted = count_records(Registry.open(world.registry, create=False))
    assert (counted["registered"], counted["removed"]) == (1, 1)


def test_a_device_known_through_its_mates_is_not_registered(world):
    device = world.factory.device()
    world.import_existing(
        {
            "tenant_id": TENANT,
            "registered_via": "partner_center",
            "serial_number": device.serial,
            "manufacturer": device.maker,
            "model": device.model,
        }
    )
    serial, product_id, _, maker, model = (
        "Device Serial Number",
        "Windows Product ID",
        0,
        "Manufacturer name",
        "Device model",
    )
    row = {serial: device.serial, product_id: device.product_id, maker: device.maker, model: device.model}
    world.deliver(f"contoso/{TENANT}/a.csv", {product_id: device.product_id}, row)
    night = world.run()
    assert night.registered.is_empty()
    assert night.reasons()[f"contoso/{TENANT}/a.csv", 2] == ["ALREADY_REGISTERED"]


def text_of(path):
    if path.suffix != ".xlsx":
        return path.read_text()
    with zipfile.ZipFile(path) as packed:
        return "".join(packed.read(name).decode() for name in packed.namelist())


def test_partner_files_hold_nothing_of_others(world):
    device, claimed = world.factory.device(), world.factory.device()
    world.import_existing(
        {"tenant_id": OTHER_TENANT, "registered_via": "partner_center", "hardware_hash": capture(device)}
    )
    key = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
    user = "somebody@contoso.example"
    recaptured_hash = capture(recaptured(device, world.factory))
    faulty = capture(world.factory.device())[:-8] + "AAAAAAA!"
    world.deliver(
        f"contoso/{TENANT}/a.csv",
        {HASH: recaptured_hash, USER: user},
        {HASH: capture(claimed)},
        {TAG: key, HASH: capture(world.factory.device())},
        {TAG: "=evil()"},
        {HASH: faulty},
    )
    world.deliver(f"northwind/{OTHER_TENANT}/b.csv", {HASH: capture(recaptured(claimed, world.factory))})
    night = world.run()
    report = night.result.folder / "report"
    own = "".join(text_of(path) for path in (report / "contoso").iterdir())
    assert OTHER_TENANT not in own
    assert "northwind" not in own
    assert night.rejected["matched_device_id"].drop_nulls().is_empty() is False
    for device_id in night.rejected["matched_device_id"].drop_nulls():
        assert device_id not in own
    resubmit = text_of(report / "contoso" / "resubmit.csv") + text_of(report / "contoso" / "resubmit.xlsx")
    assert resubmit.count(faulty) == 2
    assert recaptured_hash not in resubmit
    assert "=evil" not in resubmit
    everything = b"".join(path.read_bytes() for path in night.result.folder.rglob("*") if path.is_file())
    everything += str(night.rejected.to_dicts()).encode()
    assert key.encode() not in everything
    pages = "".join(text_of(path) for path in report.rglob("*") if path.stem != "resubmit" and path.is_file())
    assert recaptured_hash[:100] not in pages
    assert user not in pages


LONG = "x" * 200


def resubmitted(night):
    text = (night.result.folder / "report" / "contoso" / "resubmit.csv").read_text(encoding="utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def corrected(rows):
    text = io.StringIO()
    csv.writer(text).writerows([cell.replace(LONG, "") for cell in row] for row in rows)
    return text.getvalue().encode()


def test_a_resubmission_of_several_tenants_and_headers_registers_for_each(world):
    device = world.factory.device()
    for tenant in (TENANT, OTHER_TENANT):
        world.deliver(f"contoso/{tenant}/a.csv", {HASH: capture(world.factory.device()), TAG: LONG})
    row = {HASH: capture(device), TAG: LONG, "Tenant ID": OTHER_TENANT}
    world.deliver("contoso/b.csv", row, header=("Tenant ID", HASH, TAG))
    rows = resubmitted(world.run())
    assert [row[7] for row in rows] == ["Tenant ID", TENANT, OTHER_TENANT, OTHER_TENANT]
    world.put("contoso/again.csv", corrected(rows))
    again = world.run()
    assert dict(again.registered.select("hash_serial_number", "tenant_id").rows())[device.serial] == OTHER_TENANT
    assert again.registered["tenant_id"].to_list().count(OTHER_TENANT) == 2


def test_report_and_manifest_tell_the_same(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())}, {TAG: "x"})
    world.deliver(f"northwind/{TENANT}/b.csv", {TAG: "x"})
    night = world.run()
    report = json.loads((night.result.folder / "report" / "report.json").read_text())
    assert report["reconciles"]
    assert report["rows"] == night.manifest["rows"]
    assert counts(night) == (3, 0, 1, 2)
    partners = night.manifest["partners"]
    told = report["partners"]
    assert [{name: line[name] for name in own} for own, line in zip(partners, told, strict=True)] == partners
    assert {reason["code"]: reason["rows"] for reason in report["reasons"]} == night.manifest["reasons"]
    page = (night.result.folder / "report" / "index.html").read_text()
    assert "3 rows read = 0 settled before + 1 registered + 0 deregistered + 2 rejected" in page
    assert json.loads((night.result.folder / "run.json").read_text()) == night.manifest


def test_any_file_name_is_just_a_name(world):
    names = ["a b.csv", "=cmd.csv", "<script>.csv", "naïve.csv", "a;b.csv.CSV"]
    for name in names:
        world.deliver(f"contoso/{TENANT}/{name}", {TAG: f"in {names.index(name)}"})
    night = world.run()
    assert sorted(night.rejected["source_file"]) == sorted(f"contoso/{TENANT}/{name}" for name in names)
    report = night.result.folder / "report" / "contoso"
    assert "<script>" not in (report / "index.html").read_text()


def test_any_partner_folder_stays_below_the_report(world):
    partners = ["a..b", "index.html", "%2e%2e", "-x", " ", "ä" * 100]
    for partner in partners:
        world.deliver(f"{partner}/{TENANT}/a.csv", {TAG: "x"})
    night = world.run()
    assert sorted(night.rejected["partner_id"]) == sorted(partners)
    folders = [path for path in (night.result.folder / "report").iterdir() if path.is_dir()]
    assert len(folders) == len(partners)
    assert all((folder / "resubmit.csv").exists() for folder in folders)


def test_names_that_are_no_text_are_shown_escaped(world):
    place = world.inbox / "contoso" / TENANT
    place.mkdir(parents=True)
    raw = bytes(place) + b"/\xff.csv"
    with open(raw, "wb") as file:  # noqa: PTH123 - a path of bytes
        file.write(b"x\n")
    assert world.run().rejected["source_file"].to_list() == [f"contoso/{TENANT}/\\xff.csv"]


def test_what_is_no_manifest_is_told(world):
    world.put(f"contoso/{TENANT}/list.zip", b"PK")
    world.put("readme.txt", b"")
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    night = world.run()
    assert night.reasons() == {
        (f"contoso/{TENANT}/a.csv", 2): [],
        (f"contoso/{TENANT}/list.zip", 0): ["FILE_TYPE_UNKNOWN"],
        ("readme.txt", 0): ["FILE_TYPE_UNKNOWN", "FILE_PARTNER_UNKNOWN"],
    }
    told = night.files.select("source_file", "bytes", "rows_read", "rows_rejected", "disposition").rows()
    assert (f"contoso/{TENANT}/list.zip", 2, 1, 1, "not_a_manifest") in told
    assert [night.manifest["rows"][name] for name in ("read", "registered", "rejected")] == [3, 1, 2]
    again = world.run()
    assert again.reasons() == {}
    assert (again.manifest["rows"]["read"], again.manifest["files"]["already_processed"]) == (0, 3)
    world.put(f"contoso/{TENANT}/list.zip", b"PK and more")
    assert world.run().reasons() == {(f"contoso/{TENANT}/list.zip", 0): ["FILE_TYPE_UNKNOWN"]}
    errors = (night.result.folder / "report" / "contoso" / "errors.csv").read_text()
    assert "list.zip" in errors
    assert "FILE_TYPE_UNKNOWN" in errors


def test_what_is_left_alone_and_what_is_a_link(world):
    world.put("contoso/Thumbs.db", b"x")
    world.put("contoso/.hidden.csv", b"x")
    world.put("contoso/a.csv.part", b"x")
    world.put("contoso/b.tmp", b"x")
    outside = world.home / "outside"
    outside.mkdir()
    (outside / "x.csv").write_bytes(b"x")
    (world.inbox / "contoso" / "link.csv").symlink_to(outside / "x.csv")
    (world.inbox / "linked").symlink_to(outside)
    night = world.run()
    assert night.manifest["files"] == {
        "found": 2, "processed": 0, "empty": 0, "already_processed": 0, "unreadable": 2, "ignored": 4
    }  # fmt: skip
    assert night.reasons() == {
        ("contoso/link.csv", 0): ["FILE_UNREADABLE"],
        ("linked", 0): ["FILE_UNREADABLE", "FILE_PARTNER_UNKNOWN"],
    }


def test_one_partner_s_names_never_end_the_night(world):
    place = world.inbox / "contoso"
    place.mkdir()
    for name in (b"\xff\x1b.csv", b"A.csv", b"a.csv", b"x\ny.csv"):
        Path(os.fsdecode(bytes(place) + b"/" + name)).write_bytes(b"x\n")
    world.deliver(f"northwind/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    told = Notices()
    result = run(RunConfig.beside(world.inbox, as_of=parse_moment(AS_OF), run_id="night"), told)
    night = read_published(result.folder, result)
    unreadable = [file for (file, line), codes in night.reasons().items() if codes[:1] == ["FILE_UNREADABLE"]]
    assert sorted(unreadable) == ["contoso/A.csv", "contoso/\\xff\x1b.csv", "contoso/a.csv"]
    assert night.registered["partner_id"].to_list() == ["northwind"]
    assert [text.partition(":")[0] for text in told.told if "not read" in text] == [
        "contoso/A.csv and 1 more",
        "contoso/\\xff\x1b.csv",
    ]


def test_inboxes_are_apart_from_each_other_and_from_all_else(world):
    inside = world.inbox / "contoso"
    inside.mkdir()
    for inboxes in [(world.inbox, inside), (inside, world.inbox), (world.inbox, world.inbox)]:
        with pytest.raises(UsageError, match="lies inside the inbox"):
            RunConfig.beside(*inboxes)
    for place in ("output", "registry", "reference"):
        with pytest.raises(UsageError, match=f"{place} .* lies inside the inbox"):
            RunConfig.beside(world.inbox, **{place: inside})


def test_beside_the_root_of_a_store_nothing_lies(tmp_path):
    for root in ("s3://night", "s3://night/", "abfss://night@account.dfs.core.windows.net"):
        with pytest.raises(UsageError, match="nothing lies beside it"):
            RunConfig.beside(root, reference=tmp_path, output=tmp_path)
        named = RunConfig.beside(root, reference=tmp_path, registry=tmp_path / "registry", output=tmp_path / "runs")
        assert not named.create_registry
    assert RunConfig.beside("s3://night/inbox/").registry == "s3://night/registry"


def test_a_file_is_settled_only_by_runs_that_this_registry_knows(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    world.run()
    backup = world.home / "backup"
    shutil.copytree(world.registry, backup)
    world.deliver(f"contoso/{TENANT}/b.csv", {HASH: capture(world.factory.device())})
    world.run()
    shutil.rmtree(world.registry)
    backup.rename(world.registry)
    night = world.run(accept_restored=True)
    assert dict(night.files.select("source_file", "disposition").rows()) == {
        f"contoso/{TENANT}/a.csv": "already_processed",
        f"contoso/{TENANT}/b.csv": "processed",
    }
    assert night.registered.height == 1


def test_nothing_but_the_registry_makes_a_device_known(world):
    device = world.factory.device()
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(device)})
    world.run()
    night = world.run(reprocess=True, registry=world.home / "second", create_registry=True, output=world.home / "other")
    assert night.registered.height == 1
    assert pl.read_parquet(world.home / "second" / "part-*.parquet").height == 1


def test_a_rejected_row_changes_no_verdict(world):
    device, other = world.factory.device(), world.factory.device()
    swapped = with_board(device, world.factory)
    rejected = [
        {HASH: capture(device), TAG: "=cmd"},
        {HASH: capture(other), USER: "nobody"},
        {HASH: capture(swapped), TAG: "+1"},
    ]
    world.deliver(f"contoso/{TENANT}/a.csv", *rejected, {HASH: capture(recaptured(device, world.factory))})
    night = world.run()
    assert night.registered["source_line"].to_list() == [5]
    assert [codes for _, codes in sorted(night.reasons().items())] == [
        ["FORMULA_CELL"],
        ["USER_FORMAT"],
        ["FORMULA_CELL"],
        [],
    ]


def test_a_compacted_registry_knows_its_devices(world, monkeypatch):
    monkeypatch.setattr(compacting, "LOOKUP_RECORDS", 1)
    devices = [world.factory.device() for _ in range(3)]
    for number, device in enumerate(devices):
        world.deliver(f"contoso/{TENANT}/{number}.csv", {HASH: capture(device)})
        world.run()
    done = compacting.compact(Registry.open(world.registry, create=False))
    assert (done.files_before, done.files_after, done.lookups_made) == (3, 1, 1)
    again = [{HASH: capture(recaptured(device, world.factory))} for device in devices]
    world.deliver(f"contoso/{TENANT}/again.csv", *again, {HASH: capture(world.factory.device())})
    night = world.run()
    assert night.rejected["reason"].to_list() == ["ALREADY_REGISTERED"] * 3
    assert night.registered.height == 1
