"""A device to its hardware hash, in the real layout and with a valid digest."""

import hashlib
import struct

import pybase64

from pipeline.decode.layout import MAGIC, OFFLINE_ID_FROM_TPM, TRAILER, Record
from pipeline.lab.synthesize.devices import Device
from schemas.device import USUAL_BYTES

_ETHERNET, _WIFI, _BLUETOOTH = 14, 9, 10
_NVME = 17
_SEEDED_ID = 3
"""Method of the offline id where there is no TPM: a random seed kept by the firmware."""


def capture(device: Device) -> str:
    """The hash as the collector writes it: 4,000 base64 characters."""
    return encode(seal(records(device)))


def encode(blob: bytes) -> str:
    """Padded base64."""
    return pybase64.b64encode(blob).decode("ascii")


def seal(body: bytes, size: int = USUAL_BYTES) -> bytes:
    """Records to a whole hash: header, digest, and zeros up to `size` bytes."""
    signed = MAGIC + struct.pack("<H", 4 + len(body)) + body
    return (signed + TRAILER + hashlib.sha256(signed).digest()).ljust(size, b"\0")


def record(kind: int, payload: bytes) -> bytes:
    """One record."""
    return struct.pack("<HH", kind, 4 + len(payload)) + payload


def text(kind: int, value: str) -> bytes:
    """A record of text with the NUL that is counted."""
    return record(kind, value.encode("utf-8") + b"\0")


def records(device: Device) -> bytes:
    """All records of a device, in the order of real captures."""
    build, revision = device.build
    tool = struct.pack("<4H", 0, 10, 1, 26100 if device.tool_version > 8 else build)
    os_build = struct.pack("<4H", 0, 10, revision, build)
    when = struct.pack("<IbBBB", device.captured_at, 4, 1 if device.winpe else 2, 9, device.tool_version)
    disk = f"{device.disk}|{device.disk_product}|NVMe"
    parts = [
        record(Record.CAPTURE, tool + os_build + when),
        record(Record.PROCESSOR_COUNTS, struct.pack("<4HI", 9, 1, 8, 16, 1)),
        record(Record.MEMORY, struct.pack("<QQHHB", device.ram_gib, 64, 2, 1, 3)),
        text(Record.PROCESSOR_VENDOR, "GenuineIntel"),
        record(Record.PROCESSOR_BRAND, b"13th Gen Intel(R) Core(TM) i5-1345U".ljust(48, b"\0")),
        record(Record.DISK, struct.pack("<QHBB", device.disk_gb, _NVME, 0, 1)),
        record(Record.DISK_NAME, disk.encode("ascii")),
        *_adapters(device),
    ]
    if not device.winpe:
        parts.append(record(Record.DISPLAY, struct.pack("<4HI", 309, 174, 1920, 1080, 0x80000000)))
        parts.append(record(Record.DISPLAY_SIZE, struct.pack("<HH", 31, 17)))
    parts.append(record(Record.CHASSIS, bytes([10, 2, 0, 0, 0])))
    if device.tpm_key:
        parts.append(text(Record.TPM_VERSION, "TPM-Version:2.0 -Level:0-Revision:1.59-VendorID:'NTC '-Firmware:7.2"))
        parts.append(record(Record.TPM_KEY, device.tpm_key))
    parts += [
        record(Record.OFFLINE_ID, _offline_id(device)),
        record(Record.SMBIOS_UUID, device.uuid),
        text(Record.SYSTEM_SERIAL, device.serial),
        text(Record.FIRMWARE_VENDOR, device.maker),
        text(Record.SYSTEM_MANUFACTURER, device.maker),
        text(Record.SYSTEM_PRODUCT, device.model),
        text(Record.SYSTEM_SKU, "SKU-" + device.model[:4].strip()),
        text(Record.SYSTEM_FAMILY, device.family),
        text(Record.SYSTEM_VERSION, " "),
        text(Record.BOARD_MANUFACTURER, device.maker),
        text(Record.BOARD_PRODUCT, "8B41"),
        text(Record.BOARD_VERSION, "KBC Version 52.41.00"),
    ]
    if device.product_id:
        parts.append(text(Record.PRODUCT_KEY_ID, device.product_id))
        parts.append(text(Record.PRODUCT_KEY_PART, device.product_part))
    if not device.winpe:
        parts.append(text(Record.SYSTEM_DISK, disk))
    parts.append(record(Record.GRAPHICS, struct.pack("<QQBB", 128 << 20, 0, 0, 1)))
    parts.append(record(Record.GRAPHICS_NAME, "Intel|Iris(R) Xe Graphics".encode("utf-16-le")))
    return b"".join(parts)


def _adapters(device: Device) -> list[bytes]:
    bus = "VMBUS" if device.virtual else "PCI"
    adapters = [_adapter(0 if device.virtual else _ETHERNET, device.ethernet, bus)]
    if device.wifi and not device.winpe:
        adapters.append(_adapter(_WIFI, device.wifi, "PCI"))
        adapters.append(_adapter(_BLUETOOTH, device.wifi[:5] + bytes([(device.wifi[5] + 4) % 256]), "USB"))
    return adapters


def _adapter(medium: int, mac: bytes, bus: str) -> bytes:
    name = (bus + "\0").encode("utf-16-le")
    return record(Record.NETWORK_ADAPTER, struct.pack("<I", medium) + mac + struct.pack("<I", len(name)) + name)


def _offline_id(device: Device) -> bytes:
    """SHA-256 of the TPM key; without a TPM something else that stays with the firmware."""
    if device.tpm_key:
        return struct.pack("<IBBI", 0, OFFLINE_ID_FROM_TPM, 0, 32) + hashlib.sha256(device.tpm_key).digest()
    return struct.pack("<IBBI", 0, _SEEDED_ID, 1, 32) + hashlib.sha256(device.uuid).digest()
