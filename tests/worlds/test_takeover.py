"""A registry of an earlier version, and what its published runs knew: taken over once."""

import shutil
from pathlib import Path

import pytest

from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from tests.conftest import AUTHORIZATIONS, OTHER_TENANT, TENANT, TENANTS, World

EARLIER = Path(__file__).parent / "fixtures" / "earlier"
"""Two nights of the version before, and a removal after them: `a.csv`: two devices registered, a row that names none;
`b.csv`: a device claimed twice, one with a new board, a product ID (registered, and removed since) and it again;
`c.csv`: the other claim; `waits.csv`: a row that waits for consent, and one that names no device."""

HERE = f"contoso/{TENANT}/"
STRANGER = "33333333-3333-4333-8333-333333333333"
WAITING = {
    (HERE + "b.csv", 3): "BOARD_REPLACED",
    (f"contoso/{OTHER_TENANT}/c.csv", 2): "REGISTERED_OTHER_TENANT",
    (f"contoso/{STRANGER}/waits.csv", 2): "AUTH_NO_RELATIONSHIP",
}


@pytest.fixture
def earlier(tmp_path, factory):
    home = tmp_path / "earlier"
    shutil.copytree(EARLIER, home)
    return World(home, factory, runs=2)


def primary(night):
    return {place: codes[0] if codes else None for place, codes in night.reasons().items()}


def test_only_what_waits_is_decided_again_and_is_known_since_when(earlier):
    night = earlier.run()
    assert primary(night) == WAITING
    assert night.manifest["rows"]["first_time"] == 0
    pending = Registry.open(earlier.registry, create=False).requests().pending
    since = dict(pending.select("source_file", "first_run").filter(pending["line"] == 3).rows())
    assert since[f"contoso/{STRANGER}/waits.csv"] == "run-1"
    for options in ({}, {"reprocess": True}):
        assert earlier.run(**options).registered.is_empty()


def test_it_is_taken_over_once(earlier):
    earlier.run()
    shutil.rmtree(earlier.home / "runs")
    assert primary(earlier.run()) == WAITING
    known = Registry.open(earlier.registry, create=False).requests().files
    earlier.run()
    assert Registry.open(earlier.registry, create=False).requests().files.equals(known)


def test_consent_that_comes_later_works(earlier):
    earlier.reference("authorizations.csv", AUTHORIZATIONS + f"contoso,{STRANGER},active,2024-01-01T00:00:00Z,\n")
    earlier.reference("tenants.csv", TENANTS + f"{STRANGER},EU,public,\n")
    assert earlier.run().registered["source_file"].to_list() == [f"contoso/{STRANGER}/waits.csv"]


def test_a_list_does_not_bring_back_what_was_removed_before(earlier):
    earlier.deliver(HERE + "d.csv", {INTUNE[1]: "3305123456789", INTUNE[3]: "new"})
    assert primary(earlier.run())[HERE + "d.csv", 2] == "DEVICE_LEFT"
