import json
import random
from datetime import timedelta
from functools import partial

import polars as pl

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory, with_tpm
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from pipeline.registry import Registry
from tests.conftest import AS_OF, TENANT

SERIAL, PRODUCT_ID, HASH, TAG = INTUNE[:4]
PLACE = f"contoso/{TENANT}/"


def left(world):
    """File, line, and nights of what is open or waits, as the registry knows."""
    known = Registry.open(world.registry, create=False).requests()
    nights = (known.nights - pl.col("first_night") + 1).alias("nights")
    return sorted(known.pending.select("source_file", "line", nights).rows())


def left_after(night, world):
    night()
    return left(world)


def told(night, partner="contoso"):
    return json.loads((night.result.folder / "report" / partner / "report.json").read_text())


def test_a_row_is_known_again_until_it_is_fixed(world):
    device = world.factory.device()
    world.deliver(PLACE + "one.csv", {HASH: capture(device), TAG: "+x"})
    assert left_after(world.run, world) == [(PLACE + "one.csv", 2, 1)]
    world.deliver(PLACE + "two.csv", {HASH: capture(device), TAG: "=x"})
    second = world.run()
    assert left(world) == [(PLACE + "two.csv", 2, 2)]
    assert told(second)["rejected_rows"]["listed"][0]["nights"] == 2
    assert told(second)["unfixed"]["oldest"]["since"] == AS_OF.strftime("%Y-%m-%dT%H:%M:%SZ")
    world.deliver(PLACE + "three.csv", {HASH: capture(device), TAG: "x"})
    third = world.run()
    assert left(world) == []
    fixed = [{"source_file": PLACE + "two.csv", "source_line": 2, "reason": "FORMULA_CELL", "nights": 2}]
    assert told(third)["fixed"] == {"of": 1, "listed": fixed}
    assert told(world.run())["fixed"]["of"] == 0


WHOLE = {SERIAL: "5cg1234abc", "Manufacturer name": "HP", "Device model": "M1"}
HASHED = capture(Factory(random.Random(20260115)).device())
KNOWN_AGAIN = {
    # By the rows of one night, of the next, and by line and nights what is left of each after both.
    "by its serial number": ([{SERIAL: "5CG1234ABC"}], [WHOLE], {"one": [(2, 1)]}, {}),
    "by its product ID": (
        [{PRODUCT_ID: "3305123456789", TAG: "=x"}],
        [{PRODUCT_ID: "3305123456789"}],
        {"one": [(2, 1)]},
        {},
    ),
    "without identity by its text": (
        [{TAG: "x"}, {TAG: "x"}, {TAG: "y"}],
        [{TAG: "x"}],
        {"one": [(2, 1), (3, 1), (4, 1)]},
        {"one": [(4, 2)], "two": [(2, 2)]},
    ),
    "not by another row that registers its device": ([{HASH: HASHED}, {HASH: HASHED, TAG: "=x"}], [], {}, {}),
}


def test_a_row_is_known_by_whatever_it_names_its_device_by(world):
    for at, night in enumerate(("one", "two")):
        for case, rows in KNOWN_AGAIN.items():
            header = PARTNER_CENTER if WHOLE in rows[at] else None
            world.deliver(f"{PLACE}{case}/{night}.csv", *rows[at], header=header)
        found = left_after(world.run, world)
        for case, rows in KNOWN_AGAIN.items():
            own = [(name.rpartition("/")[2], *rest) for name, *rest in found if f"/{case}/" in name]
            assert own == [(f"{file}.csv", *row) for file, told in rows[2 + at].items() for row in told], case


def test_what_cannot_be_read_is_known_by_its_file(world):
    world.put(PLACE + "one.csv.gz", b"no gzip")
    assert left_after(world.run, world) == [(PLACE + "one.csv.gz", 0, 1)]
    assert left_after(partial(world.run, reprocess=True), world) == [(PLACE + "one.csv.gz", 0, 2)]


def test_the_same_device_of_another_partner_is_another_matter(world):
    world.deliver(PLACE + "one.csv", {PRODUCT_ID: "3305123456789", TAG: "=x"})
    world.run()
    world.deliver(f"northwind/{TENANT}/one.csv", {PRODUCT_ID: "3305123456789"})
    assert left_after(world.run, world) == [(PLACE + "one.csv", 2, 2)]


def test_a_duplicate_of_a_row_in_review_settles_nothing(world):
    device = world.factory.device()
    record = {"tenant_id": TENANT, "partner_id": "contoso", "registered_via": "partner_center"}
    world.import_existing(record | {"hardware_hash": capture(device)})
    replaced = {HASH: capture(with_tpm(device, world.factory))}
    world.deliver(PLACE + "one.csv", replaced, replaced)
    night = world.run()
    assert sorted(codes[0] for codes in night.reasons().values()) == ["BOARD_REPLACED", "DUPLICATE_IN_BATCH"]
    assert left(world) == [(PLACE + "one.csv", 2, 1), (PLACE + "one.csv", 3, 1)]
    assert told(night)["unfixed"]["rows"] == 1


def test_what_nobody_delivers_any_more_is_forgotten_at_last(world):
    world.deliver(PLACE + "one.csv", {TAG: "x"})
    world.run()
    for days, rows in ((89, 1), (90, 0)):
        assert told(world.run(as_of=AS_OF + timedelta(days=days)))["unfixed"]["rows"] == rows


def test_a_dry_run_looks_back_and_leaves_nothing_behind(world):
    world.deliver(PLACE + "one.csv", {PRODUCT_ID: "3305123456789", TAG: "=x"})
    world.run()
    world.put(PLACE + "two.csv", b"")
    for _ in range(2):
        assert told(world.run(dry_run=True))["unfixed"]["oldest"]["nights"] == 2


def test_a_corrected_resubmission_registers_and_the_report_says_so(world):
    device = world.factory.device()
    world.deliver(PLACE + "one.csv", {HASH: capture(device), TAG: "x" * 200}, {SERIAL: "SN1"})
    first = world.run()
    content = (first.result.folder / "report" / "contoso" / "resubmit.csv").read_bytes()
    rows = pl.read_csv(content, infer_schema=False)
    corrected = rows.with_columns(pl.col(TAG).str.head(10))
    world.put(PLACE + "again.csv", corrected.write_csv().encode())
    second = world.run()
    assert second.registered["source_file"].to_list() == [PLACE + "again.csv"]
    assert [row["source_line"] for row in told(second)["fixed"]["listed"]] == [2]
    assert told(second)["unfixed"]["rows"] == 1
    assert "Fixed since the last run: 1 row" in (second.result.folder / "report" / "contoso" / "index.html").read_text()


def test_what_waits_is_no_longer_open_once_another_row_of_its_device_is_carried_out(world):
    device = world.factory.device()
    late = world.deliver(PLACE + "one.csv", {HASH: capture(device), TAG: "x" * 200})
    assert told(world.run())["unfixed"]["rows"] == 1
    content = late.read_bytes()
    late.unlink()
    world.deliver(PLACE + "two.csv", {HASH: capture(device)})
    second = told(world.run())
    assert (second["unfixed"]["rows"], second["fixed"]["of"]) == (0, 1)
    late.write_bytes(content)
    third = world.run()
    assert third.manifest["rows"]["waiting"] == 1
    assert (told(third)["unfixed"]["rows"], told(third)["fixed"]["of"]) == (0, 0)
