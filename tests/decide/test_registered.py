import pytest

from pipeline.match import candidates
from tests.decide.test_decide import (
    ALREADY,
    AMBIGUOUS,
    BOARD,
    CLAIMS,
    DUPLICATE,
    OTHER,
    PKID,
    PROBABLE,
    SWAPPED,
    TUPLE,
    A,
    B,
    decided,
)
from tests.match.test_matching import record

COLLIDING = record(tpm_ek_id="x", smbios_uuid="ua", serial_number="sx", manufacturer="HP")
SERIAL = {"serial_number": "sx", "manufacturer": "HP", "model": "m"}
# A row whose product ID is a device's and whose serial number is another's: nobody knows which it is.
TORN = PKID | SERIAL
TORN_REGISTERED = TUPLE | SERIAL
# Devices that say nothing of the registration that their mate without a hash is the same as.
NAMELESS = BOARD | {"product_id": "pa"}
OF_SERIAL = record(tpm_ek_id="a", **SERIAL)
MATE = TORN | {"product_id": "pr"}
OF_PRODUCT_ID = record(tpm_ek_id="b", serial_number="sy", manufacturer="HP", product_id="pr")
BY_PRODUCT_ID = PKID | {"product_id": "pr"}
# A device, and rows without a hash of which only the second is the same as it, and both as each other.
HASHED = record(tpm_ek_id="a", serial_number="sy", manufacturer="HP", model="m")
PRODUCT_ID, BY_PR = BY_PRODUCT_ID, {"product_id": "pr"}
CHAINED = BY_PRODUCT_ID | {"serial_number": "sy", "manufacturer": "HP", "model": "m"}
TYPED, BY_PR_ALONE = CHAINED | {"product_id": None}, record(tpm_ek_id="c", product_id="pr")


@pytest.mark.parametrize(
    ("records", "tenants", "registrations", "expected"),
    [
        # What is different is not pointed at.
        ([A], "t", [A, COLLIDING], [ALREADY | {"UUID_COLLISION"}]),
        # A row in doubt tells its mates nothing.
        ([A, PKID, TORN], "ttt", [TORN_REGISTERED], [set(), AMBIGUOUS, AMBIGUOUS]),
        (
            [A, PKID, TORN, TUPLE],
            "tttt",
            [TORN_REGISTERED | {"product_id": "px"}],
            [set(), AMBIGUOUS, AMBIGUOUS | PROBABLE, DUPLICATE],
        ),
        # A row with a hash hears mates without one where no row with a hash says anything, and they say one thing.
        ([NAMELESS, TORN], "tt", [BOARD, TORN_REGISTERED], [ALREADY, AMBIGUOUS | DUPLICATE]),
        (
            [NAMELESS, TORN, TORN | {"serial_number": "sy"}],
            "ttt",
            [TORN_REGISTERED, TORN_REGISTERED | {"serial_number": "sy"}],
            [set(), AMBIGUOUS | DUPLICATE, AMBIGUOUS | DUPLICATE],
        ),
        ([OF_SERIAL, MATE], "tt", [BY_PRODUCT_ID], [ALREADY, ALREADY | DUPLICATE]),
        (
            [OF_SERIAL, MATE, OF_PRODUCT_ID],
            "ttu",
            [BY_PRODUCT_ID],
            [ALREADY, ALREADY | AMBIGUOUS | DUPLICATE, OTHER],
        ),
        (
            [OF_SERIAL, MATE, OF_PRODUCT_ID],
            "ttt",
            [BY_PRODUCT_ID],
            [set(), AMBIGUOUS, ALREADY],
        ),
        # Mates without a hash that disagree say nothing to it, and to each other what speaks against.
        (
            [HASHED, PRODUCT_ID, CHAINED],
            "ttt",
            [BY_PRODUCT_ID | SERIAL],
            [set(), ALREADY | DUPLICATE, AMBIGUOUS | DUPLICATE],
        ),
        (
            [HASHED, PRODUCT_ID, CHAINED, TYPED],
            "tttt",
            [BY_PRODUCT_ID | SERIAL],
            [set(), ALREADY | DUPLICATE, AMBIGUOUS | DUPLICATE, AMBIGUOUS | DUPLICATE],
        ),
        # What a mate with a hash says is heard before what one without says.
        (
            [HASHED | BY_PR, PRODUCT_ID, TYPED],
            "ttt",
            [BY_PRODUCT_ID | SERIAL],
            [AMBIGUOUS, ALREADY | DUPLICATE, AMBIGUOUS | DUPLICATE],
        ),
        # What a row with a hash says of the registration is asked of each of two devices.
        ([A, B, TUPLE | {"product_id": "pa"}], "ttt", [PKID], [AMBIGUOUS, AMBIGUOUS, AMBIGUOUS | DUPLICATE]),
        # Two devices of its tenant dispute a registration, and no row of another tenant.
        ([A, A, B], "tut", [PKID], [AMBIGUOUS | CLAIMS, CLAIMS | OTHER, AMBIGUOUS]),
        # A row without a hash between its device and the registration that another device is repeats neither.
        (
            [HASHED | {"product_id": "pa"}, TYPED, B | {"serial_number": None}, BY_PR_ALONE],
            "tttt",
            [PKID, CHAINED],
            [AMBIGUOUS, AMBIGUOUS, AMBIGUOUS, ALREADY],
        ),
        # Two that it is probably the same as are not two that it is.
        ([TUPLE | {"product_id": "px"}], "t", [TUPLE | {"product_id": name} for name in ("py", "pz")], [PROBABLE]),
    ],
)
def test_what_mates_say_of_registrations(records, tenants, registrations, expected):
    assert decided(records, list(tenants), registrations)[1] == expected


