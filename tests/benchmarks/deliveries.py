"""Large clean deliveries from a seed, made faster than devices can be invented: templates with fresh identities."""

import hashlib
import random
from dataclasses import replace

import numpy as np
import pybase64

from pipeline.decode.layout import TPM_KEY_BYTES, TRAILER
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import MAKERS, Factory

HEADER = "Device Serial Number,Windows Product ID,Hardware Hash,Manufacturer name,Device model\r\n"
_TEMPLATES = 64
_SERIAL = "5CG0000000"


def delivery(seed, rows):
    """Text of a manifest of so many rows of about 4.1 KB, each with a serial, TPM key and digest of its own."""
    factory = Factory(random.Random(seed))
    devices = [
        replace(factory.device(MAKERS[at % len(MAKERS)]), serial=_SERIAL, product_id=None) for at in range(_TEMPLATES)
    ]
    templates = [Template(device) for device in devices]
    fresh = np.random.default_rng(seed).bytes(rows * 16)
    return HEADER + "".join(
        templates[at % _TEMPLATES].line(f"{seed % 1_000:03d}{at:07d}", fresh[16 * at : 16 * at + 16])
        for at in range(rows)
    )


class Template:
    """A device whose serial and TPM key can be written anew."""

    def __init__(self, device):
        self.device = device
        self.blob = pybase64.b64decode(capture(device))
        self.serial_at = self.blob.index(_SERIAL.encode())
        self.key_at = self.blob.index(device.tpm_key)
        self.id_at = self.blob.index(hashlib.sha256(device.tpm_key).digest())
        self.total = int.from_bytes(self.blob[2:4], "little")

    def line(self, serial, fresh):
        blob = bytearray(self.blob)
        blob[self.serial_at : self.serial_at + len(serial)] = serial.encode()
        blob[self.key_at + 100 : self.key_at + 100 + len(fresh)] = fresh
        key = blob[self.key_at : self.key_at + TPM_KEY_BYTES]
        blob[self.id_at : self.id_at + 32] = hashlib.sha256(key).digest()
        digest_at = self.total + len(TRAILER)
        blob[digest_at : digest_at + 32] = hashlib.sha256(blob[: self.total]).digest()
        text = pybase64.b64encode_as_string(bytes(blob))
        return f"{serial},,{text},{self.device.maker},{self.device.model}\r\n"


def unlike(seed, rows, again=20):
    """The same of devices that share nothing: key, UUID, address and disk are each one's own as well.

    Every so many rows the device before is captured again.
    """
    factory = Factory(random.Random(seed))
    devices = [
        replace(device, serial=_SERIAL, product_id=None, disk=device.disk[:4] + _DISK)
        for device in (factory.device(MAKERS[at % len(MAKERS)]) for at in range(_TEMPLATES))
    ]
    templates, fresh = [_Unlike(device) for device in devices], np.random.default_rng(seed).bytes(rows * _FRESH)
    lines = []
    for at in range(rows):
        own, later = (at - 1, 60) if at and at % again == 0 else (at, 0)
        own_bytes = fresh[own * _FRESH : (own + 1) * _FRESH]
        lines.append(templates[own % _TEMPLATES].line(f"{seed % 1_000:03d}{own:07d}", own_bytes, later))
    return HEADER + "".join(lines)


_DISK = "Q" * 12
_FRESH = TPM_KEY_BYTES + 16 + 3 + 6
"""Random bytes of a device: its key, its UUID, the end of its address, and its disk's number in hex."""


class _Unlike:
    """A device of which all that identifies it can be written anew."""

    def __init__(self, device):
        self.device, self.blob = device, pybase64.b64decode(capture(device))
        self.total = int.from_bytes(self.blob[2:4], "little")
        self.serials, self.keys, self.ids, self.uuids, self.addresses, self.disks, self.times = map(
            self._places,
            (
                _SERIAL.encode(),
                device.tpm_key,
                hashlib.sha256(device.tpm_key).digest(),
                device.uuid,
                device.ethernet,
                _DISK.encode(),
                device.captured_at.to_bytes(4, "little"),
            ),
        )

    def _places(self, part):
        found, at = [], self.blob.find(part)
        while 0 <= at < self.total:
            found.append(at)
            at = self.blob.find(part, at + 1)
        assert found, part
        return found

    def line(self, serial, fresh, later):
        """A row; `later` are the seconds that its capture comes after the template's."""
        blob, key = bytearray(self.blob), fresh[:TPM_KEY_BYTES]
        uuid, address, disk = (
            fresh[TPM_KEY_BYTES + at : TPM_KEY_BYTES + end] for at, end in ((0, 16), (16, 19), (19, 25))
        )
        parts = (
            (self.serials, serial.encode()),
            (self.keys, key),
            (self.ids, hashlib.sha256(key).digest()),
            (self.uuids, uuid),
            ([at + 3 for at in self.addresses], address),
            (self.disks, disk.hex().encode()),
            (self.times[:1], (self.device.captured_at + later).to_bytes(4, "little")),
        )
        for places, part in parts:
            for at in places:
                blob[at : at + len(part)] = part
        digest_at = self.total + len(TRAILER)
        blob[digest_at : digest_at + 32] = hashlib.sha256(blob[: self.total]).digest()
        return f"{serial},,{pybase64.b64encode_as_string(bytes(blob))},{self.device.maker},{self.device.model}\r\n"
