"""Nights made to confuse: keys shared between different devices, chains of mixed kinds, two tenants, weak records."""

from datetime import UTC, datetime

import polars as pl
from hypothesis import given, note
from hypothesis import strategies as st

from pipeline.decide import decide
from pipeline.match import match
from tests.match.test_matching import NOTHING, Registrations, batch
from tests.oracles import devices as oracle
from tests.oracles.matcher import relation, serial_of

WARNINGS = {"UUID_COLLISION", "DISK_OF_REGISTERED_DEVICE"}
SETTLED = {"DUPLICATE_IN_BATCH", "ALREADY_REGISTERED"}
VIAS = ("partner_center", "oem_direct_api", "intune", "microsoft_365", "store")

few = st.sampled_from
# No two of these serial numbers are damaged forms of each other.
SERIALS, MODELS, PRODUCT_IDS = ("CDF", "GHK", "MNP"), ("m1", "m2"), ("p1", "p2", "p3")


def hash_record(draw, number):
    """A capture: a serial number always, the rest its own, shared with others, or unknown."""
    own = f"own-{number}"
    return NOTHING | {
        "tpm_ek_id": draw(few([None, "t1", "t2", own])),
        "smbios_uuid": draw(few([None, "u1", "u2", own])),
        "serial_number": draw(few([*SERIALS, f"QRV{'CDFGHKMNP'[number]}"])),
        "manufacturer": "HP",
        "model": draw(few(MODELS)),
        "product_id": draw(few([None, *PRODUCT_IDS])),
        "mac_addresses": draw(few([[], ["a"], ["b"], ["a", "b"]])),
        "disk_serials": draw(few([[], ["d"], ["e"]])),
    }


def weak_record(draw, kind):
    """A row without a hash: a product ID, which may come with a serial number, or a tuple."""
    product_id = draw(few(PRODUCT_IDS)) if kind == "product_id" else None
    serial = draw(few(SERIALS if kind == "tuple" else [None, *SERIALS]))
    return NOTHING | {
        "has_hash": False,
        "product_id": product_id,
        "serial_number": serial,
        "manufacturer": "HP" if serial else None,
        "model": draw(few(MODELS if kind == "tuple" else [None, *MODELS])),
    }


@st.composite
def records(draw, number):
    kind = draw(few(["hash", "hash", "product_id", "tuple"]))
    return kind, hash_record(draw, number) if kind == "hash" else weak_record(draw, kind)


@st.composite
def nights(draw):
    """Rows of a batch, three to six, and up to three registrations."""
    rows = []
    for number in range(draw(st.integers(2, 6))):
        kind, made = draw(records(number))
        day = draw(st.integers(1, 3)) if kind == "hash" else None
        moment = day and datetime(2025, 1, day, tzinfo=UTC)
        rows.append(made | {"tenant_id": draw(few("tttu")), "identity": kind, "captured_at": moment})
    known = []
    for number in range(draw(st.integers(0, 3))):
        _, made = draw(records(6 + number))
        place = {"tenant_id": draw(few("ttu")), "registered_via": draw(few(VIAS[:3])), "device_id": f"device-{number}"}
        known.append(made | place)
    return rows, known


def decided(rows, known):
    """What the program decides: a frame, and the codes of each row without warnings."""
    existing = Registrations([_components(made) for made in known], ids=[made["device_id"] for made in known])
    existing.frame = existing.frame.with_columns(
        pl.Series(name, [made[name] for made in known], dtype=pl.String) for name in ("tenant_id", "registered_via")
    )
    frame = pl.DataFrame(
        {name: [row[name] for row in rows] for name in ("tenant_id", "identity", "captured_at")},
        {"tenant_id": pl.String, "identity": pl.String, "captured_at": pl.Datetime("us", "UTC")},
    ).with_row_index("row")
    found = decide(frame, pl.DataFrame(), match(batch([_components(row) for row in rows]), existing))
    codes = [name for name, dtype in found.schema.items() if dtype == pl.Boolean and name not in WARNINGS]
    return found, [{code for code in codes if row[code]} for row in found.iter_rows(named=True)]


