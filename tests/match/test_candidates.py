import pytest

from pipeline.match import candidates, match
from pipeline.match.existing import NoRecords
from tests.match.test_matching import Registrations, batch, record


def sharing(count, **shared):
    return [record(**shared, tpm_ek_id=f"t{at}") for at in range(count)]


@pytest.mark.parametrize(("most", "compared"), [(8, 0), (9, 3)])
def test_a_key_gives_as_many_pairs_as_there_is_room_for(monkeypatch, most, compared):
    monkeypatch.setattr(candidates, "MOST_PAIRS", most)
    matches = match(batch(sharing(3, smbios_uuid="u")), NoRecords())
    assert matches.within.height == compared
    assert matches.crowded.height == 3 - compared


@pytest.mark.parametrize(("most", "compared"), [(2, 0), (3, 3)])
def test_a_registered_key_gives_as_many_pairs_as_there_is_room_for(monkeypatch, most, compared):
    monkeypatch.setattr(candidates, "MOST_PAIRS", most)
    ours = record(smbios_uuid="u", tpm_ek_id="own")
    matches = match(batch([ours]), Registrations(sharing(3, smbios_uuid="u")))
    assert matches.registered.height == compared
    assert matches.crowded["holders"].to_list() == [3] * (compared == 0)


@pytest.mark.parametrize(("holders", "compared"), [(candidates.JUNK, candidates.JUNK), (candidates.JUNK + 1, 0)])
def test_a_disk_is_somebody_s_up_to_so_many_holders(holders, compared):
    ours = record(tpm_ek_id="own", disk_serials=["d"])
    matches = match(batch([ours]), Registrations(sharing(holders, disk_serials=["d"])))
    assert matches.registered.height == compared
    assert matches.crowded.is_empty()


@pytest.mark.parametrize(("holders", "told_apart"), [(candidates.JUNK, False), (candidates.JUNK + 1, True)])
def test_a_uuid_is_nobody_s_from_so_many_holders_on(monkeypatch, holders, told_apart):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 3)
    crowded = match(batch(sharing(holders, smbios_uuid="u")), NoRecords()).crowded
    assert crowded["told_apart"].to_list() == [told_apart] * holders


def test_only_a_uuid_s_crowd_is_told_apart_by_tpm_keys(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_PAIRS", 3)
    crowded = match(batch(sharing(30, serial_number="s", manufacturer="HP")), NoRecords()).crowded
    assert crowded["key"].unique().to_list() == ["serial_key"]
    assert not crowded["told_apart"].any()


def test_who_shares_several_keys_is_one_pair():
    shared = {"smbios_uuid": "u", "serial_number": "s", "manufacturer": "HP", "disk_serials": ["d", "e"]}
    assert match(batch(sharing(2, **shared)), NoRecords()).within.height == 1
    assert match(batch([record(**shared)]), Registrations([record(**shared)])).registered.height == 1
