import json

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from tests.conftest import TENANT

SERIAL, PRODUCT_ID, HASH, TAG, USER = INTUNE


def repairs(world, *lines):
    world.put(f"contoso/{TENANT}/a.csv", "\n".join([",".join((*INTUNE, "Note")), *lines]).encode())
    report = world.run().result.folder / "report"
    told = json.loads((report / "contoso" / "report.json").read_text())["repairs"]
    assert told == json.loads((report / "report.json").read_text())["repairs"]
    return [(line["source_line"], line["field"], line["before"], line["after"]) for line in told["listed"]]


def test_trimmed_values_are_told_with_their_blanks_and_identities_in_part(world):
    hash_ = capture(world.factory.device())
    assert repairs(world, f" 5CG1234ABC,, {hash_}, sales\t,ann@contoso.example,\u00a0note") == [
        (2, "Device Serial Number", "␣5C***BC", "5C***BC"),
        (2, "Hardware Hash", "4,001 characters, among them 1 of ' '", "4,000 characters"),
        (2, "Group Tag", "␣sales⇥", "sales"),
        (2, "Note", "⍽***", "***"),
    ]


def test_a_hash_in_another_column_is_not_told(world):
    (change,) = repairs(world, f",,,{capture(world.factory.device())} ,,")
    assert change[:2] == (2, "Group Tag")
    assert (change[2][:5], change[3][:5], len(change[3])) == ("T0***", "T0***", 7)


@pytest.mark.parametrize(
    ("damage", "before"),
    [
        (lambda text: text + "=", "4,001 characters"),
        (lambda text: f"{text[:9]}  {text[9:]}", "4,002 characters, among them 2 of ' '"),
        (lambda text: text.replace("+", "%2B"), None),
    ],
    ids=["padding", "blanks", "percent"],
)
def test_repaired_hashes_are_told_by_what_stood_in_them(world, damage, before):
    damaged = damage(capture(world.factory.device()))
    changes = repairs(world, f",,{damaged},,,")
    assert [(line, field, after) for line, field, _, after in changes] == [(2, "Hardware Hash", "4,000 characters")]
    assert before is None or changes[0][2] == before


def test_what_was_not_changed_is_not_told(world):
    hash_ = capture(world.factory.device())
    assert repairs(world, f",,{hash_},sales,,", "x,,not a hash,,,") == []
