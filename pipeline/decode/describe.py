"""Everything that one hardware hash says, record by record, for a person to read."""

import struct
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import polars as pl

from pipeline.decode import layout
from pipeline.decode.decode import decode
from pipeline.decode.layout import Record

_UNKNOWN_RAM = 1 << 44
_OLDEST_ZONED_TOOL = 4
"""Tool version 3 always writes the same wrong zone."""

_IDENTITY = (
    "hash_serial_number",
    "hash_manufacturer",
    "hash_model",
    "hash_product_id",
    "smbios_uuid",
    "tpm_ek_id",
    "mac_addresses",
    "disk_serials",
)
_RECOGNISED_BY = frozenset(
    {
        Record.DISK_NAME,
        Record.NETWORK_ADAPTER,
        Record.OFFLINE_ID,
        Record.SMBIOS_UUID,
        Record.SYSTEM_SERIAL,
        Record.SYSTEM_MANUFACTURER,
        Record.SYSTEM_PRODUCT,
        Record.PRODUCT_KEY_ID,
        Record.TPM_KEY,
        Record.SYSTEM_DISK,
    }
)
_STORAGE_BUSES = {8: "RAID", 10: "SAS", 11: "SATA", 17: "NVMe"}
_MEDIA = {0: "unspecified", 8: "WWAN", 9: "Wi-Fi", 10: "Bluetooth", 14: "Ethernet"}
_OS_TYPES = {1: "Windows PE", 2: "full Windows"}
_METHODS = {1: "TPM key", 2: "UEFI variable and TPM", 3: "UEFI random seed"}


def describe(text: str) -> dict[str, Any]:
    """Decode one hash, given alone.

    Returns:
        `fault` (a reason code, or None where it is usable), `repaired`, `bytes`, and where it is verified
        `hardware_hash_id`, `consistent`, `identity` (the decoded fields) and `records`, a list of all records in
        their order: `type`, `name`, `bytes`, `value`, and `identity`, whether a device is recognised by it.
    """
    decoded = decode(pl.Series([text.strip()], dtype=pl.String), single=True).row(0, named=True)
    described = {"fault": decoded["hash_fault"], "repaired": decoded["hash_repaired"], "bytes": decoded["hash_bytes"]}
    if not decoded["hash_verified"]:
        return described
    described["fault"] = _fault(decoded)
    described["hardware_hash_id"] = decoded["hardware_hash_id"]
    described["consistent"] = decoded["hash_consistent"]
    described["identity"] = {name: decoded[name] for name in _IDENTITY} | {
        "captured_at": _moment(decoded["captured_at"])
    }
    described["records"] = [_record(kind, payload) for kind, payload in _records(decoded["hash_blob"])]
    return described


def _fault(decoded: dict[str, Any]) -> str | None:
    if decoded["hash_serial_number"] is None or decoded["hash_manufacturer"] is None:
        return "HASH_FIELD_MISSING"
    return None if decoded["hash_consistent"] else "HASH_INCONSISTENT"


def _moment(value: Any) -> str | None:  # noqa: ANN401 - a datetime or None
    return value.isoformat().replace("+00:00", "Z") if value else None


def _records(blob: bytes) -> Iterator[tuple[int, bytes]]:
    """Records of a verified hash, whose lengths are known to fit."""
    at, end = layout.HEADER_BYTES, int.from_bytes(blob[2:4], "little")
    while at < end:
        kind, size = struct.unpack_from("<HH", blob, at)
        yield kind, blob[at + layout.HEADER_BYTES : at + size]
        at += size


def _record(kind: int, payload: bytes) -> dict[str, Any]:
    known = kind in set(Record)
    name = Record(kind).name.lower() if known else "unknown"
    read = _READERS.get(Record(kind)) if known else None
    try:
        value = read(payload) if read else payload.hex()
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError):
        value = payload.hex()
    return {"type": kind, "name": name, "bytes": len(payload), "value": value, "identity": kind in _RECOGNISED_BY}


def _text(payload: bytes) -> str:
    return payload.decode("utf-8").rstrip("\0")


def _wide_text(payload: bytes) -> str:
    return payload.decode("utf-16-le").rstrip("\0")


def _build(payload: bytes) -> str:
    minor, major, revision, build = struct.unpack("<4H", payload)
    return f"{major}.{minor}.{build}.{revision}"


def _capture(payload: bytes) -> dict[str, Any]:
    seconds, zone, os_type, architecture, tool = struct.unpack_from("<IbBBB", payload, 16)
    return {
        "tool_build": _build(payload[:8]),
        "os_build": _build(payload[8:16]),
        "captured_at": _moment(layout.EPOCH + timedelta(seconds=seconds)),
        "utc_offset_minutes": zone * 15 if tool >= _OLDEST_ZONED_TOOL else None,
        "os_type": _OS_TYPES.get(os_type, os_type),
        "architecture": architecture,
        "tool_version": tool,
    }


