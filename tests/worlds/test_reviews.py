"""Review cases, decided by an operator between nights: what a word does, and what it never does."""

import json
import subprocess
import sys
from datetime import timedelta

import polars as pl
import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from pipeline.errors import RegistryConflict, UsageError
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import recaptured, with_board
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from pipeline.registry import Registry
from pipeline.registry.compacting import compact
from pipeline.registry.removing import remove_devices
from tests.conftest import AS_OF, AUTHORIZATIONS, OTHER_TENANT, TENANT

SERIAL, PRODUCT_ID, HASH, TAG, USER = INTUNE
MAKER, MODEL = PARTNER_CENTER[3:]
HERE = f"contoso/{TENANT}/"
CASE = HERE + "b.csv:2"
LIKE = {SERIAL: "5CG1234ABC", MAKER: "HP", MODEL: "M1"}


def review(world, *arguments):
    where = ["--registry", str(world.registry), "--output", str(world.home / "runs"), "--format", "json"]
    given = [world.shared(argument) for argument in arguments]
    done = CliRunner().invoke(cli, ["review", *given, *where], catch_exceptions=False, standalone_mode=False)
    return json.loads(world.own(done.stdout))


def say(world, word, *more, run=None, place=CASE):
    return review(world, "decide", run or f"run-{world.runs}", place, f"--{word}", "--by", "Ada", *more)


def refused(world, word, *more, place=CASE):
    before = Registry.open(world.registry, create=False).version
    with pytest.raises(UsageError) as error:
        say(world, word, *more, place=place)
    assert Registry.open(world.registry, create=False).version == before
    return world.own(str(error.value))


def listed(world, *run):
    cases = [f"{case['source_file']}:{case['source_line']}" for case in review(world, "list", *run)]
    return [case for case in cases if TENANT in case or OTHER_TENANT in case]


def remove(world, ids, reason="sold"):
    remove_devices(Registry.open(world.registry, create=False), list(ids), reason, AS_OF)


def codes(night):
    return {f"{file}:{line}": found[0] if found else None for (file, line), found in night.reasons().items()}


def decisions(world, night, partner=""):
    report = json.loads((night.result.folder / "report" / partner / "report.json").read_text())
    listed = world.mine(pl.DataFrame(report["decisions"]["listed"])).rows(named=True)
    return {f"{row['source_file']}:{row['source_line']}": (row["decision"], row["reason"]) for row in listed}


def history(world, device):
    where = ["--registry", str(world.registry), "--format", "json"]
    done = CliRunner().invoke(cli, ["registry", "history", device, *where], standalone_mode=False)
    return json.loads(world.own(done.stdout))


def board_replaced(world, *, tenant=TENANT):
    """Night one registers a device; night two meets it with another board. The registration's id."""
    device = world.factory.device()
    world.deliver(f"contoso/{tenant}/a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"]
    world.deliver(HERE + "b.csv", {HASH: capture(with_board(device, world.factory))})
    assert codes(world.run()) == {CASE: "BOARD_REPLACED"}
    return ids[0]


def probable(world):
    world.deliver(HERE + "a.csv", LIKE)
    ids = world.run().registered["device_id"]
    world.deliver(HERE + "b.csv", LIKE | {SERIAL: "5CG-1234-ABC"})
    assert codes(world.run()) == {CASE: "PROBABLE_DUPLICATE"}
    return ids[0]


def ambiguous(world):
    """Its product ID is one registration's, its serial number another's. Both ids."""
    world.deliver(HERE + "a.csv", LIKE, {PRODUCT_ID: "3305123456789"}, header=PARTNER_CENTER)
    ids = world.run().registered.sort("source_line")["device_id"].to_list()
    world.deliver(HERE + "b.csv", {**LIKE, PRODUCT_ID: "3305123456789"})
    assert codes(world.run()) == {CASE: "AMBIGUOUS_MATCH"}
    return ids


def left(world):
    world.deliver(HERE + "a.csv", LIKE)
    ids = world.run().registered["device_id"]
    remove(world, ids)
    world.deliver(HERE + "b.csv", LIKE | {TAG: "again"}, header=(*PARTNER_CENTER, TAG))
    assert codes(world.run()) == {CASE: "DEVICE_LEFT"}
    return ids[0]


