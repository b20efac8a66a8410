import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from tests.conftest import OTHER_TENANT, TENANT, make_world
from tests.ingest.test_records import NEAR_MANIFESTS

FACTORY = Factory(random.Random(1))
HASHES = [capture(Factory(random.Random(seed)).device()) for seed in range(3)]
CELLS = st.one_of(
    st.sampled_from(["", "A1", "5CG1234ABC", "HP", "HP Inc.", "3305123456789", "Default string", "=x", " y ", "a@b.c"]),
    st.sampled_from([*HASHES, HASHES[0][:-1], HASHES[1].replace("+", " "), HASHES[2][:900], "T0", "§"]),
    st.sampled_from(["AAAAA-BBBBB-CCCCC-DDDDD-EEEEE", TENANT, OTHER_TENANT, "\u200b", "\x00"]),
    st.text(max_size=5),
)
HEADERS = st.sampled_from([INTUNE, PARTNER_CENTER, (*PARTNER_CENTER, "Tenant ID"), ("PKID", "Other", "Hardware Hash")])


@st.composite
def manifests(draw):
    """A manifest of rows that are almost right, in any encoding."""
    header = draw(HEADERS)
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(header) - 1, max_size=len(header) + 1), max_size=6))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = end.join(delimiter.join(row) for row in [list(header), *rows])
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]))
    return text.encode(encoding, "replace")


PLACES = st.sampled_from(
    [f"contoso/{TENANT}", f"contoso/{OTHER_TENANT}", f"northwind/{TENANT}", "contoso", "stranger", f"adatum/{TENANT}"]
)
DELIVERIES = st.lists(st.tuples(PLACES, st.one_of(manifests(), NEAR_MANIFESTS, st.binary(max_size=60))), max_size=10)


@settings(max_examples=4)
@given(deliveries=DELIVERIES, suffix=st.sampled_from([".csv", ".csv.gz", ".CSV.zst"]))
def test_every_row_of_any_delivery_is_in_exactly_one_set(tmp_path_factory, deliveries, suffix):
    world = make_world(tmp_path_factory.mktemp("any"), FACTORY)
    for number, (place, content) in enumerate(deliveries):
        world.put(f"{place}/{number}{suffix if number == 0 else '.csv'}", content)
    night = world.run()
    rows = night.manifest["rows"]
    keys = [
        row for part in (night.registered, night.rejected) for row in part.select("source_file", "source_line").rows()
    ]
    assert rows["read"] == rows["registered"] + rows["rejected"] == len(keys) == len(set(keys))
    by_file = night.files.select("source_file", "rows_read").rows()
    assert dict(by_file) == {name: sum(file == name for file, _ in keys) for name, _ in by_file}
    assert night.registered["device_id"].n_unique() == night.registered.height
    assert night.registered["hardware_hash_id"].drop_nulls().is_duplicated().any() is False
    assert "AAAAA-BBBBB" not in str(night.rejected.to_dicts()) + str(night.registered.to_dicts())
    again = world.run(reprocess=True)
    assert again.registered.is_empty()


@settings(max_examples=2)
@given(deliveries=DELIVERIES, source=st.randoms(use_true_random=False))
def test_names_of_files_do_not_matter(tmp_path_factory, deliveries, source):
    order = list(range(len(deliveries)))
    source.shuffle(order)
    told = []
    for numbers in (range(len(deliveries)), order):
        world = make_world(tmp_path_factory.mktemp("order"), FACTORY)
        for number, (place, content) in zip(numbers, deliveries, strict=True):
            world.put(f"{place}/{number}.csv", content)
        night = world.run()
        told.append(
            (night.manifest["rows"], {code: night.manifest["reasons"][code] for code in night.manifest["reasons"]})
        )
    assert told[0] == told[1]


def test_an_archive_that_is_none_is_one_unreadable_row(tmp_path):
    world = make_world(tmp_path, FACTORY)
    contents = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"not compressed")
    broken = [(f"{at}{suffix}", content) for at, content in enumerate(contents) for suffix in (".csv.gz", ".csv.zst")]
    for name, content in broken:
        world.put(f"contoso/{TENANT}/{name}", content)
    world.deliver(f"contoso/{TENANT}/b.csv", {"Hardware Hash": HASHES[0]})
    night = world.run()
    for name, _ in broken:
        assert night.reasons()[f"contoso/{TENANT}/{name}", 0] == ["FILE_UNREADABLE"], name
    assert night.manifest["files"]["unreadable"] == len(broken)
    assert night.registered.height == 1
