import random

import polars as pl
import pybase64
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.decode.decode import decode
from pipeline.decode.describe import describe
from pipeline.decode.layout import Record
from pipeline.lab.synthesize import damage
from pipeline.lab.synthesize.capture import capture, encode, record, records, seal, text
from pipeline.lab.synthesize.devices import Factory
from schemas.decoded import DECODED_DEVICE
from tests.oracles import decoder as oracle

DEVICES = [Factory(random.Random(seed)).device(tpm=seed % 3 > 0) for seed in range(6)]


def decoded(*texts, single=False):
    frame = decode(pl.Series(texts, dtype=pl.String), single=single)
    DECODED_DEVICE.validate(frame.select(list(DECODED_DEVICE.columns)))
    return frame


def agree(texts):
    for text_, row in zip(texts, decoded(*texts).iter_rows(named=True), strict=True):
        expected = oracle.decode(text_)
        found = {name: row[name] for name in expected}
        if found.get("mac_addresses", 0) is None:
            found["mac_addresses"] = []
        if found.get("disk_serials", 0) is None:
            found["disk_serials"] = []
        assert found == expected


def test_reads_what_was_captured(factory):
    device = factory.device()
    row = decoded(capture(device)).row(0, named=True)
    assert row["hash_fault"] is None
    assert row["hash_verified"]
    assert row["hash_consistent"]
    assert row["hash_bytes"] == 3_000
    assert row["hash_serial_number"] == device.serial
    assert row["hash_manufacturer"] == device.maker
    assert row["hash_model"] == device.model
    assert row["hash_product_id"] == device.product_id
    assert row["disk_serials"] == [device.disk]
    assert row["mac_addresses"] == sorted(mac.hex(":").upper() for mac in (device.ethernet, device.wifi))
    assert row["hash_blob"] == pybase64.b64decode(capture(device)).rstrip(b"\0")


def test_nothing_is_read_from_nothing():
    assert decoded(None).row(0, named=True)["hash_fault"] is None
    assert not decoded(None)["hash_verified"][0]
    assert decoded().height == 0


def test_agrees_with_the_oracle_on_whole_captures():
    agree([capture(device) for device in DEVICES])


@pytest.mark.parametrize("device", DEVICES[:2])
def test_every_length_of_truncation_is_a_reason(device):
    whole = capture(device)
    agree([whole[:length] for length in range(0, len(whole), 1)])


@given(st.lists(st.tuples(st.integers(0, 3999), st.integers(0, 63)), min_size=1, max_size=6), st.integers(0, 5))
def test_agrees_with_the_oracle_on_random_damage(changes, which):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    chars = list(capture(DEVICES[which]))
    for at, value in changes:
        chars[at] = alphabet[value]
    agree(["".join(chars)])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 40), st.binary(max_size=40)),
            st.tuples(st.sampled_from([8, 11, 12, 1, 25, 7, 28]), st.binary(max_size=300)),
        ),
        max_size=8,
    ),
    st.binary(max_size=6),
)
def test_agrees_with_the_oracle_on_resealed_records(made, rest):
    agree([encode(seal(b"".join(record(kind, payload) for kind, payload in made) + rest))])


@given(st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), max_size=4), st.integers(0, 5))
def test_agrees_with_the_oracle_on_resealed_damage(changes, which):
    body = bytearray(records(DEVICES[which]))
    for at, value in changes:
        body[at % len(body)] = value
    agree([encode(seal(bytes(body)))])


@given(st.binary(max_size=4_000))
def test_any_bytes_give_a_reason(raw):
    agree([encode(raw), encode(b"OA" + raw)])


@given(st.text(max_size=200))
def test_any_text_gives_a_reason_or_nothing(anything):
    row = decoded(anything).row(0, named=True)
    assert row["hash_fault"] is not None
    assert not row["hash_verified"]