@pytest.mark.parametrize("make", [board_replaced, probable, ambiguous, left])
def test_another_device_is_registered_once(world, make):
    make(world)
    assert listed(world) == [CASE]
    say(world, "different")
    assert listed(world) == []
    assert world.run(dry_run=True).registered["source_file"].to_list() == [HERE + "b.csv"]
    night = world.run()
    assert codes(night) == {CASE: None}
    assert decisions(world, night) == decisions(world, night, "contoso") == {CASE: ("different", None)}
    ids = night.registered["device_id"]
    remove(world, ids)
    for options in ({}, {"reprocess": True}):
        assert world.run(**options).registered.is_empty()


@pytest.mark.parametrize("make", [board_replaced, probable])
def test_the_registered_device_is_that_registration(world, make):
    device = make(world)
    assert say(world, "same")["device_id"] == device
    night = world.run()
    assert codes(night) == {CASE: "ALREADY_REGISTERED"}
    assert night.rejected["matched_device_id"].to_list() == [device]
    assert decisions(world, night) == {CASE: ("same", "ALREADY_REGISTERED")}
    page = (night.result.folder / "report" / "contoso" / "index.html").read_text()
    assert "Looked at by us" in page
    assert "review decide" not in page
    remove(world, [device])
    assert world.run(reprocess=True).registered.is_empty()


def test_of_several_registrations_the_one_that_the_row_is_has_to_be_named(world):
    ids = ambiguous(world)
    assert "--device" in refused(world, "same")
    assert "did not meet" in refused(world, "same", "--device", "00000000-0000-8000-a000-000000000001")
    say(world, "same", "--device", ids[1].upper())
    night = world.run()
    assert night.rejected.select("reason", "matched_device_id").rows() == [("ALREADY_REGISTERED", ids[1])]


@pytest.mark.long
def test_a_customers_own_registration_is_said_to_be_the_customers(world):
    world.import_existing(
        {
            "tenant_id": TENANT,
            "registered_via": "intune",
            "serial_number": "5CG1234ABC",
            "manufacturer": "HP",
            "model": "M1",
        }
    )
    world.deliver(HERE + "b.csv", LIKE | {SERIAL: "5CG-1234-ABC"})
    world.run()
    say(world, "same")
    assert codes(world.run()) == {CASE: "REGISTERED_BY_CUSTOMER"}


def test_a_refused_request_is_final(world):
    device = board_replaced(world)
    say(world, "reject")
    remove(world, [device], "repair: board swapped")
    for options in ({}, {"reprocess": True}):
        night = world.run(**options)
        assert CASE not in codes(night)
        assert night.registered.is_empty()


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "ends"), [(("different", "same"), "ALREADY_REGISTERED"), (("same", "different"), None)]
)
def test_of_two_words_the_later_counts(world, words, ends):
    board_replaced(world)
    for word in words:
        say(world, word)
    run = f"run-{world.runs}"
    assert codes(world.run()) == {CASE: ends}
    with pytest.raises(UsageError, match="nothing is open"):
        say(world, "reject", run=run)


@pytest.mark.long
def test_what_was_refused_may_be_decided_otherwise(world):
    board_replaced(world)
    run = f"run-{world.runs}"
    say(world, "reject")
    assert world.run().registered.is_empty()
    say(world, "different", run=run)
    assert codes(world.run()) == {CASE: None}


def test_no_word_overrules_authorization_and_it_is_kept_until_there_is_one(world):
    board_replaced(world)
    say(world, "different")
    world.reference("authorizations.csv", AUTHORIZATIONS + f"contoso,{TENANT},removed,2024-01-01T00:00:00Z,\n")
    assert codes(world.run()) == {CASE: "AUTH_REMOVED"}
    world.reference("authorizations.csv", AUTHORIZATIONS)
    assert codes(world.run()) == {CASE: None}


