from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import Clock
from pipeline.deals import Dealer, dealing
from pipeline.deals.cutting import deals_of, require_uncut
from pipeline.decide import decide
from pipeline.errors import Fault
from pipeline.intake.judge import ROW_TYPES, Judged
from pipeline.intake.staging import Part, Staging
from pipeline.listener import Silence
from pipeline.match import find_candidates, find_lookalikes, match
from schemas.matches import Matches
from tests.engine.others import Others
from tests.match.test_adversarial_nights import KNOWN, PKID, A, B, nights
from tests.match.test_matching import NOTHING, Registrations, batch, record

OWN = ("tpm_ek_id", "smbios_uuid", "serial_number", "product_id")
"""Components by which the nights that are put together have nothing to do with each other."""


class Known(Registrations):
    def records_alone(self):
        return self


@st.composite
def many_nights(draw):
    """The rows of some nights, mixed, and their registrations, of which some have ended."""
    rows, known = [], []
    for number in range(draw(st.integers(1, 4))):
        own, registered = draw(nights())
        rows += [of_night(made, number) for made in own]
        known += [of_night(made, number) | {"ended_in": draw(st.sampled_from([None, None, 4]))} for made in registered]
    tuples = draw(st.lists(st.sampled_from(["SD0123", "SDO123", "SDO1Z3", "T99", "T9"]), max_size=3))
    rows += [typed(serial) for serial in tuples]
    registered = [("SD0123", None), ("0T99", None), ("T99", draw(st.sampled_from([None, 4])))]
    known += [typed(serial) | {"registered_via": "intune", "ended_in": ended} for serial, ended in registered]
    known = [made | {"device_id": f"device-{at}"} for at, made in enumerate(known)]
    return draw(st.permutations(rows)), draw(st.permutations(known))


def of_night(made, number):
    own = {name: f"{made[name]}-{number}" for name in OWN if made[name] is not None}
    return made | own | {name: [f"{one}-{number}" for one in made[name]] for name in ("mac_addresses", "disk_serials")}


def typed(serial):
    own = {"serial_number": serial, "manufacturer": "HP", "model": "m", "has_hash": False}
    return NOTHING | own | {"tenant_id": "t", "identity": "tuple", "captured_at": None}


def existing_of(known):
    components = [{name: made[name] for name in NOTHING} for made in known]
    existing = Known(components, ids=[made["device_id"] for made in known], ended=[made["ended_in"] for made in known])
    columns = {"tenant_id": pl.String, "registered_via": pl.String}
    existing.frame = existing.frame.with_columns(
        pl.Series(name, [made[name] for made in known], dtype=dtype) for name, dtype in columns.items()
    )
    return existing


def judged(rows):
    """The rows as matching takes them; every third may not be registered where there are many."""
    own = {"tenant_id": pl.String, "identity": pl.String, "captured_at": pl.Datetime("us", "UTC")}
    told = pl.DataFrame({name: [row[name] for row in rows] for name in own}, own)
    devices = pl.concat([batch([{name: row[name] for name in NOTHING} for row in rows]), told], how="horizontal")
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in ROW_TYPES.items() if name not in devices.columns]
    whole = devices.with_columns(lacking).select(pl.col(name).cast(dtype) for name, dtype in ROW_TYPES.items())
    return whole, pl.Series([len(rows) < 10 or at % 3 > 0 for at in range(len(rows))], dtype=pl.Boolean)


