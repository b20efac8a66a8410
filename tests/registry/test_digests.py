import pyarrow.parquet as pq
import pytest

from pipeline.errors import RegistryError
from pipeline.registry import Registry, digests, index, lookup, serials
from pipeline.registry.compacting import compact
from pipeline.registry.copies import Copy
from pipeline.registry.verifying import verify
from pipeline.synthesize.capture import capture
from pipeline.synthesize.night import INTUNE, PARTNER_CENTER
from tests.conftest import TENANT

HASH = INTUNE[2]


@pytest.fixture
def registered(world):
    """A registry of three devices; the next night delivers them again, by other captures."""
    devices = [world.factory.device() for _ in range(3)]
    world.deliver(f"contoso/{TENANT}/a.csv", *({HASH: capture(device)} for device in devices))
    world.run()
    world.deliver(f"contoso/{TENANT}/b.csv", *({HASH: capture(device)} for device in devices))
    return world


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


@pytest.mark.parametrize("column", ["event", "device_id", "tpm_key", "uuid_key", "serial_key", "smbios_uuid", "version"])
def test_a_flipped_bit_makes_no_registered_device_new(registered, column):
    file = data_file(registered)
    first, size = places_of(file, column)
    for at in range(first, first + size, max(1, size // 5)):
        flip(file, at)
        with pytest.raises(RegistryError, match=f"{file.name}: is damaged"):
            registered.run(run_id="no")
        (told,) = verify(Registry.open(registered.registry, create=False))
        assert told.startswith(f"registry file {file}: is damaged")
        flip(file, at)
    assert registered.run().manifest["reasons"] == {"ALREADY_REGISTERED": 3}