def _components(made):
    return {name: made[name] for name in NOTHING}


def told(rows, known):
    for made in [*rows, *known]:
        note({name: value for name, value in made.items() if value not in (None, [])})


@given(nights())
def test_the_same_rows_are_carried_out_as_by_the_rules(night):
    told(*night)
    _, codes = decided(*night)
    assert [not found for found in codes] == [not found for found in oracle.decide(*night).codes]


@given(nights())
def test_every_row_has_the_codes_that_the_rules_say(night):
    told(*night)
    found, codes = decided(*night)
    expected = oracle.decide(*night)
    assert codes == expected.codes
    for row, kept in expected.kept.items():
        if found["reason"][row] == "DUPLICATE_IN_BATCH":
            assert found["matched_row"][row] == kept


@given(nights(), st.data())
def test_a_rejected_row_changes_nothing_for_rows_that_never_met_it(night, data):
    rows, known = night
    told(rows, known)
    found, before = decided(rows, known)
    rejected = [at for at, codes in enumerate(before) if codes]
    if not rejected:
        return
    gone = data.draw(few(rejected))
    _, after = decided(rows[:gone] + rows[gone + 1 :], known)
    for at in range(len(rows)):
        if at != gone and at not in met(rows, gone) and found["matched_row"][at] != gone:
            assert after[at - (at > gone)] == before[at]


def met(rows, row):
    """The rows that a row has a verdict with, directly or through rows that are the same as it or as these."""
    count = range(len(rows))
    reached = {at for at in count if at == row or oracle.made(rows[row], rows[at])}
    while more := {b for a in reached for b in count if oracle.made(rows[a], rows[b]) == "same"} - reached:
        reached |= more
    return reached


@given(nights())
def test_rows_without_a_hash_send_no_row_with_one_to_review(night):
    rows, known = night
    told(rows, known)
    tenants = {row["tenant_id"] for row in rows}
    _, before = decided(rows, known)
    hashed = [at for at, row in enumerate(rows) if row["has_hash"]]
    if not hashed:
        return
    _, alone = decided([rows[at] for at in hashed], known)
    for place, at in enumerate(hashed):
        for code in ("AMBIGUOUS_MATCH", "BOARD_REPLACED", "PROBABLE_DUPLICATE", "DUPLICATE_IN_BATCH"):
            assert (code in before[at]) <= (code in alone[place])
        assert ("CONFLICTING_CLAIMS" in before[at]) <= ("CONFLICTING_CLAIMS" in alone[place] or len(tenants) > 1)


@given(nights())
def test_a_row_with_a_hash_is_never_taken_for_a_different_device(night):
    rows, known = night
    told(rows, known)
    found, _ = decided(rows, known)
    devices = {made["device_id"]: made for made in known}
    for row, decision in zip(rows, found.iter_rows(named=True), strict=True):
        if row["has_hash"] and decision["reason"] in SETTLED:
            inside = decision["reason"] == "DUPLICATE_IN_BATCH"
            other = rows[decision["matched_row"]] if inside else devices[decision["matched_device_id"]]
            assert not (other["has_hash"] and nothing_agrees(row, other))


def nothing_agrees(left, right):
    pairs = [(left[name], right[name]) for name in ("tpm_ek_id", "smbios_uuid")]
    relations = [relation(*pair) for pair in [*pairs, (serial_of(left), serial_of(right))]]
    return "=" not in relations and "≠" in relations


