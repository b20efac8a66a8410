"""Several nights with devices that share an identity: who is registered as whom at the end."""

from dataclasses import replace

import polars as pl
import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import HP, recaptured, with_board, with_tpm
from tests.conftest import OTHER_TENANT, TENANT

SERIAL, PRODUCT_ID, HASH = "Device Serial Number", "Windows Product ID", "Hardware Hash"
MAKER, MODEL, TAG = "Manufacturer name", "Device model", "Group Tag"


def twins(world):
    """Two devices that differ in everything but the product ID."""
    one = world.factory.device(HP)
    return one, replace(world.factory.device(HP), product_id=one.product_id)


def whole(device):
    return {HASH: capture(device)}


def by_product_id(device):
    return {PRODUCT_ID: device.product_id}


def by_tuple(device):
    return {SERIAL: device.serial, MAKER: device.maker, MODEL: device.model}


def unlicensed(device, factory):
    """Captured again, without its product ID: known by its parts alone."""
    return replace(recaptured(device, factory), product_id=None)


def weak_record(device, via="partner_center"):
    return {"tenant_id": TENANT, "registered_via": via, "windows_product_id": device.product_id}


def play(world, *rows, tenant=TENANT, others=()):
    """A night with these rows alone, each in its file: their primary reasons, None for a registered row."""
    for path in world.inbox.rglob("*.csv"):
        path.unlink()
    claims = [(tenant, row) for row in rows] + [(OTHER_TENANT, row) for row in others]
    night = world.runs + 1
    paths = [f"contoso/{claimed}/night-{night}-{at}.csv" for at, (claimed, _) in enumerate(claims)]
    for path, (_, row) in zip(paths, claims, strict=True):
        # The tag makes each night's file another delivery: the same bytes would ask for nothing new.
        world.deliver(path, row | {TAG: f"night {night}"}, header=(SERIAL, PRODUCT_ID, HASH, MAKER, MODEL, TAG))
    reasons = world.run().reasons()
    return [(reasons[path, 2] or [None])[0] for path in paths]


def test_two_devices_with_one_product_id_register_and_the_bare_id_does_not(world):
    one, two = twins(world)
    assert play(world, by_product_id(one), whole(one), whole(two)) == ["AMBIGUOUS_MATCH", None, None]
    assert play(world, by_product_id(one)) == ["AMBIGUOUS_MATCH"]


def test_a_twin_of_a_registered_device_is_new(world):
    one, two = both = twins(world)
    assert play(world, whole(two)) == [None]
    assert play(world, whole(one)) == [None]
    again = [whole(recaptured(device, world.factory)) for device in both]
    assert play(world, *again) == ["ALREADY_REGISTERED"] * 2


def test_a_bare_id_does_not_lead_a_new_device_to_its_twin(world):
    one, two = twins(world)
    assert play(world, whole(two)) == [None]
    assert play(world, whole(one), by_product_id(one)) == [None, "AMBIGUOUS_MATCH"]


def test_a_weak_registration_is_neither_of_two_devices(world):
    one, two = twins(world)
    world.import_existing(weak_record(one))
    assert play(world, whole(one), whole(two)) == ["AMBIGUOUS_MATCH"] * 2
    # Nothing was learned: the one that comes alone is it.
    assert play(world, whole(recaptured(two, world.factory))) == ["ALREADY_REGISTERED"]
    assert play(world, whole(recaptured(one, world.factory))) == [None]


def test_a_weak_registration_learns_the_hash_of_its_device(world):
    one, two = twins(world)
    world.import_existing(weak_record(one))
    assert play(world, whole(one)) == ["ALREADY_REGISTERED"]
    assert play(world, whole(two)) == [None]
    assert play(world, whole(unlicensed(one, world.factory))) == ["ALREADY_REGISTERED"]
    assert play(world, others=[whole(unlicensed(one, world.factory))]) == ["REGISTERED_OTHER_TENANT"]


def test_a_registration_learns_nothing_from_another_tenant(world):
    one, two = twins(world)
    world.import_existing(weak_record(one))
    assert play(world, others=[whole(one)]) == ["REGISTERED_OTHER_TENANT"]
    assert play(world, whole(two)) == ["ALREADY_REGISTERED"]
    assert play(world, whole(unlicensed(two, world.factory))) == ["ALREADY_REGISTERED"]
    assert play(world, others=[whole(recaptured(one, world.factory))]) == [None]


