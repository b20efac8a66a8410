"""What is said of one reason depends on the row: a departure, or what only a new delivery decides, is its partner's."""

import csv
import json

import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from pipeline.cli.summary import summary
from pipeline.errors import UsageError
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from pipeline.registry import Registry
from pipeline.report.telling import OURS
from tests.conftest import TENANT

SERIAL, PRODUCT_ID, HASH, _, _ = INTUNE
MAKER, MODEL = PARTNER_CENTER[3:]
ID = "Device ID"
HERE = f"contoso/{TENANT}/"
OUT = HERE + "departures/out.csv"


def leave(world, path, *rows):
    world.deliver(path, *rows, header=tuple(rows[0]))


def existing(device, **cells):
    own = {"serial_number": device.serial, "manufacturer": device.maker, "model": device.model}
    return {"tenant_id": TENANT, "registered_via": "partner_center", **own, **cells}


def of_partner(night, name):
    with (night.result.folder / "report" / "contoso" / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def own_report(night):
    return json.loads((night.result.folder / "report" / "contoso" / "report.json").read_text("utf-8"))


def page(night, partner="contoso/"):
    return (night.result.folder / "report" / partner / "index.html").read_text("utf-8")


def next_steps(night):
    return [line for line, _ in summary(night.manifest, night.result.folder) if line.startswith("next: ")]


def refused(world, word, place):
    where = ["--registry", str(world.registry), "--output", str(world.home / "runs")]
    said = ["review", "decide", f"run-{world.runs}", place, f"--{word}", "--by", "Ada", *where]
    with pytest.raises(UsageError) as error:
        CliRunner().invoke(cli, said, catch_exceptions=False, standalone_mode=False)
    return str(error.value)


def twice_registered(world):
    device = world.factory.device()
    world.import_existing(existing(device), existing(device) | {"manufacturer": "LENOVO", "model": "X"})
    return device


def test_a_departure_that_several_registrations_fit_is_its_partner_s_to_send_again(world):
    device = twice_registered(world)
    leave(world, OUT, {SERIAL: device.serial})
    night = world.run()
    (told,) = of_partner(night, "errors.csv")
    assert (told["Reason"], told["Who must act"], told["Waits"]) == ("AMBIGUOUS_MATCH", "partner", "no")
    assert told["In resubmit"] == "yes"
    assert "device ID" in told["What to do"]
    (again,) = of_partner(night, "departures-resubmit.csv")
    assert (again[SERIAL], again["What to do"]) == (device.serial, told["What to do"])
    (still,) = of_partner(night, "open.csv")
    assert (still["Who must act"], still["What to do"]) == ("partner", told["What to do"])
    report = own_report(night)
    assert report["owners"] == {"partner": 1, "customer": 0, "operator": 0, "nobody": 0}
    assert report["first"].startswith("First: put 1 row right; correct those in departures-resubmit.xlsx")
    assert "AMBIGUOUS_MATCH-departure" in page(night)
    assert OURS not in page(night)


def test_no_operator_is_sent_to_decide_a_departure(world):
    device = twice_registered(world)
    leave(world, OUT, {SERIAL: device.serial})
    night = world.run()
    assert night.manifest["rows"]["to_decide"] == 0
    (step,) = next_steps(night)
    assert "review" not in step
    assert "hand each partner its folder" in step
    assert "review decide" not in page(night, "")
    assert "names the device ID" in refused(world, "same", OUT + ":2")


def test_departures_beyond_the_limit_are_answered_by_the_limit(world):
    devices = [world.factory.device() for _ in range(30)]
    world.import_existing(*(existing(device) for device in devices))
    leave(world, OUT, *({SERIAL: device.serial} for device in devices[:21]))
    night = world.run()
    assert night.manifest["reasons"] == {"DEPARTURE_LIMIT": 21}
    assert next_steps(night) == ["next: yours to mend: `autopilot-intake explain DEPARTURE_LIMIT`"]
    assert "review decide" not in page(night, "")
    said = refused(world, "different", OUT + ":2")
    assert "--departure-limit" in said
    assert "device ID" not in said


def test_a_departure_and_a_registration_that_name_each_other_are_both_sent_again(world):
    device = world.factory.device()
    world.deliver(HERE + "a.csv", {HASH: capture(device)})
    leave(world, OUT, {SERIAL: device.serial})
    night = world.run()
    told = {line["File"]: line for line in of_partner(night, "errors.csv")}
    assert {line["Who must act"] for line in told.values()} == {"partner"}
    assert {line["In resubmit"] for line in told.values()} == {"yes"}
    assert all("end the row again" in line["What to do"] for line in told.values())
    assert [row["From"] for row in of_partner(night, "resubmit.csv")] == [HERE + "a.csv:2"]
    assert [row["From"] for row in of_partner(night, "departures-resubmit.csv")] == [OUT + ":2"]
    assert own_report(night)["owners"]["operator"] == 0
    assert night.manifest["rows"]["to_decide"] == 0
    again = (night.result.folder / "report" / "contoso" / "resubmit.csv").read_bytes()
    world.put(HERE + "again.csv", again)
    assert world.run().manifest["rows"]["registered"] == 1


def test_what_an_operator_can_decide_stays_with_the_operator_beside_departures(world):
    device, other = twice_registered(world), world.factory.device()
    world.import_existing(
        existing(other, windows_product_id=other.product_id),
        *(existing(device) | {"manufacturer": maker, "model": "X"} for maker in ("HP", "LENOVO")),
    )
    leave(world, OUT, {SERIAL: device.serial})
    world.deliver(
        HERE + "a.csv",
        {SERIAL: "5CG7654XYZ", PRODUCT_ID: other.product_id, MAKER: other.maker, MODEL: other.model},
        header=PARTNER_CENTER,
    )
    night = world.run()
    told = {line["File"]: line for line in of_partner(night, "errors.csv")}
    assert {file: (line["Reason"], line["Who must act"]) for file, line in told.items()} == {
        OUT: ("AMBIGUOUS_MATCH", "partner"),
        HERE + "a.csv": ("AMBIGUOUS_MATCH", "operator"),
    }
    assert told[HERE + "a.csv"]["What to do"] == OURS
    assert night.manifest["rows"]["to_decide"] == 1
    assert next_steps(night)[0].startswith("next: decide 1 review cases")
    report = own_report(night)
    assert {(one["meaning"], one["who"], one["rows"]) for one in report["reasons"]} == {
        ("AMBIGUOUS_MATCH", "operator", 1),
        ("AMBIGUOUS_MATCH-departure", "partner", 1),
    }
    assert page(night, "").count("review decide") == 1


@pytest.mark.parametrize(
    ("column", "code", "what"),
    [(SERIAL, "SERIAL_MISMATCH", "serial number"), (PRODUCT_ID, "PRODUCT_ID_MISMATCH", "product ID")],
)
def test_a_departure_that_contradicts_its_registration_is_told_of_that_and_of_no_hash(world, column, code, what):
    device = world.factory.device()
    world.import_existing(existing(device, windows_product_id=device.product_id))
    registered = Registry.open(world.registry, create=False).live().select("device_id").collect().item()
    wrong = {SERIAL: "5CG0000XXX", PRODUCT_ID: "3305123456789"}[column]
    cells = {PRODUCT_ID: device.product_id} if column == SERIAL else {ID: registered}
    leave(world, OUT, cells | {column: wrong})
    night = world.run()
    (told,) = of_partner(night, "errors.csv")
    assert told["Reason"] == code
    assert told["Expected"] == f"the {what} of the registration"
    (again,) = of_partner(night, "departures-resubmit.csv")
    for said in (*(told[name] for name in ("What is wrong", "Expected", "What to do")), again["What is wrong"]):
        assert "hash" not in said
    assert "inside the hardware hash" not in page(night)
