import tracemalloc
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decide import beside, decide, has_reason
from pipeline.decide.registered import MOST_NAMED
from pipeline.errors import Fault
from pipeline.match import candidates, match
from pipeline.match.existing import NoRecords
from schemas.device import COMPONENT_TYPES
from tests.match.test_matching import RECORDS, Registrations, batch, record
from tests.oracles import matcher as oracle

CUSTOMER = ("intune", "microsoft_365", "store")


def decided(
    records, tenants=None, registrations=(), registered_tenant="t", via="partner_center", ended=None, **columns
):
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
        existing = Registrations(list(registrations), registered_tenant, ended=ended)
        existing.frame = existing.frame.with_columns(registered_via=pl.lit(via, pl.String))
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
        ("t", None, "ALREADY_REGISTERED"),
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


B = record(tpm_ek_id="b", smbios_uuid="ub", serial_number="sb", manufacturer="HP", product_id="pa", model="m")
PKID = record(has_hash=False, product_id="pa")
BRIDGE = A | {"smbios_uuid": None, "serial_number": "sx", "mac_addresses": ["c"]}
ENDS = [A | {"serial_number": None}, BRIDGE, record(serial_number="sx", manufacturer="HP", mac_addresses=["c"])]
DUPLICATE, AMBIGUOUS, CLAIMS = {"DUPLICATE_IN_BATCH"}, {"AMBIGUOUS_MATCH"}, {"CONFLICTING_CLAIMS"}
ALREADY, OTHER, PROBABLE = {"ALREADY_REGISTERED"}, {"REGISTERED_OTHER_TENANT"}, {"PROBABLE_DUPLICATE"}
BOARD = record(tpm_ek_id="a", smbios_uuid="ua")


@pytest.mark.parametrize(
    ("records", "tenants", "registrations", "expected"),
    [
        # A shared product ID makes no devices one.
        ([A, B, PKID], "ttt", [], [set(), set(), AMBIGUOUS]),
        ([A, B, PKID], "ttu", [], [set(), set(), AMBIGUOUS]),
        ([A, B, PKID], "ttt", [B], [set(), ALREADY, AMBIGUOUS]),
        ([A, PKID], "tt", [B], [set(), AMBIGUOUS]),
        ([PKID], "t", [A, B], [AMBIGUOUS]),
        ([A, PKID], "tt", [A], [ALREADY, ALREADY | DUPLICATE]),
        ([A, B], "tt", [PKID], [AMBIGUOUS, AMBIGUOUS]),
        ([A, B], "tu", [PKID], [ALREADY, OTHER]),
        ([A, B], "uu", [PKID], [OTHER, OTHER]),
        ([A], "t", [PKID], [ALREADY]),
        ([A | {"product_id": None}, PKID], "tt", [TUPLE | {"product_id": "pa"}], [ALREADY, ALREADY]),
        ([A, B], "tt", [TUPLE | {"product_id": "pa"}], [ALREADY, AMBIGUOUS]),
        ([A, BOARD], "tt", [TUPLE | {"product_id": "px"}], [PROBABLE, PROBABLE | DUPLICATE]),
        # A chain past a "no" is no device, and none of its rows is a duplicate.
        (ENDS, "ttt", [], [AMBIGUOUS] * 3),
        (ENDS, "ttt", [ENDS[2]], [AMBIGUOUS] * 3),
        (ENDS[:2], "tt", [], [set(), DUPLICATE]),
        # A row without a hash never sends one with a hash to review; another tenant's claim does.
        ([A, PKID | {"serial_number": "sz", "manufacturer": "HP"}], "tt", [], [set(), AMBIGUOUS]),
        ([A, PKID], "tu", [], [CLAIMS, CLAIMS]),
        ([A, PKID, PKID | {"serial_number": "sz", "manufacturer": "HP"}], "ttt", [], [set(), AMBIGUOUS, AMBIGUOUS]),
        ([A, TUPLE | {"product_id": "px"}], "tt", [], [set(), set()]),
        # Mates tell what a row has no verdict on, and never what it has one on.
        ([A | {"product_id": None}, TUPLE | {"product_id": "pa"}], "tt", [PKID], [ALREADY, ALREADY | DUPLICATE]),
        ([A | {"product_id": None}, A | {"disk_serials": ["d"]}], "tt", [PKID], [ALREADY, ALREADY | DUPLICATE]),
        (
            [A | {"product_id": None}, TUPLE | {"product_id": "pa"}, B],
            "ttt",
            [PKID],
            [set(), AMBIGUOUS, ALREADY],
        ),
    ],
)
def test_evidence_against_outweighs_evidence_for(records, tenants, registrations, expected):
    decisions, codes = decided(records, list(tenants), registrations)
    assert codes == expected
    for told in decisions.filter(pl.col("AMBIGUOUS_MATCH")).iter_rows(named=True):
        assert told["evidence"]
        assert told["met_rows"] or told["matched_device_id"]