@pytest.mark.long
@pytest.mark.parametrize("fault", [{TAG: "x" * 129}, {USER: "a@fabrikam.example"}])
def test_no_word_overrules_another_reason(world, fault):
    board_replaced(world)
    device = world.factory.device()
    world.deliver(HERE + "c.csv", {HASH: capture(device)})
    world.run()
    world.deliver(HERE + "d.csv", {HASH: capture(with_board(device, world.factory))} | fault)
    world.run(group_tag_limit=256)
    place = HERE + "d.csv:2"
    if TAG in fault:
        say(world, "different", place=place)
    else:
        assert "no review case" in refused(world, "different", place=place)
    assert codes(world.run())[place] in {"GROUP_TAG_TOO_LONG", "USER_DOMAIN"}


@pytest.mark.long
def test_new_evidence_stops_the_request_again(world):
    probable(world)
    say(world, "different")
    like = {"serial_number": "5CG1234-ABC", "manufacturer": "HP", "model": "M1"}
    assert world.import_existing({"tenant_id": OTHER_TENANT, "registered_via": "intune", **like}).imported == 1
    assert codes(world.run())[CASE] == "PROBABLE_DUPLICATE"
    assert CASE in listed(world)
    say(world, "different")
    assert codes(world.run()) == {CASE: None}


@pytest.mark.long
@pytest.mark.parametrize("reason", ["sold", "repair: board"])
def test_the_same_as_a_registration_that_has_ended_since_never_registers(world, reason):
    device = probable(world)
    say(world, "same")
    remove(world, [device], reason)
    assert codes(world.run()) == {CASE: "DEVICE_LEFT"}
    assert world.run().registered.is_empty()
    assert "has ended" in refused(world, "same", place=CASE) if listed(world) else True


@pytest.mark.long
def test_another_device_registers_though_that_registration_has_ended(world):
    device = board_replaced(world)
    say(world, "different")
    remove(world, [device])
    assert codes(world.run()) == {CASE: None}


@pytest.mark.parametrize(("word", "ends"), [("same", "DEVICE_LEFT"), ("different", None)])
def test_a_word_counts_in_the_night_in_which_its_registration_departs(world, word, ends):
    device = probable(world)
    say(world, word)
    world.deliver(f"contoso/{TENANT}/departures/out.csv", {"Device ID": device}, header=("Device ID",))
    assert codes(world.run())[CASE] == ends


