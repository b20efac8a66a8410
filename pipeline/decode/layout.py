"""The container and the records of an OA3 hardware hash, as numbers.

Established from public captures: all integers are little-endian, a record's length includes its own header of four
bytes, and the digest covers everything before the trailer.
"""

from datetime import UTC, datetime
from enum import IntEnum

MAGIC = b"OA"
TRAILER = b"CS" + (36).to_bytes(2, "little")
HEADER_BYTES = 4
DIGEST_BYTES = 32
TRAILER_BYTES = len(TRAILER) + DIGEST_BYTES

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Capture times count seconds from here, in UTC."""


class Record(IntEnum):
    """Types of records that are known; others are kept and never rejected."""

    CAPTURE = 1
    PROCESSOR_COUNTS = 2
    PROCESSOR_VENDOR = 3
    PROCESSOR_BRAND = 4
    MEMORY = 5
    DISK = 6
    DISK_NAME = 7
    NETWORK_ADAPTER = 8
    DISPLAY = 9
    CHASSIS = 10
    OFFLINE_ID = 11
    SMBIOS_UUID = 12
    TPM_VERSION = 13
    SYSTEM_SERIAL = 14
    FIRMWARE_VENDOR = 15
    SYSTEM_MANUFACTURER = 16
    SYSTEM_PRODUCT = 17
    SYSTEM_SKU = 18
    SYSTEM_FAMILY = 19
    BOARD_MANUFACTURER = 20
    BOARD_PRODUCT = 21
    BOARD_VERSION = 22
    SYSTEM_VERSION = 23
    PRODUCT_KEY_ID = 24
    TPM_KEY = 25
    PRODUCT_KEY_PART = 26
    DISPLAY_SIZE = 27
    SYSTEM_DISK = 28
    GRAPHICS = 29
    GRAPHICS_NAME = 30
    PROCESSOR_CLASSES = 34
    FLAGS_35 = 35
    LOCALE = 36
    COMPONENT_IDS = 37


REPEATABLE = frozenset(
    {
        Record.DISK,
        Record.DISK_NAME,
        Record.NETWORK_ADAPTER,
        Record.DISPLAY,
        Record.DISPLAY_SIZE,
        Record.GRAPHICS,
        Record.GRAPHICS_NAME,
    }
)
UNIQUE = frozenset(Record) - REPEATABLE
"""A second record of one of these types makes the hash malformed: which of them counts would be a guess."""

SHORTEST_PAYLOAD = {
    Record.CAPTURE: 24,
    Record.NETWORK_ADAPTER: 14,
    Record.OFFLINE_ID: 10,
    Record.SMBIOS_UUID: 16,
}
"""Bytes that a record needs for what identity reads from it. Longer ones are fine; of other types any length is."""

LENGTH_AT = {Record.NETWORK_ADAPTER: 10, Record.OFFLINE_ID: 6}
"""Where records say how many bytes follow those that every record of their type has."""

TPM_KEY_BYTES = 256
"""The endorsement key is the bare RSA-2048 modulus."""

OFFLINE_ID_FROM_TPM = 1
"""Method under which the offline device id is the SHA-256 of the TPM key."""

MEDIUM_BLUETOOTH = 10
MISSING_STRING = "SMBIOS_STRING_INDEX_0"
"""Written literally where the firmware's table has no such string."""
