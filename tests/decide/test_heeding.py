"""An operator's word on a row, as a table: what it lifts, and what it never does."""

import polars as pl
import pytest

from pipeline.decide import decide
from pipeline.match import match
from pipeline.requests.words import no_words
from tests.match.test_matching import Registrations, batch, record

A = record(tpm_ek_id="a", smbios_uuid="ua", serial_number="sa", manufacturer="HP", product_id="pa", model="m")
SWAPPED = A | {"tpm_ek_id": "b", "smbios_uuid": "ub"}
STRANGER = record(tpm_ek_id="z", smbios_uuid="uz", serial_number="sz", manufacturer="HP", model="m")
BY_SERIAL = record(has_hash=False, serial_number="sa", manufacturer="HP", model="m")
BY_PRODUCT = record(has_hash=False, product_id="pa")
BOTH = record(has_hash=False, serial_number="sa", manufacturer="HP", product_id="pa", model="m")


def ids(registrations):
    return Registrations(list(registrations), "t").frame["device_id"].to_list()


def heard(records, registrations, decision, named, *, via="partner_center", is_of=None, tenant="t"):
    """Codes of the first row, on which somebody has said something, and what it is matched to."""
    existing = Registrations(list(registrations), tenant)
    rows = pl.DataFrame({"row": range(len(records))}, {"row": pl.UInt64}).with_columns(
        tenant_id=pl.lit("t"),
        identity=pl.Series(["hash" if one["has_hash"] else "tuple" for one in records]),
        captured_at=pl.lit(None, pl.Datetime("us", "UTC")),
    )
    word = {"row": 0, "decision": decision, "decided_on": list(named), "device_id": is_of, "registered_via": via}
    words = pl.DataFrame([word], {name: no_words().schema[name] for name in word})
    devices = batch(records).with_columns(pl.col("row").cast(pl.UInt64))
    decisions = decide(rows, pl.DataFrame(), match(devices, existing), words=words)
    codes = [name for name, dtype in decisions.schema.items() if dtype == pl.Boolean]
    first = decisions.row(0, named=True)
    return {code for code in codes if first[code]}, first


@pytest.mark.parametrize(
    ("rows", "registered", "codes"),
    [
        ([SWAPPED], [A], set()),
        ([BOTH], [BY_SERIAL, BY_PRODUCT], set()),
        ([A], [A], {"ALREADY_REGISTERED"}),
        ([SWAPPED, A], [A], {"AMBIGUOUS_MATCH", "BOARD_REPLACED"}),
    ],
)
def test_another_device_is_let_through_where_only_the_named_stand_in_its_way(rows, registered, codes):
    found, _ = heard(rows, registered, "different", ids(registered))
    assert found - {"DISK_OF_REGISTERED_DEVICE"} == codes


@pytest.mark.parametrize("named", [0, 1])
def test_a_registration_that_nobody_named_stops_the_row(named):
    registered = [BY_SERIAL, BY_PRODUCT]
    found, _ = heard([BOTH], registered, "different", [ids(registered)[named]])
    assert found == {"AMBIGUOUS_MATCH"}


def test_who_is_the_same_as_another_tenants_registrations_is_not_let_through():
    registered = [BY_SERIAL, BY_PRODUCT]
    found, _ = heard([BOTH], registered, "different", ids(registered), tenant="u")
    assert found == {"AMBIGUOUS_MATCH"}


@pytest.mark.parametrize(
    ("via", "code"), [("partner_center", "ALREADY_REGISTERED"), ("intune", "REGISTERED_BY_CUSTOMER")]
)
@pytest.mark.parametrize(("row", "registered"), [(SWAPPED, A), (STRANGER, A)])
def test_who_is_a_registration_never_registers_even_where_it_meets_nothing(row, registered, via, code):
    device = ids([registered])[0]
    found, first = heard([row], [registered], "same", [device], via=via, is_of=device)
    assert found == {code}
    assert (first["matched_device_id"], first["learns_device_id"]) == (device, None)


def test_who_is_a_registration_that_has_ended_is_not_said_to_be_it():
    device = ids([A])[0]
    found, _ = heard([SWAPPED], [A], "same", [device], via=None, is_of=device)
    assert found == {"BOARD_REPLACED"}