def _processors(payload: bytes) -> dict[str, Any]:
    names = ("architecture", "packages", "cores", "threads", "hyper_threading")
    return dict(zip(names, struct.unpack_from("<4HI", payload), strict=True))


def _memory(payload: bytes) -> dict[str, Any]:
    ram, most, slots, arrays, correction = struct.unpack_from("<QQHHB", payload)
    return {
        "gib": None if ram == _UNKNOWN_RAM else ram,
        "most_gib": most,
        "slots": slots,
        "arrays": arrays,
        "error_correction": correction,
    }


def _disk(payload: bytes) -> dict[str, Any]:
    gigabytes, bus, seek_penalty, trim = struct.unpack_from("<QHBB", payload)
    return {"gb": gigabytes, "bus": _STORAGE_BUSES.get(bus, bus), "seek_penalty": seek_penalty, "trim": trim}


def _disk_name(payload: bytes) -> dict[str, str]:
    return dict(zip(("serial", "product", "vendor"), _text(payload).split("|"), strict=False))


def _adapter(payload: bytes) -> dict[str, Any]:
    medium, mac, length = struct.unpack_from("<I6sI", payload)
    return {
        "medium": _MEDIA.get(medium, medium),
        "mac": mac.hex(":").upper(),
        "bus": _wide_text(payload[14 : 14 + length]),
    }


def _display(payload: bytes) -> dict[str, int]:
    names = ("width_mm", "height_mm", "width_pixels", "height_pixels", "output")
    return dict(zip(names, struct.unpack_from("<4HI", payload), strict=True))


def _display_size(payload: bytes) -> dict[str, int]:
    return dict(zip(("width_cm", "height_cm"), struct.unpack_from("<2H", payload), strict=True))


def _chassis(payload: bytes) -> dict[str, int]:
    names = ("chassis", "role", "optical", "touch", "touch_points")
    return dict(zip(names, struct.unpack_from("<5B", payload), strict=True))


def _offline_id(payload: bytes) -> dict[str, Any]:
    status, method, _, length = struct.unpack_from("<IBBI", payload)
    return {"status": status, "method": _METHODS.get(method, method), "id": payload[10 : 10 + length].hex()}


def _uuid(payload: bytes) -> str:
    return str(uuid.UUID(bytes_le=payload[:16]))


def _graphics(payload: bytes) -> dict[str, int]:
    names = ("dedicated_video_bytes", "dedicated_system_bytes", "removal_policy", "internal")
    return dict(zip(names, struct.unpack_from("<QQBB", payload), strict=True))


def _processor_classes(payload: bytes) -> list[dict[str, int]]:
    names = ("efficiency_class", "cores", "threads")
    return [dict(zip(names, struct.unpack_from("<BHH", payload, 1 + 5 * at), strict=True)) for at in range(payload[0])]


_READERS: dict[Record, Callable[[bytes], Any]] = {
    Record.CAPTURE: _capture,
    Record.PROCESSOR_COUNTS: _processors,
    Record.MEMORY: _memory,
    Record.DISK: _disk,
    Record.DISK_NAME: _disk_name,
    Record.SYSTEM_DISK: _disk_name,
    Record.NETWORK_ADAPTER: _adapter,
    Record.DISPLAY: _display,
    Record.DISPLAY_SIZE: _display_size,
    Record.CHASSIS: _chassis,
    Record.OFFLINE_ID: _offline_id,
    Record.SMBIOS_UUID: _uuid,
    Record.GRAPHICS: _graphics,
    Record.GRAPHICS_NAME: _wide_text,
    Record.PROCESSOR_CLASSES: _processor_classes,
    **dict.fromkeys(
        (
            Record.PROCESSOR_VENDOR,
            Record.PROCESSOR_BRAND,
            Record.TPM_VERSION,
            Record.SYSTEM_SERIAL,
            Record.FIRMWARE_VENDOR,
            Record.SYSTEM_MANUFACTURER,
            Record.SYSTEM_PRODUCT,
            Record.SYSTEM_SKU,
            Record.SYSTEM_FAMILY,
            Record.BOARD_MANUFACTURER,
            Record.BOARD_PRODUCT,
            Record.BOARD_VERSION,
            Record.SYSTEM_VERSION,
            Record.PRODUCT_KEY_ID,
            Record.PRODUCT_KEY_PART,
            Record.LOCALE,
        ),
        _text,
    ),
}