def test_what_the_customer_registered_learns_too(world):
    one, two = twins(world)
    world.import_existing(weak_record(one, via="intune"))
    assert play(world, whole(one)) == ["REGISTERED_BY_CUSTOMER"]
    assert play(world, whole(two)) == [None]
    assert play(world, whole(unlicensed(one, world.factory))) == ["REGISTERED_BY_CUSTOMER"]


def test_what_was_learned_tells_a_new_board(world):
    factory = world.factory
    device = factory.device(HP)
    record = {"serial_number": device.serial, "manufacturer": device.maker, "model": device.model}
    world.import_existing({"tenant_id": TENANT, "registered_via": "partner_center"} | record)
    assert play(world, whole(device)) == ["ALREADY_REGISTERED"]
    assert play(world, whole(with_board(device, factory))) == ["BOARD_REPLACED"]


def test_the_hash_that_would_have_been_kept_is_learned(world):
    factory = world.factory
    device = factory.device(HP)
    earlier, later = replace(device, tpm_key=None), recaptured(device, factory)
    world.import_existing(weak_record(device))
    assert play(world, whole(earlier), whole(later)) == ["DUPLICATE_IN_BATCH", "ALREADY_REGISTERED"]
    # Only the later capture knew the old TPM; without its key the new one would be the same device.
    assert play(world, whole(with_tpm(device, factory))) == ["BOARD_REPLACED"]


def test_three_nights_and_two_tenants(world):
    one, two = twins(world)
    assert play(world, by_product_id(one)) == [None]
    assert play(world, whole(two), others=[whole(one)]) == ["ALREADY_REGISTERED", "REGISTERED_OTHER_TENANT"]
    mine = whole(recaptured(one, world.factory))
    assert play(world, others=[mine, by_product_id(one)]) == [None, "AMBIGUOUS_MATCH"]
    assert play(world, whole(recaptured(two, world.factory)), by_product_id(two)) == [
        "ALREADY_REGISTERED",
        "AMBIGUOUS_MATCH",
    ]


def test_a_stranger_s_bare_id_stops_one_device_and_not_two(world):
    one, two = twins(world)
    stranger = by_product_id(one)
    assert play(world, whole(one), whole(two), others=[stranger]) == [None, None, "AMBIGUOUS_MATCH"]
    device = world.factory.device(HP)
    assert play(world, whole(device), others=[by_product_id(device)]) == ["CONFLICTING_CLAIMS"] * 2
    assert play(world, whole(recaptured(device, world.factory))) == [None]


def test_weak_rows_of_one_device_are_its_duplicates(world):
    factory = world.factory
    device = factory.device(HP)
    both = by_product_id(device) | by_tuple(device)
    assert play(world, by_tuple(device), both, by_product_id(device), whole(device)) == ["DUPLICATE_IN_BATCH"] * 3 + [
        None
    ]
    assert play(world, by_tuple(device)) == ["ALREADY_REGISTERED"]


def test_a_contradicting_weak_row_is_for_review_alone(world):
    one, _ = twins(world)
    wrong = by_product_id(one) | by_tuple(world.factory.device(HP))
    assert play(world, whole(one), wrong) == [None, "AMBIGUOUS_MATCH"]
    assert play(world, wrong) == ["AMBIGUOUS_MATCH"]


def test_two_tuples_and_a_shared_id_do_not_join_two_devices(world):
    one, two = twins(world)
    weak = [by_product_id(one) | by_tuple(one), by_product_id(two) | by_tuple(two), by_product_id(one)]
    assert play(world, whole(one), whole(two), *weak) == [None, None] + ["AMBIGUOUS_MATCH"] * 3


def test_a_board_in_the_batch_stops_both_and_a_bare_id_stops_none(world):
    factory = world.factory
    device = factory.device(HP)
    repaired = with_board(device, factory)
    assert play(world, whole(device), whole(repaired)) == ["AMBIGUOUS_MATCH"] * 2
    assert play(world, whole(recaptured(device, factory)), by_tuple(device)) == [None, "DUPLICATE_IN_BATCH"]
    assert play(world, whole(repaired)) == ["BOARD_REPLACED"]
    assert play(world, by_product_id(repaired), whole(repaired)) == ["DUPLICATE_IN_BATCH", "BOARD_REPLACED"]


@pytest.mark.alone
def test_the_evidence_names_the_rows_met(world):
    one, two = twins(world)
    play(world, by_product_id(one), whole(one), whole(two))
    told = pl.read_parquet(sorted(world.home.glob("runs/*/rejected/*.parquet")), glob=False)["evidence"].item()
    assert f"contoso/{TENANT}/night-1-1.csv:2, contoso/{TENANT}/night-1-2.csv:2" in told
