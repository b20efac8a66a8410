import math
import resource

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Fault
from pipeline.match import candidates, compare_all, find_candidates, match, met_by_serial
from pipeline.match.cluster import connected_components
from pipeline.match.damaged import LONGEST_SERIAL, serial_forms
from pipeline.match.existing import NoRecords
from pipeline.match.keys import with_blocking_keys, with_keys
from schemas.device import COMPONENT_TYPES
from tests.oracles import matcher as oracle

NOTHING = dict.fromkeys(COMPONENT_TYPES) | {"has_hash": True, "mac_addresses": [], "disk_serials": []}


def record(**components):
    return NOTHING | components


class Registrations:
    """Existing records in memory, with ids `device-<n>`; of some it is known when they ended."""

    def __init__(self, records, tenant="t", ids=None, ended=None):
        frame = pl.DataFrame(records, dict(COMPONENT_TYPES))
        ids = ids or [f"device-{at}" for at in range(len(records))]
        self.frame = (
            with_keys(frame)
            .with_row_index("record")
            .with_columns(
                device_id=pl.Series(ids, dtype=pl.String),
                tenant_id=pl.lit(tenant),
                ended_in=pl.Series(ended or [None] * len(records), dtype=pl.Int64),
                partner_id=pl.lit("p"),
                registered_via=pl.lit("partner_center"),
            )
        )

    def holders(self, name, wanted):
        assert not wanted.has_nulls()
        keys = self.frame.select("record", pl.col(name).alias("key"))
        exploded = keys.explode("key") if name == "disk_keys" else keys
        return exploded.filter(pl.col("key").is_in(wanted.implode()))

    def serial_forms(self, manufacturers):
        named = self.frame.lazy().filter(pl.col("manufacturer").is_in(manufacturers.implode()))
        return serial_forms(named.select("manufacturer", "serial_number").drop_nulls()).collect()

    def records(self, positions):
        return self._at(positions).filter(pl.col("ended_in").is_null()).drop("ended_in")

    def ended_records(self, positions):
        return self._at(positions).filter(pl.col("ended_in").is_not_null())

    def _at(self, positions):
        return self.frame.filter(pl.col("record").is_in(positions.implode())).select(
            "record", "device_id", "tenant_id", "partner_id", "registered_via", "ended_in", *COMPONENT_TYPES
        )


def batch(records):
    return with_blocking_keys(pl.DataFrame(records, dict(COMPONENT_TYPES)).with_row_index("row"))


few = st.sampled_from
RECORDS = st.fixed_dictionaries(
    {
        "has_hash": st.booleans(),
        "tpm_ek_id": few([None, "t1", "t2"]),
        "smbios_uuid": few([None, "u1", "u2"]),
        "serial_number": few([None, "s1", "s2", "s3"]),
        "model": few([None, "m1", "m2"]),
        "product_id": few([None, "p1", "p2"]),
        "mac_addresses": few([[], ["a"], ["b"], ["a", "b"]]),
        "disk_serials": few([[], ["d"], ["e"]]),
    }
).map(
    lambda made: (
        NOTHING
        | made
        | (
            {}
            if made["has_hash"]
            else {"tpm_ek_id": None, "smbios_uuid": None, "mac_addresses": [], "disk_serials": []}
        )
        | {"manufacturer": "HP" if made["serial_number"] else None}
    )
)


@given(st.lists(RECORDS, max_size=9))
def test_within_a_batch_as_the_oracle(records):
    matches = match(batch(records), NoRecords())
    profile = dict(matches.profiles.select("row", "profile").rows())
    found = {
        (left, right): verdict for left, right, verdict in matches.within.select("left", "right", "verdict").rows()
    }
    for left in range(len(records)):
        for right in range(left + 1, len(records)):
            pair = tuple(sorted((profile[left], profile[right])))
            assert found.get(pair, "different") == oracle.verdict(records[left], records[right])


@given(st.lists(RECORDS, max_size=4), st.lists(RECORDS, max_size=6))
def test_against_the_registry_as_the_oracle(records, registrations):
    matches = match(batch(records), Registrations(registrations))
    registered = [other | {"device_id": f"device-{at}"} for at, other in enumerate(registrations)]
    for row, profile in matches.profiles.select("row", "profile").rows():
        mine = matches.registered.filter(pl.col("profile") == profile)
        found = set(mine.select("device_id", "verdict").rows())
        expected = oracle.against(records[row], registered)
        assert {pair for pair in found if pair[1] in {"same", "contradiction", "board replaced"}} == expected


