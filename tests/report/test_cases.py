import json

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import with_tpm
from pipeline.lab.synthesize.night import INTUNE
from tests.conftest import OTHER_TENANT, TENANT

SERIAL, _, HASH = INTUNE[:3]


@pytest.fixture
def device(world):
    return world.factory.device()


def cases(world, *partners):
    report = world.run().result.folder / "report"
    return [
        json.loads((report / partner / "report.json").read_text())["matching"]["cases"] for partner in ("", *partners)
    ]


def replace_tpm(world, device, tenant=TENANT, partner="contoso", name="a.csv"):
    record = {"tenant_id": tenant, "partner_id": partner, "registered_via": "partner_center"}
    world.import_existing(record | {"hardware_hash": capture(device)})
    world.deliver(f"contoso/{TENANT}/{name}", {HASH: capture(with_tpm(device, world.factory))})


def test_a_case_puts_both_sides_together_and_shows_them_in_part(world, device):
    replace_tpm(world, device)
    report = world.run().result.folder / "report"
    of_run, of_partner = (
        json.loads((page / "report.json").read_text())["matching"] for page in (report, report / "contoso")
    )
    assert [(step["verdict"], step["pairs"]) for step in of_run["histogram"]] == [("board replaced", 1)]
    of_run, of_partner = of_run["cases"], of_partner["cases"]
    assert of_run == of_partner
    assert of_run["of"] == 1
    case = of_run["listed"][0]
    assert (case["source_file"], case["source_line"]) == (f"contoso/{TENANT}/a.csv", 2)
    assert case["reason"] == "BOARD_REPLACED"
    relations = {part["component"]: part["relation"] for part in case["components"]}
    assert (relations["TPM key"], relations["serial number"], relations["UUID"]) == ("≠", "=", "=")
    assert device.serial not in json.dumps(case)
    shown = next(part for part in case["components"] if part["component"] == "serial number")
    assert shown["here"] == shown["there"] == f"{device.serial[:2]}***{device.serial[-2:]}"


def test_a_partner_sees_no_device_of_another_tenant_or_partner(world):
    for at, (tenant, partner) in enumerate([(OTHER_TENANT, "contoso"), (TENANT, "northwind"), (TENANT, "")]):
        replace_tpm(world, world.factory.device(), tenant, partner, name=f"{at}.csv")
    of_run, of_partner = cases(world, "contoso")
    assert len(of_run["listed"]) == 3
    assert of_partner == {"of": 3, "listed": []}


def test_rows_of_one_delivery_are_the_two_sides_of_a_contradiction(world, device):
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(device)}, {HASH: capture(with_tpm(device, world.factory))})
    of_run, of_partner = cases(world, "contoso")
    assert of_run == of_partner
    sides = [(case["source_line"], case["other_line"], case["other_device"]) for case in of_run["listed"]]
    assert sides == [(2, 3, None), (3, 2, None)]


def test_two_customers_claims_are_shown_to_the_operator_alone(world, device):
    for partner, tenant in (("contoso", TENANT), ("northwind", OTHER_TENANT)):
        world.deliver(f"{partner}/{tenant}/a.csv", {HASH: capture(device)})
    of_run, *of_partners = cases(world, "contoso", "northwind")
    assert len(of_run["listed"]) == 2
    assert [own["listed"] for own in of_partners] == [[], []]