def test_another_device_than_the_one_that_left_in_that_night_is_registered(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    world.deliver(HERE + "departures/out.csv", {HASH: capture(device)}, header=(HASH,))
    world.deliver(HERE + "b.csv", {HASH: capture(recaptured(device, world.factory))})
    assert codes(world.run())[CASE] == "DEVICE_LEFT"
    assert "has ended" in refused(world, "same")
    say(world, "different")
    assert codes(world.run()) == {CASE: None}


def test_no_row_is_merged_into_another_tenants_registration(world):
    board_replaced(world, tenant=OTHER_TENANT)
    assert "another tenant" in refused(world, "same")
    say(world, "different")
    assert world.run().registered["tenant_id"].to_list() == [TENANT]


def test_claims_of_two_tenants_are_only_ever_refused(world):
    device = world.factory.device()
    world.deliver(HERE + "b.csv", {HASH: capture(device)})
    world.deliver(f"contoso/{OTHER_TENANT}/b.csv", {HASH: capture(device)})
    assert set(codes(world.run()).values()) == {"CONFLICTING_CLAIMS"}
    for word in ("same", "different"):
        assert "stand against each other" in refused(world, word)
    say(world, "reject")
    assert codes(world.run()) == {f"contoso/{OTHER_TENANT}/b.csv:2": None}


@pytest.mark.long
def test_rows_of_one_delivery_that_contradict_each_other_are_not_told_apart(world):
    device = world.factory.device()
    boards = [{HASH: capture(with_board(device, world.factory))} for _ in range(2)]
    world.deliver(HERE + "b.csv", *boards)
    assert set(codes(world.run()).values()) == {"AMBIGUOUS_MATCH"}
    assert "stand against each other" in refused(world, "different")


@pytest.mark.long
def test_a_word_on_one_request_lets_no_other_register(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.run()
    swapped = with_board(device, world.factory)
    world.deliver(HERE + "b.csv", {HASH: capture(swapped)})
    world.run()
    say(world, "different")
    world.deliver(HERE + "a2.csv", {HASH: capture(swapped), TAG: "first by name"})
    night = world.run()
    assert night.registered.filter(pl.col("source_file") != HERE + "b.csv").is_empty()


@pytest.mark.alone
@pytest.mark.long
def test_a_word_outlives_compaction_and_a_moved_file(world):
    board_replaced(world)
    say(world, "different")
    compact(Registry.open(world.registry, create=False))
    (world.inbox / HERE / "b.csv").rename(world.inbox / HERE / "moved.csv")
    assert codes(world.run()) == {HERE + "moved.csv:2": None}


@pytest.mark.alone
@pytest.mark.long
def test_a_word_waits_for_its_file_to_lie_in_the_inbox(world):
    board_replaced(world)
    say(world, "different")
    text = (world.inbox / HERE / "b.csv").read_bytes()
    (world.inbox / HERE / "b.csv").unlink()
    assert world.run().registered.is_empty()
    world.put(HERE + "b.csv", text)
    assert codes(world.run(as_of=AS_OF + timedelta(days=300))) == {CASE: None}


def test_the_history_and_the_case_tell_what_was_decided(world):
    device = board_replaced(world)
    run = f"run-{world.runs}"
    say(world, "different")
    shown = review(world, "show", run, CASE)
    assert (shown["decision"], shown["decided_by"], shown["is_open"]) == ("different", "Ada", True)
    assert shown["registrations"] == {device: "board replaced"}
    assert {part["component"]: part["relation"] for part in shown["components"]}["TPM key"] == "≠"
    assert all("***" in (part["here"] or "***") for part in shown["components"] if part["component"] == "serial number")
    new = world.run().registered["device_id"][0]
    for one in (device, new):
        words = [event for event in history(world, one) if event["event"] == "decided"]
        assert [(word["decision"], word["decided_by"], word["request"]) for word in words] == [
            ("different", "Ada", CASE)
        ]
    assert review(world, "show", run, CASE)["is_open"] is False


def test_what_is_no_case_cannot_be_decided(world):
    board_replaced(world)
    assert f"the nearest is {CASE}" in refused(world, "reject", place=HERE + "b.csv:3")
    with pytest.raises(UsageError, match="not published"):
        say(world, "reject", run="nowhere")
    assert "--by: empty" in refused(world, "reject", "--by", " ")
    assert "say one of" in refused(world, "same", "--different")
    assert "--device" in refused(world, "different", "--device", "x")


@pytest.mark.alone
@pytest.mark.long
def test_of_two_that_decide_at_once_one_is_told(world, monkeypatch):
    board_replaced(world)
    stale = Registry.open(world.registry, create=False)
    say(world, "different")
    monkeypatch.setattr(Registry, "open", classmethod(lambda *_args, **_options: stale))
    with pytest.raises(RegistryConflict, match="start again"):
        say(world, "same")


@pytest.mark.alone
def test_check_reads_what_was_decided(world):
    probable(world)
    say(world, "different")
    arguments = ["check", str(world.inbox / HERE / "b.csv"), "--registry", str(world.registry)]
    done = CliRunner().invoke(cli, [*arguments, "--reference", str(world.home / "reference")], standalone_mode=False)
    assert "1 accepted + 0 rejected" in done.stdout


@pytest.mark.alone
@pytest.mark.long
def test_two_processes_decide_one_case(world):
    board_replaced(world)
    given = ["--by", "Ada", "--registry", str(world.registry), "--output", str(world.home / "runs")]
    command = [sys.executable, "-m", "pipeline", "review", "decide", f"run-{world.runs}", CASE, *given]
    racing = [
        subprocess.Popen([*command, word], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for word in ("--different", "--same")
    ]
    ends = [one.communicate(timeout=60) and one.returncode for one in racing]
    assert set(ends) <= {0, 3}
    assert 0 in ends
    assert set(codes(world.run()).values()) <= {None, "ALREADY_REGISTERED"}