@given(st.lists(RECORDS, max_size=7), st.randoms())
def test_the_order_of_rows_changes_nothing(records, source):
    order = list(range(len(records)))
    source.shuffle(order)
    registry = Registrations(records[:2])
    told = told_by_row(match(batch(records), registry))
    shuffled = told_by_row(match(batch([records[at] for at in order]), registry))
    for at, row in enumerate(order):
        assert told[row] == shuffled[at]


def told_by_row(matches):
    joined = matches.profiles.join(matches.registered, on="profile", how="left")
    return {
        row: sorted(told)
        for row, told in joined.group_by("row").agg(pl.format("{} {}", "device_id", "verdict").fill_null("")).rows()
    }


@given(st.lists(RECORDS, max_size=4), st.lists(RECORDS, max_size=6), st.randoms())
def test_the_order_of_the_registry_changes_nothing(records, registrations, source):
    named = [other | {"at": at} for at, other in enumerate(registrations)]
    source.shuffle(named)
    told = told_by_row(match(batch(records), Registrations(registrations)))
    shuffled = told_by_row(
        match(batch(records), Registrations(named, ids=[f"device-{other['at']}" for other in named]))
    )
    assert shuffled == told


@given(st.lists(RECORDS, min_size=1, max_size=6))
def test_an_unrelated_device_changes_nothing(records):
    stranger = record(tpm_ek_id="x", smbios_uuid="x", serial_number="x", manufacturer="x", product_id="x")
    before = match(batch(records), NoRecords())
    after = match(batch([*records, stranger]), NoRecords())
    assert after.profiles.filter(pl.col("row") < len(records)).equals(before.profiles)
    assert after.within.equals(before.within)


@given(
    st.integers(1, 40).flatmap(
        lambda size: st.tuples(st.just(size), st.lists(st.tuples(*[st.integers(0, size - 1)] * 2)))
    )
)
def test_components_as_union_find(graph):
    size, edges = graph
    parent = list(range(size))

    def root(node):
        while parent[node] != node:
            node = parent[node]
        return node

    for left, right in edges:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    left, right = ([edge[side] for edge in edges] for side in (0, 1))
    labels = connected_components(size, pl.Series(left, dtype=pl.UInt32), pl.Series(right, dtype=pl.UInt32))
    assert labels.to_list() == [root(node) for node in range(size)]


def test_a_long_chain_is_one_device():
    labels = connected_components(5_000, pl.Series(range(4_999)), pl.Series(range(1, 5_000)))
    assert labels.unique().to_list() == [0]


def typed(serial, maker="LENOVO", model="m1"):
    return record(has_hash=False, serial_number=serial, manufacturer=maker, model=model)


@pytest.mark.parametrize(
    ("registered", "given_", "model", "probable"),
    [
        (["PF0ABC12", "PF3XYZ90"], "PFOABC12", "m1", True),
        (["PF0ABC12", "PFOXYZ90"], "PFOABC12", "m1", False),
        (["079946162278", "012345678901"], "79946162278", "m1", True),
        (["PF0ABC12"], "pf0abc12", "m1", True),
        (["PF0ABC12"], "PF-0ABC 12", "m1", True),
        (["5CG1234ABC"], "C5G1234ABC", "m1", True),
        (["5CG1234ABC", "C5G0000XYZ"], "C5G1234ABC", "m1", False),
        (["PF0ABC12"], "PF0ABC13", "m1", False),
        (["PF0ABC12"], "PF0ABC21", "m1", False),
        (["PF0ABC12"], "PFOABC12", "m2", False),
        (["PF0ABC12"], "PF0ABC1", "m1", False),
        (["PF00BC12"], "PFOOBC12", "m1", True),
        (["0PF00BC12"], "pfoo-bc12", "m1", True),
    ],
)
def test_damaged_forms(registered, given_, model, probable):
    registry = Registrations([typed(serial) | {"has_hash": True} for serial in registered])
    verdicts = match(batch([typed(given_, model=model)]), registry).registered["verdict"].to_list()
    assert ("probably the same" in verdicts) == probable


@pytest.mark.parametrize(
    ("registered", "given_", "edits"),
    [
        ("PF0ABC12", "PFOABC12", "1 characters off"),
        ("PF00BC12", "PFOO-BC12", "3 characters off"),
        ("0079946162278", "79946162278", "2 characters off"),
        ("5CG1234ABC", "C5G1234ABC", "1 characters off"),
        ("PF0ABC12", "pf0abc12", "but for case"),
        ("PF0-ABC12", "PF0A-BC12", None),
        ("PF0-ABC12", "PF0ABC12", None),
        ("PF-0ABC12", "PFOABC-12", None),
    ],
)
def test_edits_that_no_damage_explains_are_another_serial(registered, given_, edits):
    told = match(batch([typed(given_)]), Registrations([typed(registered) | {"has_hash": True}])).registered
    assert [evidence.endswith((edits or "", f"({edits})")) for evidence in told["evidence"]] == [True] * bool(edits)


