"""A hardware hash decoded byte by byte, as one would explain it; the oracle of the fast decoder."""

import base64
import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta

UNIQUE = {1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 34, 35, 36, 37}
BLANKS = " \t\u00a0"


def decode_text(text):
    """Bytes that a canonical text stands for, and those with the last bits; None where it is no base64."""
    bare = text.rstrip("=")
    if not re.fullmatch("[A-Za-z0-9+/]*", bare):
        return None
    filled = base64.b64decode(bare + "A" * (-len(bare) % 4))
    return filled[: len(bare) * 3 // 4], filled


def decode(text):
    """Fault and fields of one hash whose text needs no repair."""
    both = decode_text(text)
    if both is None:
        return {"hash_fault": "HASH_NOT_BASE64"}
    blob, filled = both
    total = int.from_bytes(blob[2:4], "little") if len(blob) >= 4 else None
    if blob[:2] != b"OA" or (total is not None and total < 4):
        return {"hash_fault": "HASH_BAD_HEADER"}
    if total is None or total + 36 > len(blob):
        return {"hash_fault": "HASH_TRUNCATED"}
    if (
        blob[total : total + 4] != b"CS\x24\x00"
        or blob[total + 4 : total + 36] != hashlib.sha256(blob[:total]).digest()
    ):
        return {"hash_fault": "HASH_CHECKSUM"}
    records = walk(blob, total)
    if any(filled[total + 36 :]) or records is None:
        return {"hash_fault": "HASH_MALFORMED"}
    return {"hash_fault": None, **read(records), "hash_blob": blob[: total + 36]}


def walk(blob, total):
    """Records as (type, payload); None where they do not fit together."""
    at, records = 4, []
    while at < total:
        kind, size = int.from_bytes(blob[at : at + 2], "little"), int.from_bytes(blob[at + 2 : at + 4], "little")
        if at + 4 > total or size < 4 or at + size > total:
            return None
        records.append((kind, blob[at + 4 : at + size]))
        at += size
    kinds = [kind for kind, _ in records if kind in UNIQUE]
    if len(kinds) != len(set(kinds)) or any(too_short(*record) for record in records):
        return None
    return records


def too_short(kind, payload):
    if kind == 1:
        return len(payload) < 24
    if kind == 12:
        return len(payload) < 16
    if kind == 8:
        return len(payload) < 14 or len(payload) < 14 + int.from_bytes(payload[10:14], "little")
    if kind == 11:
        return len(payload) < 10 or len(payload) < 10 + int.from_bytes(payload[6:10], "little")
    return False


def string(payload):
    text = payload.decode("utf-8", "backslashreplace").rstrip("\0").strip(BLANKS)
    return None if text in {"", "SMBIOS_STRING_INDEX_0"} else text


def read(records):
    first = dict(reversed(records))
    fields = {
        name: string(first[kind]) if kind in first else None
        for name, kind in (
            ("hash_serial_number", 14),
            ("hash_manufacturer", 16),
            ("hash_model", 17),
            ("hash_product_id", 24),
        )
    }
    capture = first.get(1)
    seconds = int.from_bytes(capture[16:20], "little") if capture else 0
    fields["captured_at"] = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds) if capture else None
    fields["os_type"] = capture[21] if capture else None
    fields["smbios_uuid"] = str(uuid.UUID(bytes_le=first[12][:16])) if 12 in first else None
    key = first.get(25)
    fields["tpm_ek_id"] = hashlib.sha256(key).hexdigest() if key is not None else None
    derived = (
        first[11][10 : 10 + int.from_bytes(first[11][6:10], "little")] if 11 in first and first[11][4] == 1 else None
    )
    if key is None and derived is None:
        fields["hash_consistent"] = True
    else:
        fields["hash_consistent"] = key is not None and len(key) == 256 and derived == hashlib.sha256(key).digest()
    macs = {mac(payload) for kind, payload in records if kind == 8}
    fields["mac_addresses"] = sorted(address for address in macs if address)
    disks = [payload for kind, payload in records if kind == 28] + [payload for kind, payload in records if kind == 7]
    serials = [disk.decode("utf-8", "backslashreplace").rstrip("\0").split("|")[0].strip(BLANKS) for disk in disks]
    fields["disk_serials"] = list(dict.fromkeys(serial for serial in serials if serial))
    return fields


def mac(payload):
    medium = int.from_bytes(payload[:4], "little")
    address = payload[4:10]
    bus = payload[14 : 14 + int.from_bytes(payload[10:14], "little")]
    names = ["PCI".encode("utf-16-le"), "VMBUS".encode("utf-16-le")]
    onboard = bus in names or bus.removesuffix(b"\0\0") in names
    if not onboard or medium == 10 or address in {bytes(6), b"\xff" * 6} or address[0] & 2:
        return None
    return ":".join(f"{byte:02X}" for byte in address)
