"""What the registry is told of the rows of a run, as small tables."""

import polars as pl
import pytest

from pipeline.decode.decode import decode
from pipeline.lab.synthesize.capture import capture
from pipeline.publish.records import carried_out, ended_records, learned, registry_records
from pipeline.requests.docket import request_ids
from pipeline.rows import ROW
from schemas.kinds import DEPARTURE, REGISTRATION
from schemas.registry import DEREGISTERED, LEARNED, RECORD_TYPES

FILES = pl.DataFrame(
    {"request_kind": [REGISTRATION], "partner_id": ["p"], "tenant_folder": ["t"], "sha256": ["s"], "source_file": ["a"]}
)
TYPES = {"row": ROW, "kept_row": ROW, "is_done": pl.Boolean, "identity_key": pl.Int64} | dict.fromkeys(
    ("request_kind", "request_id", "device_id", "kept_device", "tenant_id", "run_id"), pl.String
)
OWN = {"request_kind": REGISTRATION, "is_done": True, "identity_key": 7, "tenant_id": "t", "run_id": "r"}


def table(*rows):
    return pl.DataFrame([dict.fromkeys(TYPES) | OWN | row for row in rows], TYPES)


def test_who_has_what_was_asked_for_is_told():
    first = request_ids(pl.Series([0], dtype=ROW), FILES).item()
    kept = table(
        {"row": 0, "request_id": first, "device_id": first},
        {"row": 9, "request_id": "leave", "device_id": "gone", "request_kind": DEPARTURE},
    )
    rejected = table(
        {"row": 1, "request_id": "b", "kept_row": 0},
        {"row": 2, "request_id": "c", "kept_row": 0},
        {"row": 3, "request_id": "d", "kept_device": "known"},
        {"row": 4, "request_id": "e", "is_done": False},
        {"row": 5, "request_id": "f", "kept_device": "gone", "request_kind": DEPARTURE},
    )
    found = carried_out(kept, rejected, FILES).select("request_id", "device_id", "identity_key")
    assert found.rows() == [
        (None, first, 7),
        ("leave", "gone", None),
        ("b", first, 7),
        ("c", first, 7),
        ("d", "known", 7),
        ("f", "gone", None),
    ]


@pytest.mark.parametrize("run_id", [{}, {"run_id": ["before"] * 2}])
def test_a_registration_ends_as_what_it_was(run_id):
    kept = pl.DataFrame(
        {"run_id": ["r", "r"], "request_id": ["a", "b"], "ends_device_id": [None, "d"], "partner_id": ["p", "q"]}
    ).with_columns(departure_reason=pl.lit("sold"), deregistered_at=pl.lit(None, RECORD_TYPES["removed_at"]))
    ending = pl.DataFrame({"device_id": ["other", "d"], "serial_number": ["s1", "s2"], **run_id})
    found = ended_records(kept, ending).select("device_id", "serial_number", "event", "run_id", "departed_by")
    assert found.rows() == [("d", "s2", DEREGISTERED, "r", "q")]


def read(hashes, **columns):
    """Rows with these hashes, and with nothing in their other cells."""
    cells = dict.fromkeys(("serial_number", "manufacturer", "model", "windows_product_id"), [""] * len(hashes))
    decoded = decode(pl.Series(hashes)).rename({"hash_blob": "hardware_hash"})
    return pl.concat([pl.DataFrame(cells | columns), decoded], how="horizontal")


def test_a_device_is_registered_through_its_partner_s_channel():
    channels = {"a": "oem_direct_api", "b": "partner_center_csv", "c": "partner_center_api"}
    own = dict.fromkeys(("device_id", "tenant_id", "run_id", "group_tag", "assigned_user", "identity"), ["x"] * 3)
    registered = read([""] * 3, partner_id=["c", "a", "b"], **own).with_columns(
        registered_at=pl.lit(None, RECORD_TYPES["registered_at"]), hardware_hash_id=pl.lit(None, pl.String)
    )
    named = pl.DataFrame({"partner_id": list(channels), "channel": list(channels.values())})
    found = registry_records(registered, named).select("partner_id", "registered_via")
    assert found.rows() == [("c", "partner_center"), ("a", "oem_direct_api"), ("b", "partner_center")]


def test_only_a_registration_that_a_row_names_learns(factory):
    teaching = read([capture(factory.device()), ""], learns_device_id=["b", None], run_id=["r"] * 2).with_columns(
        captured_at=pl.lit(None, RECORD_TYPES["captured_at"]), hardware_hash_id=pl.Series(["id", None])
    )
    registrations = pl.DataFrame([{"device_id": "a"}, {"device_id": "b"}], {**RECORD_TYPES, "version": pl.Int64})
    found = learned(teaching, registrations)
    assert found.select("device_id", "event", "run_id", "hardware_hash_id").rows() == [("b", LEARNED, "r", "id")]