@pytest.mark.parametrize(
    ("records", "tenants", "registrations", "learns"),
    [
        ([A], "t", [PKID], ["device-0"]),
        ([A], "u", [PKID], [None]),
        ([A], "t", [A], [None]),
        ([PKID], "t", [PKID], [None]),
        ([TUPLE | {"product_id": "pa"}, A | {"product_id": None}], "tt", [PKID], [None, "device-0"]),
        ([A, B], "tu", [PKID], ["device-0", None]),
        ([A, B], "tt", [PKID], [None, None]),
        ([A, A | {"disk_serials": ["d"]}], "tt", [PKID], ["device-0", None]),
        ([A, A], "tu", [PKID], [None, None]),
        ([A, SWAPPED], "tt", [PKID], [None, None]),
    ],
)
@pytest.mark.parametrize("via", ["partner_center", "intune"])
def test_a_registration_without_a_hash_learns_one(records, tenants, registrations, learns, via):
    decisions, _ = decided(records, list(tenants), registrations, via=via)
    assert decisions["learns_device_id"].to_list() == learns


@pytest.mark.parametrize(
    ("records", "registrations", "matched"),
    [
        ([A, B], [PKID], [1, 0]),
        ([A, B, PKID], [], [None, None, 0]),
        ([A, SWAPPED], [], [1, 0]),
        ([A, PKID], [B], [None, 0]),
        ([A, PKID], [A], [None, 0]),
    ],
)
def test_who_is_at_odds_points_at_the_nearest(records, registrations, matched):
    assert decided(records, None, registrations)[0]["matched_row"].to_list() == matched


def test_the_latest_capture_is_learned():
    moments = [datetime(2025, 1, day, tzinfo=UTC) for day in (1, 3, 2)]
    decisions, _ = decided([A, A | {"disk_serials": ["d"]}, A], None, [PKID], captured_at=moments)
    assert decisions["learns_device_id"].to_list() == [None, "device-0", None]


def test_all_that_were_met_are_named_the_nearest_first():
    decisions, _ = decided([A, B, PKID, *ENDS[1:]], None, [])
    assert decisions["met_rows"].to_list()[2] == [0, 1, 3, 4]
    named = decided([A] * 9, ["t", *"uvwxyzab"])[0]["met_rows"].to_list()
    assert named[0] == [1, 2, 3, 4, 5]
    assert named[8][0] == 0
    assert {len(rows) for rows in named} == {5}


def test_of_several_conflicts_the_strongest_is_told():
    ours = A | {"product_id": "pq"}
    mate = record(has_hash=False, product_id="pq")
    decisions, codes = decided([SWAPPED, ours, A | {"serial_number": "sx"}, mate])
    assert codes == [AMBIGUOUS, AMBIGUOUS, AMBIGUOUS, AMBIGUOUS | DUPLICATE]
    for row in (1, 3):
        assert "in this delivery, contradiction: same TPM key" in decisions["evidence"][row]
        assert "board replaced" not in decisions["evidence"][row]


def test_of_several_mates_the_surest_is_heard():
    decisions, codes = decided([BOARD | {"product_id": "pa"}, A, BOARD], None, [TUPLE | {"product_id": "pa"}])
    assert codes == [ALREADY, ALREADY | DUPLICATE, ALREADY | DUPLICATE]
    assert "same: same serial number, product ID and model" in decisions["evidence"][2]


