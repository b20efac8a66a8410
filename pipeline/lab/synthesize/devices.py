"""Believable devices of several makers, and how they change. Nothing here belongs to a real device."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

_NO_VOWELS = "BCDFGHJKMNPRTVWXY0123456789"
_LENOVO = "ABCDEFGHJKLMNPRSTVWXYZ0123456789"
_EDITIONS = (("3305", "[TH]X19-99481"), ("3556", "[TH]X23-62755"), ("3354", "[TH]X22-47215"))


@dataclass(frozen=True, slots=True)
class Maker:
    """A manufacturer as its firmware spells it, what people write instead, and its models with their families."""

    name: str
    alias: str
    models: tuple[tuple[str, str], ...]


HP = Maker(
    "HP",
    "HP Inc.",
    (
        ("HP EliteBook 840 14 inch G10 Notebook PC", "HP EliteBook"),
        ("HP ProBook 440 14 inch G10 Notebook PC", "HP ProBook"),
        ("HP Elite Mini 800 G9 Desktop PC", "HP Elite"),
    ),
)
DELL = Maker("Dell Inc.", "Dell", (("Latitude 7440", "Latitude"), ("OptiPlex Micro 7010", "OptiPlex")))
LENOVO = Maker("LENOVO", "Lenovo", (("21HDCTO1WW", "ThinkPad T14 Gen 4"), ("12E3CTO1WW", "ThinkCentre M70q Gen 4")))
MICROSOFT = Maker("Microsoft Corporation", "Microsoft", (("Surface Laptop 5", "Surface"), ("Surface Pro 9", "Surface")))
MAKERS = (HP, DELL, LENOVO, MICROSOFT)
_DISKS = (("SAMSUNG MZVL2512HCJQ-00BH1", 512), ("WD PC SN740 256GB", 255), ("KIOXIA KXG8AZNV1T02", 1024))


@dataclass(frozen=True, slots=True)
class Device:
    """One device as a capture sees it; `captured_at` counts seconds since 2000-01-01, UTC."""

    maker: str
    model: str
    family: str
    serial: str
    uuid: bytes
    tpm_key: bytes | None
    ethernet: bytes
    wifi: bytes | None
    disk: str
    disk_product: str
    disk_gb: int
    product_id: str | None
    product_part: str
    ram_gib: int
    build: tuple[int, int]
    tool_version: int
    captured_at: int
    winpe: bool = False
    virtual: bool = False


class Factory:
    """Makes devices from a seeded source; serials and product IDs never repeat."""

    def __init__(self, random_source: random.Random) -> None:
        self.random = random_source
        self._used: set[str] = set()

    def device(self, maker: Maker | None = None, *, tpm: bool = True) -> Device:
        """A new device."""
        maker = maker or self.random.choice(MAKERS)
        model, family = self.random.choice(maker.models)
        serial = self._unused(lambda: self._serial(maker))
        product, gigabytes = self.random.choice(_DISKS)
        prefix, part = self.random.choice(_EDITIONS)
        return Device(
            maker=maker.name,
            model=model,
            family=family,
            serial=serial,
            uuid=_dell_uuid(serial) if maker is DELL else self.uuid(),
            tpm_key=self.tpm_key() if tpm else None,
            ethernet=self.mac(),
            wifi=self.mac(),
            disk=self.disk(),
            disk_product=product,
            disk_gb=gigabytes,
            product_id=self._unused(lambda: prefix + f"{self.random.randrange(10**9):09d}"),
            product_part=part,
            ram_gib=self.random.choice((8, 16, 32)),
            build=self.random.choice(((22621, 3007), (22631, 4037), (26100, 2033))),
            tool_version=8,
            captured_at=self.moment(),
        )

    def product_id(self) -> str:
        """A product ID that no device has."""
        return self._unused(lambda: "3305" + f"{self.random.randrange(10**9):09d}")

    def junk_serial(self) -> str:
        """What a maker may write to many boards alike, and no list of placeholders knows."""
        return self._unused(lambda: f"JUNK{self.random.randrange(10**9):09d}")

    def uuid(self) -> bytes:
        """A random (version 4) UUID as SMBIOS stores it."""
        raw = bytearray(self.random.randbytes(16))
        raw[7] = raw[7] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        return bytes(raw)

    def tpm_key(self) -> bytes:
        """An RSA-2048 modulus by its looks: top bit set, odd."""
        raw = bytearray(self.random.randbytes(256))
        raw[0] |= 0x80
        raw[-1] |= 0x01
        return bytes(raw)

    def mac(self) -> bytes:
        """A universally administered unicast address."""
        raw = bytearray(self.random.randbytes(6))
        raw[0] &= 0xFC
        return bytes(raw)

    def disk(self) -> str:
        """An NVMe serial as Windows writes it."""
        return "_".join(f"{self.random.randrange(1 << 16):04X}" for _ in range(4)) + "."

    def moment(self) -> int:
        """A capture time in the summer of 2025."""
        return 805_000_000 + self.random.randrange(8_000_000)

    def _unused(self, make: Callable[[], str]) -> str:
        value = make()
        while value in self._used or value.endswith("0000000"):
            value = make()
        self._used.add(value)
        return value

    def _serial(self, maker: Maker) -> str:
        pick = self.random.choices
        if maker is HP:
            return f"5CG{self.random.randrange(200, 560):03d}" + "".join(pick(_NO_VOWELS, k=4))
        if maker is DELL:
            return "".join(pick(_NO_VOWELS, k=7))
        if maker is LENOVO:
            return self.random.choice(("PF", "MP", "GM")) + "".join(pick(_LENOVO, k=6))
        return f"0{self.random.randrange(10**11):011d}"


def _dell_uuid(tag: str) -> bytes:
    """Dell derives the UUID from the service tag."""
    letters = tag.encode("ascii")
    t1, t2, t3, t4, t5, t6, t7 = letters
    return b"DELL" + bytes([t1, 0x00, t2, 0x10, t3, 0x80, t4 | 0x80, 0xC0, 0x4F, t5, t6, t7])


def recaptured(device: Device, factory: Factory) -> Device:
    """Captured again later."""
    return replace(device, captured_at=device.captured_at + 86_400 + factory.random.randrange(1_000_000))


def upgraded(device: Device, factory: Factory) -> Device:
    """A feature update: other builds, a newer tool."""
    return replace(recaptured(device, factory), build=(26100, 4652), tool_version=9)


def with_memory(device: Device, factory: Factory) -> Device:
    """More memory."""
    return replace(recaptured(device, factory), ram_gib=64)


def with_disk(device: Device, factory: Factory) -> Device:
    """A new disk."""
    return replace(recaptured(device, factory), disk=factory.disk())


def with_wifi(device: Device, factory: Factory) -> Device:
    """A new Wi-Fi card."""
    return replace(recaptured(device, factory), wifi=factory.mac())


def without_tpm(device: Device, factory: Factory) -> Device:
    """The TPM switched off in the firmware."""
    return replace(recaptured(device, factory), tpm_key=None)


def with_board(device: Device, factory: Factory) -> Device:
    """A new motherboard with the serial written back: new TPM, UUID (but at Dell), onboard network and product ID."""
    return replace(
        recaptured(device, factory),
        uuid=device.uuid if device.maker == DELL.name else factory.uuid(),
        tpm_key=factory.tpm_key() if device.tpm_key else None,
        ethernet=factory.mac(),
        product_id=factory.product_id(),
    )


def with_tpm(device: Device, factory: Factory) -> Device:
    """A new TPM alone."""
    return replace(recaptured(device, factory), tpm_key=factory.tpm_key())


def with_board_of(device: Device, donor: Device, factory: Factory) -> Device:
    """The motherboard of another device, with the own serial written to it."""
    return replace(
        recaptured(device, factory),
        uuid=device.uuid if device.maker == DELL.name else donor.uuid,
        tpm_key=donor.tpm_key,
        ethernet=donor.ethernet,
        product_id=donor.product_id,
    )