@given(nights(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_registrations_decides_nothing(night, chance):
    rows, known = night
    told(rows, known)
    # Each row has a moment of its own, so that no tie is left to its place.
    rows = [row | {"captured_at": datetime(2025, 1, 1 + at, tzinfo=UTC)} for at, row in enumerate(rows)]
    _, before = decided(rows, known)
    order = list(range(len(rows)))
    chance.shuffle(order)
    mixed = chance.sample(known, len(known))
    _, after = decided([rows[at] for at in order], mixed)
    assert [after[order.index(at)] for at in range(len(rows))] == before


PKID = NOTHING | {"has_hash": False, "product_id": "p1"}
DEVICE_A = NOTHING | {
    "tpm_ek_id": "ta",
    "smbios_uuid": "ua",
    "serial_number": "CDF",
    "manufacturer": "HP",
    "model": "m1",
    "product_id": "p1",
}
DEVICE_B = DEVICE_A | {"tpm_ek_id": "tb", "smbios_uuid": "ub", "serial_number": "GHK"}
HERE = {"tenant_id": "t", "captured_at": None}
A, B, WEAK = (made | HERE | {"identity": "hash"} for made in (DEVICE_A, DEVICE_B, PKID))
WEAK["identity"] = "product_id"
KNOWN = {"tenant_id": "t", "registered_via": "partner_center", "device_id": "device-0"}


def test_a_shared_product_id_merges_no_two_devices():
    for night in ([A, B, WEAK], []), ([A, B], []), ([A, WEAK], [DEVICE_B | KNOWN]):
        expected = [{"AMBIGUOUS_MATCH"} if row is WEAK else set() for row in night[0]]
        assert oracle.decide(*night).codes == expected
        assert decided(*night)[1] == expected


def test_a_new_device_is_not_what_its_weak_mate_met():
    assert oracle.decide([A], [DEVICE_B | KNOWN]).codes == decided([A], [DEVICE_B | KNOWN])[1] == [set()]


def test_a_weak_registration_is_not_two_devices():
    expected = [{"AMBIGUOUS_MATCH"}] * 2
    assert oracle.decide([A, B], [PKID | KNOWN]).codes == expected
    assert decided([A, B], [PKID | KNOWN])[1] == expected


def test_a_weak_registration_learns_one_hash_of_its_own_tenant():
    other = B | {"tenant_id": "u"}
    expected = oracle.decide([A, other], [PKID | KNOWN])
    assert expected.codes == [{"ALREADY_REGISTERED"}, {"REGISTERED_OTHER_TENANT"}]
    assert expected.learned == {"device-0": 0}
    assert decided([A, other], [PKID | KNOWN])[1] == expected.codes
    assert oracle.decide([A, B], [PKID | KNOWN]).learned == {}
    assert oracle.decide([other], [PKID | KNOWN]).learned == {}


def test_a_product_id_is_not_registered_past_the_likeness_of_its_mate():
    mate = WEAK | {"serial_number": "CDF", "manufacturer": "HP"}
    known = NOTHING | KNOWN | {"has_hash": False, "serial_number": "CDF", "manufacturer": "HP", "product_id": "p2"}
    expected = [{"PROBABLE_DUPLICATE"}, {"DUPLICATE_IN_BATCH", "PROBABLE_DUPLICATE"}]
    assert oracle.decide([WEAK, mate], [known]).codes == expected
    assert decided([WEAK, mate], [known])[1] == expected


def test_a_weak_row_between_a_device_and_the_registration_of_another_is_ambiguous():
    no = A | {"tpm_ek_id": None, "smbios_uuid": None}
    owner = no | {"serial_number": "MNP", "model": "m2", "product_id": None}
    bare = {"has_hash": False, "serial_number": "MNP", "manufacturer": "HP", "model": "m2", "product_id": "p1"}
    night = [WEAK, no, owner], [NOTHING | KNOWN | bare]
    expected = [{"AMBIGUOUS_MATCH"}, {"AMBIGUOUS_MATCH"}, {"ALREADY_REGISTERED"}]
    assert oracle.decide(*night).codes == expected
    assert decided(*night)[1] == expected