def test_of_what_mates_say_of_one_registration_the_most_telling_is_taken_over():
    without_tpm, bare = A | {"tpm_ek_id": None}, record(has_hash=False, product_id="pa")
    registered = A | {"smbios_uuid": "ux", "product_id": None}  # the same by its TPM key, without that another board
    decisions, codes = decided([without_tpm, A, bare], None, [registered])
    assert "BOARD_REPLACED" in codes[0]
    assert "ALREADY_REGISTERED" in codes[1] & codes[2]
    assert "BOARD_REPLACED" not in codes[2]
    assert "same TPM key" in decisions["evidence"][2]


def test_rows_that_share_a_uuid_name_each_other():
    decisions, codes = decided([A, B | {"smbios_uuid": "ua"}, B | {"tpm_ek_id": "c", "serial_number": "sc"}])
    assert codes == [{"UUID_COLLISION"}, {"UUID_COLLISION"}, set()]
    assert decisions["met_rows"].to_list() == [[1], [0], None]


def test_the_registration_named_is_the_first_by_verdict_then_id():
    other = {"serial_number": "sx", "manufacturer": "HP"}
    decisions, _ = decided([A], registrations=[SWAPPED, A | other, A | {"model": None}, A])
    assert decisions["matched_device_id"].item() == "device-2"


def test_a_crowd_goes_to_review(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 20)
    strangers = [record(smbios_uuid="cloned", serial_number=f"s{at}", manufacturer="HP") for at in range(40)]
    told_apart = [record(smbios_uuid="cloned", tpm_ek_id="t")]
    decisions, codes = decided([*strangers, *told_apart])
    assert codes == [AMBIGUOUS] * 40 + [{"UUID_COLLISION"}]
    assert "41 records share" in decisions["evidence"][0]
    another = record(smbios_uuid="cloned", serial_number="another", manufacturer="HP")
    assert decided([another], registrations=strangers)[1] == [AMBIGUOUS]