def dealt(rows, eligible, existing, pairs, folder):
    """What is found by deals of so many pairs, of rows that lie in parts."""
    staging = Staging(folder / "rows")
    for number, part in enumerate(rows.iter_slices(max(1, rows.height // 3))):
        path = staging.part(number)
        Judged(part.sort("serial_number"), pl.DataFrame(), pl.DataFrame(), pl.DataFrame()).write(path)
        staging.add(Part(path, part.height, part["row"].min(), part["row"].max()))
    dealing.PAIRS, before = pairs, dealing.PAIRS
    try:
        with Others() as executor:
            return Dealer(Clock(Silence()), staging, executor).match(rows, existing, eligible)
    finally:
        dealing.PAIRS = before


def in_order(frame):
    return frame.sort([name for name, dtype in frame.schema.items() if dtype != pl.List])


@pytest.mark.parametrize("pairs", [1, 2, 7])
@given(night=many_nights())
def test_deals_say_what_the_whole_does(pairs, night):
    rows, eligible = judged(night[0])
    existing = existing_of(night[1])
    whole = match(rows, existing, eligible)
    with TemporaryDirectory() as folder:
        matches, found = dealt(rows, eligible, existing, pairs, Path(folder))
        findings = pl.DataFrame({"TENANT_MISSING": ~eligible})
        assert decide(rows, findings, matches, found=found).equals(decide(rows, findings, whole))
        for field in fields(Matches):
            one, other = getattr(matches, field.name), getattr(whole, field.name)
            assert in_order(one).equals(in_order(other)), field.name


def test_who_met_only_what_has_ended_is_looked_for_among_damaged_forms(tmp_path):
    (rows, eligible), via = judged([typed("T99")]), {"registered_via": "intune"}
    known = [
        typed("T99") | via | {"device_id": "a", "ended_in": 4},
        typed("0T99") | via | {"device_id": "b", "ended_in": None},
    ]
    matches, _ = dealt(rows, eligible, existing_of(known), 1, tmp_path)
    assert matches.registered.select("device_id", "verdict").rows() == [("b", "probably the same")]


PAIR = [record(tpm_ek_id="a", serial_number=serial, manufacturer="HP") for serial in ("s", "r")]


def cut(rows, known=()):
    existing = Registrations([*known])
    candidates, profiles = find_candidates(batch(rows), existing)
    return candidates, find_lookalikes(profiles, candidates.against["left"], existing)


def test_what_is_connected_is_one_deal_and_what_met_nothing_is_in_none():
    rows = [record(tpm_ek_id=key) for key in "abcda"]
    rows[4]["smbios_uuid"] = "u"
    known = [record(tpm_ek_id="c"), record(tpm_ek_id="b")]
    assert deals_of(*cut(rows, known), 1).tolist() == [2, 1, 0, -1, 2], "in the order of the records"
    assert deals_of(*cut(rows, known), 2).tolist() == [1, 0, 0, -1, 1]
    assert deals_of(*cut(rows, known), 3).tolist() == [0, 0, 0, -1, 0]


@pytest.mark.parametrize(
    ("rows", "known", "deal"),
    [
        (PAIR, [], [0, 1]),
        (PAIR, [], [-1, -1]),
        ([record(tpm_ek_id=key, disk_serials=["d"]) for key in "ab"], [record(disk_serials=["d"])], [0, 1]),
        ([record(tpm_ek_id="a")], [record(tpm_ek_id="a")], [-1]),
        ([typed("SDO123"), typed("SDO1Z3")], [typed("SD0123")], [0, 1]),
    ],
)
def test_what_is_to_be_compared_is_never_parted(rows, known, deal):
    own = [[{name: made[name] for name in NOTHING} for made in some] for some in (rows, known)]
    candidates, lookalikes = cut(*own)
    require_uncut(deals_of(candidates, lookalikes, 1), candidates, lookalikes)
    with pytest.raises(Fault, match="parted"):
        require_uncut(np.asarray(deal), candidates, lookalikes)


def test_a_row_of_a_crowd_is_in_a_deal(monkeypatch):
    monkeypatch.setattr("pipeline.match.candidates.MOST_PAIRS", 1)
    candidates, lookalikes = cut([record(tpm_ek_id=key, smbios_uuid="u") for key in "abc"])
    assert candidates.within.is_empty()
    require_uncut(deals_of(candidates, lookalikes, 1), candidates, lookalikes)
    with pytest.raises(Fault, match="parted"):
        require_uncut(np.asarray([0, -1, 1]), candidates, lookalikes)


def test_a_component_that_was_cut_in_two_is_refused_and_would_be_seen(tmp_path, monkeypatch):
    (rows, eligible), existing = judged([A, B]), existing_of([PKID | KNOWN | {"ended_in": None}])
    findings = pl.DataFrame({"TENANT_MISSING": ~eligible})
    whole = decide(rows, findings, match(rows, existing, eligible))
    assert whole["reason"].to_list() == ["AMBIGUOUS_MATCH"] * 2
    monkeypatch.setattr(dealing, "deals_of", lambda *_: np.asarray([0, 1]))
    with pytest.raises(Fault, match="parted"):
        dealt(rows, eligible, existing, 1, tmp_path)
    (tmp_path / "rows").rename(tmp_path / "before")
    monkeypatch.setattr(dealing, "require_uncut", lambda *_: None)
    matches, found = dealt(rows, eligible, existing, 1, tmp_path)
    assert decide(rows, findings, matches, found=found)["reason"].to_list() == ["ALREADY_REGISTERED"] * 2


def test_a_deal_that_gives_back_other_rows_is_a_fault(tmp_path, monkeypatch):
    (rows, eligible), existing = judged([A, A, B, B]), existing_of([])
    together = dealing._together

    def one_is_lost(candidates, at, compared):
        return together(candidates, at, [compared[0], compared[0]])

    monkeypatch.setattr(dealing, "_together", one_is_lost)
    with pytest.raises(Fault, match="other rows"):
        dealt(rows, eligible, existing, 1, tmp_path)
