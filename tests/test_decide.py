from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decide import decide, has_reason
from pipeline.errors import Fault
from pipeline.match import match
from pipeline.match.existing import NoRecords
from schemas.device import COMPONENT_TYPES
from tests.match.test_matching import RECORDS, Registrations, batch, record
from tests.oracles import matcher as oracle

CUSTOMER = ("intune", "microsoft_365", "store")


def decided(records, tenants=None, registrations=(), registered_tenant="t", via="partner_center", **columns):
    """Codes of each row, as sets."""
    rows = pl.DataFrame({"row": range(len(records))}, {"row": pl.UInt32}).with_columns(
        tenant_id=pl.Series(tenants or ["t"] * len(records), dtype=pl.String),
        identity=pl.Series(
            ["hash" if made["has_hash"] else "product_id" if made["product_id"] else "tuple" for made in records],
            dtype=pl.String,
        ),
        captured_at=pl.Series(columns.get("captured_at", [None] * len(records)), dtype=pl.Datetime("us", "UTC")),
    )
    existing = NoRecords()
    if registrations:
        existing = Registrations(list(registrations), registered_tenant)
        existing.frame = existing.frame.with_columns(registered_via=pl.lit(via))
    decisions = decide(rows, pl.DataFrame(), match(batch(records), existing))
    codes = [name for name, dtype in decisions.schema.items() if dtype == pl.Boolean]
    return decisions, [{code for code in codes if row[code]} for row in decisions.iter_rows(named=True)]


A = record(tpm_ek_id="a", smbios_uuid="ua", serial_number="sa", manufacturer="HP", product_id="pa", model="m")
SWAPPED = A | {"tpm_ek_id": "b", "smbios_uuid": "ub"}
TUPLE = record(has_hash=False, serial_number="sa", manufacturer="HP", model="m")


def test_one_row_of_a_device_is_kept():
    decisions, codes = decided([TUPLE, A, A | {"disk_serials": ["d"]}], captured_at=[None, None, None])
    assert codes == [{"DUPLICATE_IN_BATCH"}, set(), {"DUPLICATE_IN_BATCH"}]
    assert decisions["matched_row"].to_list() == [1, None, 1]
    assert "same" in decisions["evidence"][0]


def test_the_latest_capture_is_kept():
    moments = [datetime(2025, 1, day, tzinfo=UTC) for day in (1, 3, 2)]
    _, codes = decided([A, A, A], captured_at=moments)
    assert codes == [{"DUPLICATE_IN_BATCH"}, set(), {"DUPLICATE_IN_BATCH"}]


def test_two_tenants_get_nothing():
    decisions, codes = decided([A, A, A], tenants=["t", "u", "t"])
    assert codes == [{"CONFLICTING_CLAIMS"}, {"CONFLICTING_CLAIMS"}, {"CONFLICTING_CLAIMS", "DUPLICATE_IN_BATCH"}]
    assert decisions["reason"].to_list() == ["CONFLICTING_CLAIMS"] * 3
    assert decisions["matched_row"].to_list() == [1, 0, 0]
    assert decisions["evidence"].null_count() == 0


def test_a_board_swapped_within_the_batch_is_for_review():
    decisions, codes = decided([A, SWAPPED])
    assert codes == [{"AMBIGUOUS_MATCH"}] * 2
    assert decisions["matched_row"].to_list() == [1, 0]


def test_a_chain_whose_ends_contradict_registers_nothing():
    _, codes = decided([A, TUPLE, SWAPPED])
    assert all("AMBIGUOUS_MATCH" in found for found in codes)


@pytest.mark.parametrize(
    ("tenant", "via", "expected"),
    [
        ("t", "partner_center", "ALREADY_REGISTERED"),
        ("t", "oem_direct_api", "ALREADY_REGISTERED"),
        *(("t", via, "REGISTERED_BY_CUSTOMER") for via in CUSTOMER),
        ("u", "partner_center", "REGISTERED_OTHER_TENANT"),
        ("u", "intune", "REGISTERED_OTHER_TENANT"),
    ],
)
def test_the_same_device_is_registered_already(tenant, via, expected):
    decisions, codes = decided([A], registrations=[A], registered_tenant=tenant, via=via)
    assert codes == [{expected}]
    assert decisions["matched_device_id"].to_list() == ["device-0"]


