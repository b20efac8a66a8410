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