def test_one_device_of_many_tenants_costs_what_its_rows_cost():
    rows = 16_000
    tracemalloc.start()
    decisions, _ = decided([A] * rows, [f"t{at}" for at in range(rows)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decisions["CONFLICTING_CLAIMS"].all()
    assert decisions["met_rows"].list.len().max() == MOST_NAMED
    assert peak < 100_000_000


NIGHTS = st.lists(st.tuples(RECORDS, st.sampled_from("ttu")), min_size=2, max_size=6)


def primary(night, registrations):
    decisions, _ = decided([made for made, _ in night], [tenant for _, tenant in night], registrations)
    return decisions


@given(NIGHTS, st.lists(RECORDS, max_size=2), st.data())
def test_a_rejected_row_matters_only_to_those_that_name_it(night, registrations, data):
    whole = primary(night, registrations)
    rejected = [row for row, reason in enumerate(whole["reason"]) if reason]
    if not rejected:
        return
    gone = data.draw(st.sampled_from(rejected))
    rest = primary(night[:gone] + night[gone + 1 :], registrations)["reason"].to_list()
    kept = [row for row in range(len(night)) if row != gone]
    for row, reason in zip(kept, rest, strict=True):
        assert reason == whole["reason"][row] or gone in (whole["met_rows"].to_list()[row] or [])


@given(NIGHTS, st.lists(RECORDS, max_size=2))
def test_rows_without_a_hash_send_none_with_one_to_review(night, registrations):
    whole = primary(night, registrations)
    hashed = [row for row, (made, _) in enumerate(night) if made["has_hash"]]
    alone = primary([night[row] for row in hashed], registrations)
    for row, ambiguous in zip(hashed, alone["AMBIGUOUS_MATCH"].to_list(), strict=True):
        assert whole["AMBIGUOUS_MATCH"][row] == ambiguous
    for row in hashed:
        kept = whole["matched_row"][row]
        if whole["reason"][row] == "DUPLICATE_IN_BATCH" and kept in hashed:
            assert oracle.verdict(night[row][0], night[kept][0]) == "same"


@given(NIGHTS, st.lists(RECORDS, max_size=3))
def test_nothing_is_registered_past_a_verdict(night, registrations):
    whole = primary(night, registrations)
    records = [made for made, _ in night]
    registered = [other | {"device_id": at} for at, other in enumerate(registrations)]
    kept = [row for row, reason in enumerate(whole["reason"]) if reason is None]
    for row in kept:
        assert oracle.against(records[row], registered) == set()
        for other in kept:
            verdict = oracle.verdict(records[row], records[other])
            assert row == other or verdict not in {"same", "contradiction", "board replaced"}


def test_nothing_is_registered_that_was_never_matched():
    rows = pl.DataFrame(
        {"row": [0, 1], "tenant_id": ["t", "t"], "identity": ["hash", "hash"], "captured_at": [None, None]},
        {"row": pl.UInt32, "tenant_id": pl.String, "identity": pl.String, "captured_at": pl.Datetime("us", "UTC")},
    )
    with pytest.raises(Fault, match="never matched"):
        decide(rows, pl.DataFrame(), match(batch([A]), NoRecords()))


@pytest.mark.parametrize(("rows", "found"), [([0, 2], [1]), ([0, 2], [3]), ([0, 2], [2, 2]), ([], [0]), ([2, 0], [0])])
def test_nothing_is_put_beside_another_row(rows, found):
    rows, found = (pl.DataFrame({"row": one}, {"row": pl.UInt64}) for one in (rows, found))
    with pytest.raises(Fault, match="not of these rows"):
        beside(rows, found.with_columns(told=1))


def test_what_was_found_stands_beside_its_row():
    rows = pl.DataFrame({"row": [0, 2, 5], "name": ["a", "b", "c"]})
    assert beside(rows, pl.DataFrame({"row": [5, 0], "told": [1, 2]})).rows() == [
        (0, "a", 2),
        (2, "b", None),
        (5, "c", 1),
    ]
    assert beside(rows, pl.DataFrame({"row": []}, {"row": pl.Int64})).equals(rows)


def test_what_is_rejected_for_other_reasons_need_not_be_matched():
    rows = pl.DataFrame(
        {"row": [0, 1], "tenant_id": ["t", "t"], "identity": ["hash", "hash"], "captured_at": [None, None]},
        {"row": pl.UInt32, "tenant_id": pl.String, "identity": pl.String, "captured_at": pl.Datetime("us", "UTC")},
    )
    decisions = decide(rows, pl.DataFrame({"AUTH_PENDING": [False, True]}), match(batch([A]), NoRecords()))
    assert decisions["reason"].to_list() == [None, "AUTH_PENDING"]
    assert decisions["evidence"].to_list() == [None, None]


OTHER_BOARD = {"tpm_ek_id": "c", "smbios_uuid": "uc"}


@pytest.mark.parametrize(
    ("records", "tenants", "registrations", "ended", "codes", "repaired"),
    [
        ([A], "t", [SWAPPED], [3], [{"DEVICE_REPAIRED"}], ["device-0"]),
        ([A], "u", [SWAPPED], [3], [set()], [None]),
        ([A], "t", [A], [3], [set()], [None]),
        ([A], "t", [SWAPPED, A | OTHER_BOARD], [3, 5], [{"DEVICE_REPAIRED"}], ["device-1"]),
        ([A], "t", [SWAPPED, A | OTHER_BOARD], [5, 3], [{"DEVICE_REPAIRED"}], ["device-0"]),
        ([A], "t", [SWAPPED, A | OTHER_BOARD], [3, 3], [{"DEVICE_REPAIRED"}], ["device-0"]),
        ([A], "t", [SWAPPED, A], [3, None], [{"ALREADY_REGISTERED"}], ["device-1"]),
        ([A, A], "tt", [SWAPPED], [3], [{"DEVICE_REPAIRED"}, {"DUPLICATE_IN_BATCH"}], ["device-0", None]),
    ],
)
def test_a_device_whose_registration_ended_with_another_board_is_repaired(
    records, tenants, registrations, ended, codes, repaired
):
    decisions, found = decided(records, list(tenants), registrations, ended=ended)
    assert found == codes
    assert decisions["matched_device_id"].to_list() == repaired
    told = [evidence or "" for evidence in decisions["evidence"]]
    assert ["ended registration" in one for one in told] == ["DEVICE_REPAIRED" in code for code in codes]


def test_a_finding_that_could_not_be_made_rejects():
    findings = pl.DataFrame({"AUTH_PENDING": [None, False, True], "HASH_NO_TPM": [True, True, None]})
    assert has_reason(findings).to_list() == [True, False, True]


def test_the_columns_of_components_are_those_that_are_compared():
    assert set(record()) == set(COMPONENT_TYPES)