def test_a_device_without_a_hash_is_no_rival_of_one_that_has_it():
    decisions, codes = decided([NAMELESS, TUPLE | SERIAL], None, [TORN])
    assert codes == [ALREADY, ALREADY]
    assert decisions["met_rows"].to_list() == [None, None]


def test_a_row_in_doubt_hears_nothing_of_registrations():
    decisions, codes = decided([A, PKID, TORN], None, [BOARD])
    assert codes == [ALREADY, AMBIGUOUS, AMBIGUOUS]
    assert decisions["matched_device_id"].to_list() == ["device-0", None, None]


def test_of_mates_that_say_as_much_the_first_by_text_is_heard():
    serial = {"serial_number": "sa", "manufacturer": "HP"}
    records = [BOARD | serial | {"smbios_uuid": None, "product_id": "pa"}, NAMELESS, PKID]
    for mates in (records, [records[1], records[0], PKID]):
        decisions, _ = decided(mates, None, [BOARD | serial])
        assert "same TPM key and UUID; not known on one side: serial number" in decisions["evidence"][2]
        assert "same TPM key and serial number" not in decisions["evidence"][2]


def test_registrations_are_named_by_verdict_then_id_and_once():
    decisions, _ = decided([A], None, [SWAPPED, A, A | {"model": None}, SWAPPED | {"model": None}])
    named = [told.split(",")[0] for told in decisions["evidence"][0].split(" | ")]
    assert named == [f"registered device device-{at}" for at in (1, 2, 0, 3)]
    alone = record(serial_number="sa", manufacturer="HP")
    decisions, _ = decided([alone] * 3, None, [A])
    assert [told.count("registered device device-0") for told in decisions["evidence"]] == [1, 1, 1]


def test_the_first_of_several_donors_is_named():
    donors = [record(tpm_ek_id=f"t{at}", disk_serials=["d"]) for at in range(3)]
    decisions, codes = decided([A | {"disk_serials": ["d"]}], None, donors)
    assert codes == [{"DISK_OF_REGISTERED_DEVICE"}]
    assert decisions["matched_device_id"].item() == "device-0"
    assert decisions["evidence"].item() == "carries the disk of registered device device-0"


def test_of_several_crowds_the_first_by_key_is_told(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 20)
    crowd = [record(smbios_uuid="u", serial_number="s", manufacturer="HP", model=f"m{at}") for at in range(40)]
    decisions, codes = decided(crowd)
    assert codes == [AMBIGUOUS] * 40
    assert set(decisions["evidence"]) == {"40 records share its serial_key"}
