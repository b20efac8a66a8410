"""Several nights with what happens between them: what was carried out never acts again, and every remedy works."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from pipeline.config import RunConfig
from pipeline.flow import run
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import recaptured, with_board
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from pipeline.registry import Registry
from pipeline.registry.compacting import compact
from pipeline.registry.removing import remove_devices
from pipeline.runs.outputs import output_at
from pipeline.runs.pruning import prune_runs
from tests.conftest import AS_OF, AUTHORIZATIONS, OTHER_TENANT, PARTNERS, TENANT, TENANTS, Notices

SERIAL, PRODUCT_ID, HASH, TAG, USER = INTUNE
MAKER, MODEL = PARTNER_CENTER[3:]
HERE = f"contoso/{TENANT}/"
STRANGER = "33333333-3333-4333-8333-333333333333"


def remove(world, ids, reason):
    remove_devices(Registry.open(world.registry, create=False), list(ids), reason, AS_OF)


def counts(night):
    return tuple(night.manifest["rows"][name] for name in ("read", "settled", "registered", "rejected", "waiting"))


def primary(night):
    return {(file, line): codes[0] if codes else None for (file, line), codes in night.reasons().items()}


@pytest.mark.parametrize("beside", [None, {TAG: "x" * 200}], ids=["alone", "beside a row that waits"])
@pytest.mark.parametrize("options", [{}, {"reprocess": True}], ids=["as ever", "reprocess"])
@pytest.mark.parametrize("lose", ["nothing", "moved"])
def test_a_removed_device_never_comes_back_by_itself(world, beside, options, lose):
    rows = [
        {HASH: capture(world.factory.device())},
        *([beside | {HASH: capture(world.factory.device())}] if beside else []),
    ]
    world.deliver(HERE + "a.csv", *rows)
    ids = world.run().registered["device_id"]
    assert len(ids) == 1
    remove(world, ids, "sold")
    if lose == "moved":
        (world.inbox / HERE / "a.csv").rename(world.inbox / HERE / "b.csv")
    for _ in range(2):
        assert world.run(**options).registered.is_empty()


@pytest.mark.alone
def test_nor_does_it_where_the_runs_are_lost(world):
    rows = [{HASH: capture(world.factory.device())} for _ in range(3)]
    world.deliver(HERE + "a.csv", rows[0])
    world.deliver(HERE + "b.csv", rows[1], rows[2] | {TAG: "x" * 200})
    ids = world.run().registered["device_id"]
    assert len(ids) == 2
    remove(world, ids, "sold")
    for options in ({"reprocess": True}, {}, {"reprocess": True}):
        shutil.rmtree(world.home / "runs")
        assert world.run(**options).registered.is_empty()


def test_an_old_duplicate_of_a_removed_device_never_brings_it_back(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"]
    world.deliver(HERE + "b.csv", {HASH: capture(device), TAG: "again"}, {HASH: capture(device), TAG: "x" * 200})
    assert primary(world.run()) == {
        (HERE + "b.csv", 2): "ALREADY_REGISTERED",
        (HERE + "b.csv", 3): "GROUP_TAG_TOO_LONG",
    }
    remove(world, ids, "sold")
    for options in ({}, {"reprocess": True}):
        assert world.run(**options).registered.is_empty()


def test_a_cumulative_list_does_not_bring_a_device_back(world):
    device, stays, comes = (world.factory.device() for _ in range(3))
    rows = [{HASH: capture(device)}, {HASH: capture(stays)}]
    world.deliver(HERE + "list.csv", *rows)
    first = world.run()
    left = first.registered.filter(pl.col("hash_serial_number") == device.serial)["device_id"]
    remove(world, left, "sold")
    world.deliver(HERE + "list.csv", *rows, {HASH: capture(comes)})
    night = world.run()
    assert primary(night) == {
        (HERE + "list.csv", 2): "DEVICE_LEFT",
        (HERE + "list.csv", 3): "ALREADY_REGISTERED",
        (HERE + "list.csv", 4): None,
    }
    assert world.run().manifest["rows"]["registered"] == 0


@pytest.mark.parametrize("kind", ["product_id", "tuple"])
def test_a_cumulative_list_without_hashes_does_not_either(world, kind):
    named = {PRODUCT_ID: "3305123456789"} if kind == "product_id" else {SERIAL: "5CG1234ABC", MAKER: "HP", MODEL: "M1"}
    world.deliver(HERE + "a.csv", named)
    remove(world, world.run().registered["device_id"], "sold")
    world.deliver(HERE + "b.csv", named | {TAG: "new"}, header=(*PARTNER_CENTER, TAG))
    assert primary(world.run()) == {(HERE + "b.csv", 2): "DEVICE_LEFT"}


def test_the_cells_of_a_refused_row_stay_as_they_were_delivered(world):
    world.deliver(
        HERE + "a.csv",
        {SERIAL: "5CG1234ABC", MAKER: "HP Inc.", MODEL: "M1", TAG: "x" * 129},
        header=(*PARTNER_CENTER, TAG),
    )
    refused = world.run().rejected
    assert refused.select("serial_number", "manufacturer", "model").rows() == [("5CG1234ABC", "HP Inc.", "M1")]


def test_a_new_capture_brings_a_device_back(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    remove(world, world.run().registered["device_id"], "sold")
    later = recaptured(device, world.factory)
    world.deliver(HERE + "b.csv", {HASH: capture(later)})
    assert world.run().registered.height == 1


def test_a_device_that_left_one_tenant_is_registered_for_another(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    remove(world, world.run().registered["device_id"], "sold")
    world.deliver(f"contoso/{OTHER_TENANT}/a.csv", {HASH: capture(device)})
    assert world.run().registered["tenant_id"].to_list() == [OTHER_TENANT]


REMEDIES = {
    "a partner is added": (
        "newcomer/" + TENANT + "/a.csv",
        {},
        "FILE_PARTNER_UNKNOWN",
        {
            "partners.csv": PARTNERS + "newcomer,New,direct_csp,partner_center_csv,EU,\n",
            "authorizations.csv": AUTHORIZATIONS + f"newcomer,{TENANT},active,2024-01-01T00:00:00Z,\n",
        },
        {},
    ),
    "consent comes": (
        f"contoso/{STRANGER}/a.csv",
        {},
        "AUTH_NO_RELATIONSHIP",
        {
            "authorizations.csv": AUTHORIZATIONS + f"contoso,{STRANGER},active,2024-01-01T00:00:00Z,\n",
            "tenants.csv": TENANTS + f"{STRANGER},EU,public,\n",
        },
        {},
    ),
    "a domain is verified": (
        HERE + "a.csv",
        {USER: "a@fabrikam.example"},
        "USER_DOMAIN",
        {"tenants.csv": TENANTS.replace("contoso.example", "contoso.example fabrikam.example")},
        {},
    ),
    "the limit is raised": (HERE + "a.csv", {TAG: "x" * 200}, "GROUP_TAG_TOO_LONG", {}, {"group_tag_limit": 256}),
}


@pytest.mark.parametrize("remedy", list(REMEDIES))
def test_every_remedy_works_without_a_new_delivery(world, remedy):
    path, cells, reason, reference, options = REMEDIES[remedy]
    world.deliver(path, {HASH: capture(world.factory.device())} | cells)
    assert primary(world.run())[path, 2] == reason
    waiting = world.run()
    assert counts(waiting) == (1, 0, 0, 1, 1)
    assert waiting.rejected["first_run"][0] != waiting.manifest["run_id"]
    for name, text in reference.items():
        world.reference(name, text)
    assert world.run(**options).registered["source_file"].to_list() == [path]
    assert counts(world.run(**options)) == (0, 0, 0, 0, 0)


@pytest.mark.alone
def test_a_spelling_that_is_added_lets_a_row_register(world):
    world.deliver(HERE + "a.csv", {SERIAL: "5CG1234ABC", MAKER: "Hp", MODEL: "M1"})
    assert primary(world.run()) == {(HERE + "a.csv", 2): "MANUFACTURER_SPELLING"}
    world.reference("manufacturers.csv", "manufacturer,alias\nHp,HP\n")
    assert world.run().registered.height == 1


@pytest.mark.parametrize("reason", ["REGISTERED_OTHER_TENANT", "BOARD_REPLACED"])
def test_a_registration_that_is_removed_lets_a_row_register(world, reason):
    device = world.factory.device()
    other = reason == "REGISTERED_OTHER_TENANT"
    world.deliver(f"contoso/{OTHER_TENANT if other else TENANT}/a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"]
    world.deliver(HERE + "b.csv", {HASH: capture(device if other else with_board(device, world.factory))})
    assert primary(world.run()) == {(HERE + "b.csv", 2): reason}
    remove(world, ids, "repair: board swapped")
    assert world.run().registered["source_file"].to_list() == [HERE + "b.csv"]


def test_what_waited_for_a_device_is_final_once_it_is_sold(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"]
    world.deliver(HERE + "b.csv", {HASH: capture(with_board(device, world.factory))})
    night = world.run()
    assert (primary(night), waits(world, night)) == ({(HERE + "b.csv", 2): "BOARD_REPLACED"}, ["yes"])
    remove(world, ids, "sold")
    night = world.run()
    assert (counts(night), waits(world, night)) == ((0, 0, 0, 0, 0), ["no"])


def waits(world, night, listing="open"):
    """Of each row of a list, whether its partner is told that it waits."""
    told = night.result.folder / "report" / "contoso" / f"{listing}.csv"
    return world.mine(pl.read_csv(told), "File")["Waits"].to_list()


def test_waiting_ends(world):
    path = f"contoso/{STRANGER}/a.csv"
    world.deliver(path, {HASH: capture(world.factory.device())})
    world.run()
    assert counts(world.run(as_of=AS_OF + timedelta(days=89))) == (1, 0, 0, 1, 1)
    assert counts(world.run(as_of=AS_OF + timedelta(days=90))) == (0, 0, 0, 0, 0)
    assert counts(world.run(as_of=AS_OF + timedelta(days=90), wait_days=91)) == (1, 0, 0, 1, 1)


def test_rows_in_each_others_way_end_together_and_none_registers(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    world.deliver(f"contoso/{OTHER_TENANT}/a.csv", {HASH: capture(device)})
    assert set(primary(world.run()).values()) == {"CONFLICTING_CLAIMS"}
    late = f"contoso/{OTHER_TENANT}/late.csv"
    world.deliver(late, {HASH: capture(device), TAG: "late"})
    assert set(primary(world.run(as_of=AS_OF + timedelta(days=50))).values()) <= {
        "CONFLICTING_CLAIMS",
        "DUPLICATE_IN_BATCH",
    }
    assert counts(world.run(as_of=AS_OF + timedelta(days=90))) == (0, 0, 0, 0, 0)


def test_a_row_without_a_hash_ends_no_waiting_of_one_with_a_hash(world):
    device = world.factory.device()
    twin = replace(world.factory.device(), product_id=device.product_id)
    world.deliver(f"contoso/{OTHER_TENANT}/a.csv", {HASH: capture(device)})
    world.run()
    world.deliver(HERE + "old.csv", {PRODUCT_ID: device.product_id})
    assert counts(world.run())[-1] == 1
    world.deliver(HERE + "new.csv", {HASH: capture(device)}, {HASH: capture(twin)})
    night = world.run(as_of=AS_OF + timedelta(days=50))
    assert primary(night)[HERE + "new.csv", 2] == "REGISTERED_OTHER_TENANT"
    assert primary(night)[HERE + "old.csv", 2] == "AMBIGUOUS_MATCH"
    assert set(primary(world.run(as_of=AS_OF + timedelta(days=90)))) == {(HERE + "new.csv", 2)}


def test_a_duplicate_waits_with_the_row_that_it_points_at(world):
    device = world.factory.device()
    world.deliver(f"contoso/{OTHER_TENANT}/a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"]
    world.deliver(HERE + "b.csv", {HASH: capture(device)}, {HASH: capture(device), TAG: "twice"})
    night = world.run()
    assert sorted(primary(night).values()) == ["DUPLICATE_IN_BATCH", "REGISTERED_OTHER_TENANT"]
    assert night.rejected["waits_for"].to_list() == [["registry"], ["registry"]]
    remove(world, ids, "returned")
    night = world.run()
    assert sorted(primary(night).values(), key=str) == ["DUPLICATE_IN_BATCH", None]
    assert counts(world.run()) == (0, 0, 0, 0, 0)
    remove(world, night.registered["device_id"], "sold")
    assert world.run(reprocess=True).registered.is_empty()


def test_of_equal_files_the_first_is_read(world):
    row = {HASH: capture(world.factory.device())}
    world.deliver(HERE + "b.csv", row)
    world.deliver(HERE + "a.csv", row)
    night = world.run()
    assert primary(night) == {(HERE + "a.csv", 2): None}
    assert counts(night) == (2, 1, 1, 0, 0)
    assert dict(night.files.select("source_file", "disposition").rows())[HERE + "b.csv"] == "already_processed"


@pytest.mark.alone
def test_the_settled_rows_of_a_file_that_waits_are_in_no_set(world):
    world.deliver(f"contoso/{STRANGER}/a.csv", {HASH: capture(world.factory.device())}, {TAG: "nothing"}, header=INTUNE)
    assert counts(world.run()) == (2, 0, 0, 2, 1)
    night = world.run()
    assert counts(night) == (2, 1, 0, 1, 1)
    assert primary(night) == {(f"contoso/{STRANGER}/a.csv", 2): "AUTH_NO_RELATIONSHIP"}


@pytest.mark.alone
def test_a_devices_id_is_that_of_its_request(world):
    row = {HASH: capture(world.factory.device())}
    world.deliver(HERE + "a.csv", row)
    ids = [
        world.run(registry=world.home / name, create_registry=True, output=world.home / f"out-{name}").registered
        for name in ("one", "two")
    ]
    assert ids[0]["device_id"].to_list() == ids[1]["device_id"].to_list()


def test_a_file_in_another_folder_of_the_partner_asks_the_same_where_it_names_tenants(world):
    row = {HASH: capture(world.factory.device()), "Tenant ID": TENANT}
    header = (*INTUNE[:3], "Tenant ID")
    world.deliver(HERE + "a.csv", row, header=header)
    remove(world, world.run().registered["device_id"], "sold")
    (world.inbox / HERE / "a.csv").unlink()
    world.deliver(f"contoso/{OTHER_TENANT}/a.csv", row, header=header)
    assert world.run().registered.is_empty()


@pytest.mark.alone
def test_what_cannot_be_read_is_tried_again_and_new_only_once(world):
    world.put(HERE + "a.csv.gz", b"no gzip")
    assert world.run().manifest["rows"]["first_time"] == 1
    night = world.run()
    assert (night.manifest["rows"]["read"], night.manifest["rows"]["first_time"]) == (1, 0)


@pytest.mark.alone
def test_a_row_of_another_maker_or_tenant_fixes_nothing(world):
    world.deliver(
        HERE + "a.csv", {SERIAL: "5CG1234ABC", MAKER: "HP", MODEL: "M1", TAG: "=x"}, header=(*PARTNER_CENTER, TAG)
    )
    world.run()
    world.deliver(HERE + "b.csv", {SERIAL: "5CG1234ABC", MAKER: "LENOVO", MODEL: "M1"})
    world.deliver(f"contoso/{OTHER_TENANT}/c.csv", {SERIAL: "5CG1234ABC", MAKER: "Acer", MODEL: "M1"})
    assert world.run().registered.height == 2
    pending = Registry.open(world.registry, create=False).requests().pending
    assert pending["source_file"].to_list() == [HERE + "a.csv"]


@pytest.mark.alone
def test_what_was_delivered_before_is_told_once(world):
    world.deliver(HERE + "a.csv", {HASH: capture(world.factory.device())})
    world.run()
    shutil.copy(world.inbox / HERE / "a.csv", world.inbox / HERE / "copy.csv")
    told = []
    for number in range(2):
        listener = Notices()
        run(RunConfig.beside(world.inbox, run_id=f"again-{number}", as_of=AS_OF), listener)
        told.append([notice for notice in listener.told if "was delivered before" in notice])
    assert told == [[f"{HERE}copy.csv: was delivered before, in run run-1 as {HERE}a.csv; change it to ask again"], []]


@pytest.mark.alone
def test_runs_that_are_pruned_change_nothing(world):
    world.deliver(HERE + "a.csv", {HASH: capture(world.factory.device())}, {TAG: "nothing"})
    remove(world, world.run().registered["device_id"], "sold")
    world.run()
    with output_at(world.home / "runs") as output:
        assert prune_runs(output, 1, dry_run=False) == []
        assert prune_runs(output, 0, dry_run=True) == prune_runs(output, 0, dry_run=False) == ["run-1", "run-2"]
    assert [path.name for path in (world.home / "runs").iterdir() if path.is_dir()] == [".staging"]
    night = world.run(reprocess=True)
    assert (counts(night), night.manifest["reasons"]) == ((2, 1, 0, 1, 0), {"IDENTITY_MISSING": 1})


@pytest.mark.alone
def test_compaction_forgets_no_request(world):
    path = f"contoso/{STRANGER}/a.csv"
    world.deliver(path, {HASH: capture(world.factory.device())})
    world.deliver(HERE + "b.csv", {HASH: capture(world.factory.device())})
    ids = world.run().registered["device_id"]
    remove(world, ids, "sold")
    world.run()
    compact(Registry.open(world.registry, create=False))
    assert len(Registry.open(world.registry, create=False).request_files()) == 1
    assert counts(world.run()) == (1, 0, 0, 1, 1)
    world.deliver(HERE + "c.csv", *[{HASH: capture(world.factory.device())}])
    night = world.run(reprocess=True)
    assert night.registered["source_file"].to_list() == [HERE + "c.csv"]


def test_a_row_that_waits_is_not_given_up_for_another_of_its_device(world):
    device = world.factory.device()
    repaired = with_board(device, world.factory)
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"]
    # A list that still names the old board beside the new one, as cumulative lists do.
    world.deliver(HERE + "b.csv", {HASH: capture(device), TAG: "list"})
    world.deliver(HERE + "c.csv", {HASH: capture(repaired)})
    night = primary(world.run())
    assert night[HERE + "b.csv", 2] == "ALREADY_REGISTERED"
    world.deliver(HERE + "d.csv", {HASH: capture(device), TAG: "the next list"})
    world.run()
    (world.inbox / HERE / "d.csv").unlink()
    remove(world, ids, "repair: new board")
    assert world.run().registered["source_file"].to_list() == [HERE + "c.csv"]


def test_deciding_again_does_not_begin_the_waiting_anew(world):
    world.deliver(HERE + "a.csv", {HASH: capture(world.factory.device()), TAG: "x" * 200})
    world.run()
    assert counts(world.run(as_of=AS_OF + timedelta(days=91), reprocess=True))[3] == 1
    assert counts(world.run(as_of=AS_OF + timedelta(days=92)))[3] == 0


def test_what_waits_with_a_fault_of_its_own_is_given_up_once_its_device_was_sold(world):
    device = world.factory.device()
    again = {HASH: capture(recaptured(device, world.factory)), TAG: "x" * 200}
    world.deliver(HERE + "a.csv", {HASH: capture(device)}, again)
    remove(world, world.run().registered["device_id"], "sold")
    assert world.run(group_tag_limit=300).registered.is_empty()


@pytest.mark.parametrize(("reason", "registered"), [("sold", 0), ("repair", 1)])
def test_a_row_with_a_fault_of_its_own_is_final_too_once_its_device_is_sold(world, reason, registered):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"]
    world.deliver(HERE + "b.csv", {HASH: capture(recaptured(device, world.factory)), TAG: "x" * 200})
    assert primary(world.run()) == {(HERE + "b.csv", 2): "GROUP_TAG_TOO_LONG"}
    remove(world, ids, reason)
    assert world.run(group_tag_limit=256).registered.height == registered


@pytest.mark.alone
def test_a_row_with_a_fault_of_its_own_waits_on_while_another_of_its_device_is_carried_out(world):
    device = world.factory.device()
    late = recaptured(device, world.factory)
    world.deliver(HERE + "a.csv", {HASH: capture(device)}, {HASH: capture(late), TAG: "x" * 200})
    night = world.run()
    assert (counts(night), open_rows(night)) == ((2, 0, 1, 1, 1), 0)
    again = world.run(as_of=AS_OF + timedelta(days=1))
    assert (counts(again), open_rows(again)) == ((2, 1, 0, 1, 1), 0)
    # A row in its way, which is asked for later, waits by its own time: the other one waits no more.
    world.deliver(HERE + "b.csv", {HASH: capture(with_board(device, world.factory))})
    night = world.run(as_of=AS_OF + timedelta(days=50), group_tag_limit=300)
    assert primary(night) == {(HERE + "a.csv", 3): "ALREADY_REGISTERED", (HERE + "b.csv", 2): "BOARD_REPLACED"}
    assert "AMBIGUOUS_MATCH" in night.reasons()[HERE + "b.csv", 2]
    assert counts(world.run(as_of=AS_OF + timedelta(days=139))) == (1, 0, 0, 1, 1)


def open_rows(night):
    report = night.result.folder / "report" / "contoso" / "report.json"
    return json.loads(report.read_text())["unfixed"]["rows"]


@pytest.mark.alone
def test_what_is_final_and_decided_again_is_not_counted_as_waiting(world):
    world.deliver(f"contoso/{STRANGER}/a.csv", {HASH: capture(world.factory.device())})
    assert counts(world.run(wait_days=0)) == (1, 0, 0, 1, 0)
    night = world.run(as_of=AS_OF + timedelta(days=90), reprocess=True)
    assert (counts(night), waits(world, night, "errors")) == ((1, 0, 0, 1, 0), ["no"])
    assert night.rejected["waits_for"].to_list() == [["delivery"]]
    night = world.run(as_of=AS_OF + timedelta(days=89))
    assert (counts(night), waits(world, night, "errors")) == ((1, 0, 0, 1, 1), ["yes"])
    assert night.rejected["waits_for"].to_list() == [["reference"]]


@pytest.mark.alone
def test_what_is_final_since_its_device_was_sold_and_decided_again_waits_no_more(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    ids = world.run().registered["device_id"]
    world.deliver(HERE + "b.csv", {HASH: capture(recaptured(device, world.factory)), TAG: "x" * 200})
    world.run()
    remove(world, ids, "sold")
    night = world.run(reprocess=True)
    assert (counts(night), waits(world, night), waits(world, night, "errors")) == ((2, 1, 0, 1, 0), ["no"], ["no"])
    assert counts(world.run())[-2:] == (0, 0)


def test_a_device_that_left_is_told_by_its_registration(world):
    row = {HASH: capture(world.factory.device())}
    world.deliver(HERE + "a.csv", row)
    ended = world.run().registered["device_id"]
    remove(world, ended, "sold")
    world.deliver(HERE + "b.csv", row | {TAG: "again"})
    night = world.run()
    assert primary(night) == {(HERE + "b.csv", 2): "DEVICE_LEFT"}
    told = night.rejected.row(0, named=True)
    assert told["matched_device_id"] == ended[0]
    assert told["evidence"] == f"asked for before, and ended: {ended[0]}"