def test_rows_do_not_influence_each_other():
    texts = [capture(device) for device in DEVICES] + ["", "T0F", "§", capture(DEVICES[0])[:700]]
    together = decoded(*texts)
    alone = pl.concat([decoded(text_) for text_ in texts])
    assert together.equals(alone)


@pytest.mark.parametrize("name", damage.REPAIRABLE)
def test_repairs_what_loses_nothing(name, factory):
    whole = capture(factory.device())
    row = decoded(damage.REPAIRABLE[name](whole)).row(0, named=True)
    assert row["hash_verified"], row["hash_fault"]
    assert row["hash_repaired"]
    assert row["hash_blob"] == pybase64.b64decode(whole).rstrip(b"\0")


def test_a_whole_hash_is_not_called_repaired(factory):
    assert not decoded(capture(factory.device()))["hash_repaired"][0]


@pytest.mark.parametrize(
    "damaged",
    [
        lambda whole: "\n".join(whole[at : at + 76] for at in range(0, len(whole), 76)),
        lambda whole: "\ufeff" + whole,
        lambda whole: "ÿþ" + "\0".join(whole) + "\0",
    ],
    ids=["wrapped", "byte order mark", "UTF-16 read as ANSI"],
)
def test_repairs_more_of_a_value_given_alone(damaged, factory):
    whole = capture(factory.device())
    assert decoded(damaged(whole), single=True)["hash_verified"][0]


@pytest.mark.parametrize("name", damage.BROKEN)
def test_damage_has_its_reason(name, factory):
    reason, destroy = damage.BROKEN[name]
    assert decoded(destroy(capture(factory.device()), factory.random))["hash_fault"][0] == reason


def test_a_lost_character_inside_is_never_repaired(factory):
    whole = capture(factory.device())
    assert decoded(*(whole[:at] + whole[at + 1 :] for at in range(100, 1_200, 7)))["hash_verified"].sum() == 0


def test_unknown_and_longer_records_are_kept(factory):
    row = decoded(damage.with_longer_record(factory.device())).row(0, named=True)
    assert row["hash_fault"] is None


def test_unpadded_blob_is_whole(factory):
    blob = pybase64.b64decode(capture(factory.device())).rstrip(b"\0")
    row = decoded(encode(blob)).row(0, named=True)
    assert row["hash_verified"]
    assert row["hash_bytes"] == len(blob)


def test_two_serials_that_are_no_text_stay_different(factory):
    body = records(factory.device())
    blobs = []
    for byte in (b"\xff", b"\xfe"):
        cut = damage._replaced(body, Record.SYSTEM_SERIAL, record(Record.SYSTEM_SERIAL, b"A" + byte + b"\0"))
        blobs.append(encode(seal(cut)))
    first, second = decoded(*blobs)["hash_serial_number"]
    assert first != second


def test_bluetooth_usb_and_local_addresses_are_not_onboard(factory):
    device = factory.device()
    addresses = decoded(capture(device))["mac_addresses"][0]
    bluetooth = device.wifi[:5] + bytes([(device.wifi[5] + 4) % 256])
    assert bluetooth.hex(":").upper() not in addresses


def test_many_records_end_in_time():
    body = b"".join(record(99, b"") for _ in range(16_000))
    assert decoded(encode(seal(body, size=0)))["hash_verified"][0]


def test_describe_shows_every_record(factory):
    device = factory.device()
    shown = describe(capture(device))
    named = {entry["name"]: entry["value"] for entry in shown["records"]}
    assert shown["fault"] is None
    assert named["system_serial"] == device.serial
    assert named["memory"]["gib"] == device.ram_gib
    assert named["network_adapter"]["bus"] == "USB"
    assert named["capture"]["captured_at"] == shown["identity"]["captured_at"]


@given(st.integers(0, 60), st.binary(max_size=60))
@example(34, b"")
def test_describe_survives_any_record(kind, payload):
    shown = describe(encode(seal(record(kind, payload) + text(Record.SYSTEM_SKU, "x") * (kind != Record.SYSTEM_SKU))))
    assert shown["bytes"] == 3_000
