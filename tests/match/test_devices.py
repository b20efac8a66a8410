from itertools import combinations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.match import candidates, match
from pipeline.match.existing import NoRecords
from tests.match.test_matching import RECORDS, Registrations, batch, record
from tests.oracles import matcher as oracle

A = record(tpm_ek_id="a", smbios_uuid="ua", serial_number="sa", manufacturer="HP", product_id="p", model="m")
B = record(tpm_ek_id="b", smbios_uuid="ub", serial_number="sb", manufacturer="HP", product_id="p", model="m")
PKID = record(has_hash=False, product_id="p")
TUPLE = record(has_hash=False, serial_number="sa", manufacturer="HP", model="m")
BOTH = TUPLE | {"product_id": "p"}
# A and its neighbour are the same by the TPM key, the neighbour and its other end by serial number and card.
NEIGHBOUR = record(tpm_ek_id="a", serial_number="sx", manufacturer="HP", mac_addresses=["c"])
NAMELESS = record(tpm_ek_id="a", smbios_uuid="ua")
END = record(smbios_uuid="ux", serial_number="sx", manufacturer="HP", mac_addresses=["c"])
SERIAL_ALONE = record(serial_number="sa", manufacturer="HP", model="m")
CAPTURE = SERIAL_ALONE | {"disk_serials": ["d"]}


def formed(records, registrations=()):
    existing = Registrations(list(registrations)) if registrations else NoRecords()
    profiles = match(batch(records), existing).profiles
    return profiles["device"].to_list(), profiles["in_doubt"].to_list()


@pytest.mark.parametrize(
    ("records", "devices", "in_doubt"),
    [
        ([A, A | {"disk_serials": ["d"]}], [0, 0], [False, False]),
        ([A, B], [0, 1], [False, False]),
        ([A, B, PKID], [0, 1, 2], [False, False, True]),
        ([A, B, PKID, PKID | {"model": "m"}], [0, 1, 2, 3], [False, False, True, True]),
        ([PKID, A], [0, 0], [False, False]),
        ([A, PKID, TUPLE], [0, 0, 0], [False, False, False]),
        ([PKID, BOTH, TUPLE], [0, 0, 0], [False, False, False]),
        ([NAMELESS, NEIGHBOUR, END], [0, 0, 0], [True, True, True]),
        ([NAMELESS, NEIGHBOUR], [0, 0], [False, False]),
        ([NAMELESS, NEIGHBOUR, END, TUPLE | {"serial_number": "sx"}], [0, 0, 0, 3], [True, True, True, False]),
        ([A, PKID, BOTH | {"serial_number": "sz"}], [0, 0, 0], [False, True, True]),
        ([PKID, BOTH, BOTH | {"serial_number": "sz"}], [0, 0, 0], [True, True, True]),
        ([TUPLE, SERIAL_ALONE, SERIAL_ALONE], [0, 1, 2], [True, False, False]),
        ([CAPTURE, CAPTURE | {"model": "other"}, TUPLE], [0, 0, 0], [False, False, True]),
        ([A, PKID, BOTH], [0, 0, 0], [False, False, False]),
        ([TUPLE | {"model": None}] * 2, [0, 1], [False, False]),
        ([A, TUPLE, A, TUPLE], [0, 0, 0, 0], [False] * 4),
    ],
)
def test_devices(records, devices, in_doubt):
    assert formed(records) == (devices, in_doubt)


@pytest.mark.parametrize(
    ("records", "registrations", "in_doubt"),
    [
        ([A, PKID], [B], [False, True]),
        ([A, PKID], [A], [False, False]),
        ([PKID], [A, B], [True]),
        ([PKID], [A], [False]),
        ([A, PKID], [PKID], [False, False]),
        ([PKID, BOTH], [A, B], [True, True]),
        ([A, A | {"disk_serials": ["d"]}], [A, A], [False, False]),
        ([A, PKID], [A, PKID], [False, False]),
        ([PKID, PKID | {"model": "m"}], [A], [False, False]),
    ],
)
def test_a_registration_with_a_hash_counts_as_a_device(records, registrations, in_doubt):
    assert formed(records, registrations)[1] == in_doubt


@given(st.lists(RECORDS, max_size=7))
def test_a_device_with_hashes_is_sure_only_where_all_its_pairs_are_the_same(records):
    profiles = match(batch(records), NoRecords()).profiles
    told = list(zip(records, *(profiles[name].to_list() for name in ("device", "in_doubt")), strict=True))
    hashed = [row for row in told if row[0]["has_hash"]]
    for (left, device, in_doubt), (right, other, _) in combinations(hashed, 2):
        if device == other and not in_doubt:
            assert oracle.verdict(left, right) == "same"
        if oracle.verdict(left, right) == "same":
            assert device == other
    alone = match(batch([row[0] for row in hashed]), NoRecords()).profiles
    assert alone["in_doubt"].to_list() == [row[2] for row in hashed]


def test_a_pair_that_was_never_compared_does_not_merge(monkeypatch):
    chain = [A | {"product_id": None}, A | {"smbios_uuid": None, "disk_serials": ["d"]}, A | {"disk_serials": ["e"]}]
    whole = match(batch(chain), NoRecords())
    assert whole.profiles["in_doubt"].to_list() == [False] * 3
    unjudged = pl.DataFrame({"left": [0, 1], "right": [1, 2]}, {"left": pl.UInt32, "right": pl.UInt32})
    nobody = {"left": pl.UInt32, "key": pl.String, "holders": pl.UInt32}
    monkeypatch.setattr("pipeline.match.matching.pairs_within", lambda _: (unjudged, pl.DataFrame(schema=nobody)))
    assert match(batch(chain), NoRecords()).profiles["in_doubt"].to_list() == [True] * 3


def test_a_crowd_of_rows_without_a_hash_hides_no_row_with_one(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 20)
    typed = [record(has_hash=False, product_id=f"p{at}", serial_number="sa", manufacturer="HP") for at in range(10)]
    matches = match(batch([A, A | {"disk_serials": ["d"]}, *typed]), NoRecords())
    assert matches.crowded["profile"].unique().sort().to_list() == list(range(2, 12))
    assert matches.profiles["device"].to_list()[:2] == [0, 0]


def test_a_shared_product_id_alone_makes_no_pair_and_no_crowd_of_rows_with_hashes(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 20)
    matches = match(batch([record(tpm_ek_id=f"t{at}", product_id="p") for at in range(50)]), NoRecords())
    assert matches.within.is_empty()
    assert matches.crowded.is_empty()
