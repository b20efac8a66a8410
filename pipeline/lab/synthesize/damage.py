"""What happens to a hash on its way: damage that can be repaired, and damage that cannot."""

import random
import struct
from collections.abc import Callable

import pybase64

from pipeline.decode.layout import DIGEST_BYTES, HEADER_BYTES, TRAILER, TRAILER_BYTES, Record
from pipeline.lab.synthesize.capture import encode, record, records, seal, text
from pipeline.lab.synthesize.devices import Device, Factory

REPAIRABLE: dict[str, Callable[[str], str]] = {
    "last character lost": lambda value: value[:-1],
    "needless padding": lambda value: value + "==",
    "blanks inside": lambda value: value[:64] + " " + value[64:128] + "  " + value[128:],
    "plus turned into blank": lambda value: value.replace("+", " "),
    "quotes": lambda value: f"'{value}'",
    "formula": lambda value: f'="{value}"',
    "URL-safe alphabet": lambda value: value.replace("+", "-").replace("/", "_"),
    "percent entities": lambda value: value.replace("+", "%2B").replace("/", "%2f"),
    "HTML entities": lambda value: value.replace("+", "&#43;").replace("/", "&#x2F;"),
    "XML element": lambda value: f"<HardwareHash>{value}</HardwareHash>",
    "trailing delimiter": lambda value: value + ",",
}
"""Damage to the text that loses nothing, by name."""


def _flipped(value: str, source: random.Random) -> str:
    total = struct.unpack_from("<H", pybase64.b64decode(value), 2)[0]
    at = source.randrange(HEADER_BYTES + 2, total) * 4 // 3
    other = "B" if value[at] != "B" else "C"
    return value[:at] + other + value[at + 1 :]


def _dirty(value: str, source: random.Random) -> str:
    raw = bytearray(pybase64.b64decode(value))
    raw[source.randrange(2_970, len(raw))] = 0x41
    return encode(bytes(raw))


def _body(value: str) -> bytes:
    raw = pybase64.b64decode(value)
    return raw[HEADER_BYTES : struct.unpack_from("<H", raw, 2)[0]]


def _resealed(change: Callable[[bytes], bytes]) -> Callable[[str, random.Random], str]:
    """Damage after which somebody made the digest fit again."""
    return lambda value, _: encode(seal(change(_body(value))))


def _without_trailer(value: str, _: random.Random) -> str:
    raw = bytearray(pybase64.b64decode(value))
    total = struct.unpack_from("<H", raw, 2)[0]
    raw[total : total + TRAILER_BYTES] = bytes(len(TRAILER) + DIGEST_BYTES)
    return encode(bytes(raw))


BROKEN: dict[str, tuple[str, Callable[[str, random.Random], str]]] = {
    "not base64": ("HASH_NOT_BASE64", lambda value, _: value[:100] + "§" + value[101:]),
    "other prefix": ("HASH_BAD_HEADER", lambda value, _: "QUFB" + value[4:]),
    "truncated": ("HASH_TRUNCATED", lambda value, source: value[: source.randrange(8, 900)]),
    "one character wrong": ("HASH_CHECKSUM", _flipped),
    "no trailer": ("HASH_CHECKSUM", _without_trailer),
    "dirt in the padding": ("HASH_MALFORMED", _dirty),
    "record of no length": ("HASH_MALFORMED", _resealed(lambda body: body + struct.pack("<HH", 99, 0))),
    "serial twice": ("HASH_MALFORMED", _resealed(lambda body: body + text(Record.SYSTEM_SERIAL, "OTHER1"))),
}
"""Damage for which a hash is rejected: the reason, and what is done to the text."""


def without(device: Device, kind: Record) -> str:
    """A capture without one kind of record."""
    return encode(seal(_replaced(records(device), kind, b"")))


def forged(device: Device, factory: Factory) -> str:
    """A capture whose TPM key was exchanged, the digest made to fit, the offline id forgotten."""
    return encode(seal(_replaced(records(device), Record.TPM_KEY, record(Record.TPM_KEY, factory.tpm_key()))))


def with_serial(device: Device, serial: str) -> str:
    """A capture with another serial number."""
    return encode(seal(_replaced(records(device), Record.SYSTEM_SERIAL, text(Record.SYSTEM_SERIAL, serial))))


def with_longer_record(device: Device) -> str:
    """A capture by a newer tool: an unknown record, and a UUID record with more behind it."""
    longer = record(Record.SMBIOS_UUID, device.uuid + b"more")
    return encode(seal(_replaced(records(device), Record.SMBIOS_UUID, longer) + record(200, b"new")))


def _replaced(body: bytes, kind: Record, replacement: bytes) -> bytes:
    at, parts = 0, []
    while at < len(body):
        found, size = struct.unpack_from("<HH", body, at)
        parts.append(replacement if found == kind else body[at : at + size])
        at += size
    return b"".join(parts)
