"""A row is its file and line: in whatever order staged rows come back, each is published as it was decided."""

import polars as pl
import pytest

from pipeline.errors import Fault
from pipeline.intake.staging import Staging
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from tests.conftest import TENANT

HASH, TAG = INTUNE[2:4]
STRANGER = "33333333-3333-4333-8333-333333333333"


@pytest.fixture
def two_tenants(world, monkeypatch):
    """A row for a customer that has authorized its partner, and one for a customer that has not, in a part each."""
    monkeypatch.setattr("pipeline.intake.schedule._MOST_TOGETHER", 1)
    world.deliver(f"contoso/{TENANT}/a.csv", {HASH: capture(world.factory.device())})
    world.deliver(f"contoso/{STRANGER}/b.csv", {HASH: capture(world.factory.device())})
    return world


def other_parts(monkeypatch, damage):
    bundles = Staging.bundles
    monkeypatch.setattr(Staging, "bundles", lambda staging, rows: damage([*bundles(staging, rows)]))


def test_parts_in_another_order_register_nothing_else(two_tenants, monkeypatch):
    other_parts(monkeypatch, lambda bundles: [parts[::-1] for parts in bundles[::-1]])
    night = two_tenants.run()
    assert night.registered.select("source_file", "tenant_id").rows() == [(f"contoso/{TENANT}/a.csv", TENANT)]
    assert night.rejected.select("source_file", "reason").rows() == [
        (f"contoso/{STRANGER}/b.csv", "AUTH_NO_RELATIONSHIP")
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda bundles: [parts[:1] for parts in bundles],
        lambda bundles: [[*parts, parts[0]] for parts in bundles],
        lambda bundles: [*bundles, bundles[0]],
        lambda bundles: [[parts[0]] for parts in bundles] * 2,
    ],
    ids=["lost", "twice in one bundle", "in two bundles", "in the place of another"],
)
def test_a_part_that_is_lost_or_comes_twice_is_a_fault(two_tenants, monkeypatch, damage):
    other_parts(monkeypatch, damage)
    with pytest.raises((Fault, pl.exceptions.ComputeError)):
        two_tenants.run()
    assert [path.name for path in (two_tenants.home / "runs").iterdir() if path.name.startswith("run-")] == []