@pytest.mark.parametrize(
    ("registered", "given_", "verdicts"),
    [
        # Who has anything else to go by, or is registered exactly, is not taken for another's damage.
        ([typed("PF0ABC12")], typed("pf0abc12") | {"product_id": "p"}, []),
        ([typed("PF0ABC12")], typed("pf0abc12") | {"has_hash": True}, []),
        ([typed("PF0ABC12"), typed("pf0abc12")], typed("pf0abc12"), ["same"]),
        ([typed("PF0ABC12"), typed("pf0abc12", model="m2")], typed("pf0abc12"), ["probably the same"]),
        # What is not known of a model contradicts none.
        ([typed("PF0ABC12", model=None)], typed("pf0abc12"), ["probably the same"]),
        ([typed("PF0ABC12")], typed("pf0abc12", model=None), ["probably the same"]),
        ([typed("PF0ABC12")], record(has_hash=False, model="m1"), []),
    ],
)
def test_who_is_looked_for_among_damaged_forms(registered, given_, verdicts):
    told = match(batch([given_]), Registrations(registered)).registered
    assert told["verdict"].to_list() == verdicts


def test_damage_is_worth_the_serial_by_the_edits():
    registry = Registrations([typed("PF0ABC12")])
    told = match(batch([typed("pf0abc12"), typed("PFOABC12")]), registry).registered
    exact = math.log2(10**9)
    assert told.sort("profile")["score"].to_list() == pytest.approx([exact, exact / 2])
    assert told["same_disk"].to_list() == [False, False]


def test_of_several_look_alikes_the_nearest_scores_highest():
    alike = ["0079946162278", "079946162278", "00079946162278"]
    told = match(batch([typed("79946162278")]), Registrations([typed(serial) for serial in alike])).registered
    assert told.sort("score", descending=True)["record"].to_list() == [1, 0, 2]
    assert told["score"].min() > 0


