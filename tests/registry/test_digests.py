import base64
import zlib

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from pipeline.errors import RegistryError
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry, digests, index, lookup, serials
from pipeline.registry.compacting import compact
from pipeline.registry.verifying import verify
from tests.conftest import TENANT

HASH, TAG = INTUNE[2:4]


def three_devices(world):
    """A registry of three devices; the next night delivers them again, by other captures."""
    devices = [world.factory.device() for _ in range(3)]
    world.deliver(f"contoso/{TENANT}/a.csv", *({HASH: capture(device)} for device in devices))
    world.run()
    world.deliver(f"contoso/{TENANT}/b.csv", *({HASH: capture(device), TAG: "again"} for device in devices))


def forty_devices(world):
    world.deliver(f"contoso/{TENANT}/a.csv", *({HASH: capture(world.factory.device())} for _ in range(40)))
    world.run()


@pytest.fixture
def registered(played, tmp_path):
    return played(three_devices, tmp_path)


def data_file(world):
    (file,) = Registry.open(world.registry, create=False).data_files()
    return file


def flip(path, at, bit=3):
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def places_of(file, column):
    """First byte and size of a column."""
    group = pq.read_metadata(file).row_group(0)
    chunks = (group.column(at) for at in range(group.num_columns))
    (chunk,) = (chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] == column)
    return chunk.dictionary_page_offset or chunk.data_page_offset, chunk.total_compressed_size


@pytest.mark.parametrize("column", ["event", "tpm_key", "smbios_uuid"])
def test_a_flipped_bit_makes_no_registered_device_new(registered, column):
    file = data_file(registered)
    first, size = places_of(file, column)
    for at in range(first, first + size, max(1, size // 2)):
        flip(file, at)
        with pytest.raises(RegistryError, match=f"{file.name}: is damaged"):
            registered.run(run_id="no")
        (told,) = verify(Registry.open(registered.registry, create=False))
        assert told.startswith(f"registry file {file}: is damaged")
        flip(file, at)
    assert registered.run().manifest["reasons"] == {"ALREADY_REGISTERED": 3}


@pytest.mark.parametrize("kind", [index, lookup, serials], ids=["index", "lookup", "serials"])
@pytest.mark.parametrize("spread", [1, 128])
def test_a_flipped_bit_of_a_look_up_makes_no_registered_device_new(played, tmp_path, kind, spread, monkeypatch):
    """However little is looked at: among 200 devices, each bit that is believed is checked."""
    monkeypatch.setattr("pipeline.registry.key_set._SPARSE", spread)
    world = played(forty_devices, tmp_path)
    file = data_file(world)
    kind.SIDECAR.write(file)
    registry = Registry.open(world.registry, create=False)
    truth = registry.live().collect()
    place = kind.SIDECAR.place(file)
    size = place.stat().st_size
    told = 0
    for at in range(0, size, max(1, size // 70)):
        flip(place, at)
        told += answers(registry, truth) == "damaged"
        flip(place, at)
    assert answers(registry, truth) == "right"
    assert told


def answers(registry, truth):
    """What look-ups of one device's keys, and of its record, say."""
    one = truth.head(1)
    try:
        for name in ("tpm_key", "uuid_key", "serial_key", "folded_serial_key"):
            held = registry.holders(name, one[name])
            assert truth[held["record"].to_list()][name].to_list() == one[name].to_list()
        at = pl.Series([0, 17, 39], dtype=pl.UInt32)
        columns = [name for name in lookup.COLUMNS if name != "event"]
        assert registry.records(at).select(columns).equals(truth[[0, 17, 39]].select(columns))
        forms = registry.serial_forms(one["manufacturer"])
        same_maker = truth.filter(pl.col("manufacturer") == one["manufacturer"][0])
        assert forms.row(0) == serials.merged([serials._forms_of(list(registry.data_files()))]).filter(
            pl.col("manufacturer") == same_maker["manufacturer"][0]
        ).row(0)
    except RegistryError:
        return "damaged"
    return "right"


def test_damage_is_not_copied(registered):
    file = data_file(registered)
    registered.import_existing({"tenant_id": TENANT, "registered_via": "intune", "windows_product_id": "3305123456789"})
    flip(file, file.stat().st_size // 3)
    registry = Registry.open(registered.registry, create=False)
    for kind in (index, lookup, serials):
        with pytest.raises(RegistryError, match="is damaged"):
            kind.SIDECAR.write(file)
    with pytest.raises(RegistryError, match="is damaged"):
        compact(registry)
    assert registry.reopened().version == registry.version


@pytest.mark.parametrize("size", [0, 1, digests._BLOCK - 1, digests._BLOCK, digests._BLOCK + 1, 5 * digests._BLOCK + 7])
@pytest.mark.parametrize("step", [1_000, digests._BLOCK, 3 * digests._BLOCK])
def test_digests_are_of_blocks_however_they_are_written(tmp_path, size, step):
    content = bytes(range(251)) * (size // 251 + 1)
    file = digests.DigestingFile(tmp_path / "part-x.parquet")
    for first in range(0, size, step):
        file.write(content[first : min(first + step, size)])
    (told,) = file.seal().values()
    file.close()
    expected = [zlib.crc32(content[at : min(at + digests._BLOCK, size)]) for at in range(0, size, digests._BLOCK)]
    assert np.frombuffer(base64.b64decode(told), "<u4").tolist() == expected


def test_every_byte_of_a_data_file_is_vouched_for(registered):
    file = data_file(registered)
    for at in range(0, file.stat().st_size, 97):
        flip(file, at)
        with pytest.raises(RegistryError, match="is damaged"):
            digests.require_sound(file)
        flip(file, at)
    digests.require_sound(file)