@pytest.mark.parametrize(
    ("registrations", "expected"),
    [
        ([SWAPPED], "BOARD_REPLACED"),
        ([A, A], "AMBIGUOUS_MATCH"),
        ([A, SWAPPED], "AMBIGUOUS_MATCH"),
        ([A | {"serial_number": "sb"}], "AMBIGUOUS_MATCH"),
        ([TUPLE | {"product_id": "px"}], "PROBABLE_DUPLICATE"),
        ([A, TUPLE | {"product_id": "px"}], "ALREADY_REGISTERED"),
    ],
)
def test_verdicts_against_the_registry(registrations, expected):
    decisions, codes = decided([A], registrations=registrations)
    assert codes == [{expected}]
    assert decisions["matched_device_id"][0] is not None


def test_an_ambiguous_match_names_all():
    decisions, _ = decided([A], registrations=[A, SWAPPED])
    assert "device-0" in decisions["evidence"][0]
    assert "device-1" in decisions["evidence"][0]


def test_a_donor_s_disk_and_a_shared_uuid_are_warnings():
    other = record(tpm_ek_id="x", smbios_uuid="ua", serial_number="sx", manufacturer="HP", disk_serials=["d"])
    decisions, codes = decided([other], registrations=[A | {"disk_serials": ["d"]}])
    assert codes == [{"UUID_COLLISION", "DISK_OF_REGISTERED_DEVICE"}]
    assert decisions["reason"].to_list() == [None]
    assert decisions["matched_device_id"].to_list() == ["device-0"]


@given(st.lists(st.tuples(RECORDS, st.sampled_from("tu")), max_size=7), st.lists(RECORDS, max_size=3))
def test_nothing_is_registered_that_the_tables_forbid(claims, registrations):
    records = [made for made, _ in claims]
    tenants = [tenant for _, tenant in claims]
    _, codes = decided(records, tenants, registrations)
    kept = [at for at, found in enumerate(codes) if not found - {"UUID_COLLISION", "DISK_OF_REGISTERED_DEVICE"}]
    clusters = oracle.clusters(records)
    registered = [other | {"device_id": at} for at, other in enumerate(registrations)]
    assert len({clusters[at] for at in kept}) == len(kept)
    for at in kept:
        assert oracle.against(records[at], registered) == set()
        for other in range(len(records)):
            if other != at:
                assert oracle.verdict(records[at], records[other]) not in {"contradiction", "board replaced"}
            if clusters[other] == clusters[at]:
                assert tenants[other] == tenants[at]


@given(st.lists(RECORDS, max_size=7))
def test_of_every_undisputed_device_one_row_is_registered(records):
    _, codes = decided(records)
    clusters = oracle.clusters(records)
    for device in set(clusters):
        rows = [at for at in range(len(records)) if clusters[at] == device]
        disputed = any(
            oracle.verdict(records[at], records[other]) in {"contradiction", "board replaced"}
            for at in rows
            for other in range(len(records))
            if other != at
        )
        registered = [at for at in rows if not codes[at] - {"UUID_COLLISION"}]
        assert len(registered) == (0 if disputed else 1)


def test_nothing_is_registered_that_was_never_matched():
    rows = pl.DataFrame(
        {"row": [0, 1], "tenant_id": ["t", "t"], "identity": ["hash", "hash"], "captured_at": [None, None]},
        {"row": pl.UInt32, "tenant_id": pl.String, "identity": pl.String, "captured_at": pl.Datetime("us", "UTC")},
    )
    with pytest.raises(Fault, match="never matched"):
        decide(rows, pl.DataFrame(), match(batch([A]), NoRecords()))


def test_a_finding_that_could_not_be_made_rejects():
    findings = pl.DataFrame({"AUTH_PENDING": [None, False, True], "HASH_NO_TPM": [True, True, None]})
    assert has_reason(findings).to_list() == [True, False, True]


def test_the_columns_of_components_are_those_that_are_compared():
    assert set(record()) == set(COMPONENT_TYPES)