@pytest.mark.parametrize("length", [64, 65])
def test_a_long_serial_is_damage_of_nothing(length):
    serial = "A1" * (length // 2) + "B" * (length % 2)
    registry = Registrations([typed(serial), typed("PF0ABC12")])
    told = match(batch([typed(serial.lower())]), registry).registered
    assert told.height == (length == LONGEST_SERIAL)


def test_a_serial_of_any_length_costs_no_memory():
    registry = Registrations([typed("PF0ABC12")])
    began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert match(batch([typed("A1" * 15_000)]), registry).registered.is_empty()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began < 200_000


def test_damaged_forms_of_another_makers_serials_are_none():
    registry = Registrations([typed("PF0ABC12", maker="HP")])
    assert match(batch([typed("PFOABC12")]), registry).registered.is_empty()


def test_neighbours_in_a_pallet_never_match():
    pallet = [f"5CG4{at:04d}K" for at in range(2_000)]
    registry = Registrations([typed(serial) for serial in pallet[::2]])
    assert match(batch([typed(serial) for serial in pallet[1::2]]), registry).registered.is_empty()


def test_what_has_ended_is_met_apart():
    ours = record(tpm_ek_id="a", serial_number="s", manufacturer="HP")
    others = [ours, ours | {"tpm_ek_id": "b"}, ours | {"tpm_ek_id": None}]
    matches = match(batch([ours, record(tpm_ek_id="x")]), Registrations(others, ended=[None, 7, 8]))
    assert matches.registered.select("profile", "device_id", "verdict").rows() == [(0, "device-0", "same")]
    ended = matches.ended.select("profile", "device_id", "tenant_id", "ended_in", "verdict").sort("device_id")
    assert ended.rows() == [
        (0, "device-1", "t", 7, "board replaced"),
        (0, "device-2", "t", 8, "contradiction"),
    ]


def test_no_row_is_damage_of_what_has_ended():
    registry = Registrations([typed("PF0ABC12"), typed("PF0ABC99")], ended=[7, None])
    assert match(batch([typed("pf0abc12")]), registry).registered.is_empty()


def test_who_met_only_what_has_ended_is_looked_for_among_damaged_forms():
    bare = {"has_hash": False, "manufacturer": "HP"}
    known = Registrations(
        [record(serial_number=serial, **bare) for serial in ("T99", "0T99", "R1")], ended=[7, None, None]
    )
    candidates, profiles = find_candidates(
        batch([record(serial_number=serial, **bare) for serial in ("T99", "R1")]), known
    )
    assert met_by_serial(profiles, candidates.against, known).to_list() == [1]
    matches = compare_all(candidates, profiles, known)
    assert matches.registered.select("profile", "device_id").rows() == [(1, "device-2"), (0, "device-1")]


def test_contents_are_numbered_by_their_first_rows():
    first, second = record(tpm_ek_id="a"), record(tpm_ek_id="b")
    rows = match(batch([first, second, second, first]), NoRecords()).profiles
    assert rows["profile"].to_list() == [0, 1, 1, 0]


@pytest.mark.parametrize("eligible", [[True, True, True], [False, True, True], [False, False, True], [False] * 3])
def test_only_eligible_rows_are_matched(eligible):
    first, second = record(tpm_ek_id="a"), record(tpm_ek_id="b")
    registry = Registrations([first, second])
    matches = match(batch([first, second, first]), registry, pl.Series(eligible))
    asked = [row for row in range(3) if eligible[row]]
    assert matches.profiles["row"].to_list() == asked
    met = matches.profiles.join(matches.registered, on="profile", how="left", maintain_order="left")
    assert met["device_id"].to_list() == [["device-0", "device-1", "device-0"][row] for row in asked]


def test_rows_in_another_order_are_a_fault():
    with pytest.raises(Fault, match="order"):
        match(batch([record(tpm_ek_id="a"), record(tpm_ek_id="b")]).reverse(), NoRecords())


def test_copies_cost_no_pairs():
    copies = [record(tpm_ek_id="t", smbios_uuid="u", serial_number="s", manufacturer="HP")] * 50_000
    matches = match(batch(copies), NoRecords())
    assert matches.within.height == 1
    assert matches.profiles["device"].n_unique() == 1


def test_a_crowd_fails_closed(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 20)
    strangers = [record(smbios_uuid="cloned", serial_number=f"s{at}", manufacturer="HP") for at in range(50)]
    with_tpm = [record(smbios_uuid="cloned", tpm_ek_id=f"t{at}") for at in range(3)]
    crowded = match(batch([*strangers, *with_tpm]), NoRecords()).crowded
    assert crowded.height == 53
    assert crowded["told_apart"].sum() == 3
    against = match(batch(strangers[:1]), Registrations(strangers)).crowded
    assert against["holders"].to_list() == [50]


def test_many_small_crowds_are_bounded_together(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 500)
    cloned = [record(smbios_uuid=f"cloned {at % 30}", tpm_ek_id=f"t{at}") for at in range(900)]
    pairs = [record(smbios_uuid=f"pair {at % 20}", tpm_ek_id=f"p{at}") for at in range(40)]
    matches = match(batch([*cloned, *pairs]), NoRecords())
    assert matches.within.height == 20
    assert matches.crowded.height == 900
    assert matches.crowded["told_apart"].all()


def test_a_few_that_were_not_compared_are_not_told_apart(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 3)
    few = [record(smbios_uuid="shared", tpm_ek_id=f"t{at}") for at in range(5)]
    crowded = match(batch(few), NoRecords()).crowded
    assert crowded.height == 5
    assert not crowded["told_apart"].any()


def test_comparing_in_parts_changes_nothing(monkeypatch):
    records = [record(smbios_uuid=f"u{at % 7}", serial_number=f"s{at % 5}", manufacturer="HP") for at in range(60)]
    whole = match(batch(records), Registrations(records))
    monkeypatch.setattr("pipeline.match.compare._PAIRS_AT_ONCE", 4)
    parts = match(batch(records), Registrations(records))
    assert parts.within.equals(whole.within)
    assert parts.registered.equals(whole.registered)


def test_a_disk_that_many_share_is_no_evidence():
    registry = Registrations([record(tpm_ek_id=f"t{at}", disk_serials=["junk"]) for at in range(30)])
    assert match(batch([record(tpm_ek_id="x", disk_serials=["junk"])]), registry).registered.is_empty()


@pytest.mark.parametrize(
    ("theirs", "evidence"),
    [
        ({}, "same TPM key, UUID, serial number, product ID, network card, disk and model"),
        (
            {"disk_serials": ["e"], "mac_addresses": ["b"]},
            "same TPM key, UUID, serial number, product ID and model; network card replaced and disk replaced",
        ),
        (
            {"tpm_ek_id": "other", "disk_serials": ["e"], "smbios_uuid": None},
            (
                "same serial number, product ID, network card and model; different TPM key and disk; not known on one "
                "side: UUID"
            ),
        ),
    ],
)
def test_evidence_is_a_sentence(theirs, evidence):
    shared = {"tpm_ek_id": "t", "smbios_uuid": "u", "serial_number": "s", "manufacturer": "HP"}
    ours = record(**shared, product_id="p", model="m", mac_addresses=["a"], disk_serials=["d"])
    told = match(batch([ours]), Registrations([ours | theirs])).registered["evidence"].item()
    assert told == evidence
