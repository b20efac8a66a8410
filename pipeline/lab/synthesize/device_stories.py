"""Stories of devices: what happens to them, and the set and reasons that each row must end in."""

from collections.abc import Callable
from dataclasses import replace

from pipeline.lab.synthesize import damage, devices
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import DELL, HP, LENOVO, MICROSOFT, Device
from pipeline.lab.synthesize.night import Night, Truth

_NEW = Truth("new device by hash")


def new_by_hash(night: Night) -> None:
    """The usual row."""
    night.intune(_NEW, night.tenant(), capture(night.factory.device()))


def new_by_tuple(night: Night) -> None:
    """A device known by what is printed on it; Microsoft's numeric serials are left to the scenarios on damage."""
    maker = night.random.choice((HP, DELL, LENOVO))
    night.by_tuple(Truth("new device by tuple"), night.tenant(), night.factory.device(maker))


def new_by_product_id(night: Night) -> None:
    """A device known by its product ID."""
    device = night.factory.device()
    night.partner_center(
        Truth("new device by product ID"), night.tenant(), serial=device.serial, product_id=device.product_id or ""
    )


def oem(night: Night) -> None:
    """A manufacturer's own channel takes no hash."""
    tenant, device = night.tenant(), night.factory.device(HP)
    night.by_tuple(Truth("manufacturer delivers tuple"), tenant, device, partner="adatum")
    truth = Truth("manufacturer delivers hash", ("IDENTITY_NOT_ALLOWED",))
    night.intune(truth, tenant, capture(night.factory.device(HP)), partner="adatum")


def odd_hashes(night: Night) -> None:
    """Oddities of real captures that reject nothing."""
    tenant, device = night.tenant(), night.factory.device
    night.intune(Truth("no TPM", warnings=("HASH_NO_TPM",)), tenant, capture(device(tpm=False)))
    night.intune(Truth("Windows PE", warnings=("HASH_FROM_WINPE",)), tenant, capture(replace(device(), winpe=True)))
    night.intune(
        Truth("capture time in the future", warnings=("HASH_CAPTURE_TIME",)),
        tenant,
        capture(replace(device(), captured_at=1_000_000_000)),
    )
    machine = replace(device(MICROSOFT), model="Virtual Machine", virtual=True, wifi=None, product_id=None)
    night.intune(Truth("virtual machine", warnings=("VIRTUAL_MACHINE",)), tenant, capture(machine))
    night.intune(Truth("newer tool, longer records"), tenant, damage.with_longer_record(device()))


def same_device(night: Night) -> None:
    """A registered device, changed in ways that leave it the same device."""
    for name, drift in DRIFTS.items():
        _drifted(night, name, (drift,))
    for number in (2, 3):
        drifts = night.random.sample(list(DRIFTS.values()), number)
        _drifted(night, f"{number} changes at once", tuple(drifts))


_Drift = Callable[[Device, devices.Factory], Device]


def _drifted(night: Night, name: str, drifts: tuple[_Drift, ...]) -> None:
    device, tenant = night.factory.device(), night.tenant()
    night.register(device, tenant)
    for drift in drifts:
        device = drift(device, night.factory)
    night.intune(Truth(f"registered device, {name}", ("ALREADY_REGISTERED",)), tenant, capture(device))


DRIFTS: dict[str, _Drift] = {
    "captured again": devices.recaptured,
    "upgraded": devices.upgraded,
    "more memory": devices.with_memory,
    "new disk": devices.with_disk,
    "new Wi-Fi card": devices.with_wifi,
    "TPM switched off": devices.without_tpm,
}
"""What leaves a device the same, by name."""


def other_owner(night: Night) -> None:
    """A registered device that belongs to somebody else, or that the customer registered."""
    first, second = night.random.sample(night.tenants, 2)
    device = night.factory.device()
    night.register(device, first)
    recaptured = capture(devices.recaptured(device, night.factory))
    night.intune(Truth("registered elsewhere", ("REGISTERED_OTHER_TENANT",)), second, recaptured)
    for via in ("intune", "microsoft_365", "store"):
        device = night.factory.device()
        night.register(device, first, via)
        recaptured = capture(devices.recaptured(device, night.factory))
        night.intune(Truth(f"registered by the customer, {via}", ("REGISTERED_BY_CUSTOMER",)), first, recaptured)


def replaced_boards(night: Night) -> None:
    """Motherboards and TPMs, which are never tolerated."""
    for name, maker, change in (
        ("new board", HP, devices.with_board),
        ("new board, UUID derived from the tag", DELL, devices.with_board),
        ("new TPM", LENOVO, devices.with_tpm),
        ("new board, disk and Wi-Fi card", MICROSOFT, _with_board_disk_and_wifi),
    ):
        device, tenant = night.factory.device(maker), night.tenant()
        night.register(device, tenant)
        night.intune(Truth(name, ("BOARD_REPLACED",)), tenant, capture(change(device, night.factory)))
    device, tenant = night.factory.device(HP, tpm=False), night.tenant()
    night.register(device, tenant)
    changed = capture(devices.with_board(device, night.factory))
    night.intune(Truth("new board, no TPM in either", ("BOARD_REPLACED",)), tenant, changed)
    device, donor = night.factory.device(HP), night.factory.device(HP)
    night.register(device, tenant)
    night.register(donor, tenant)
    mixed = capture(devices.with_board_of(device, donor, night.factory))
    night.intune(Truth("board of another registered device", ("AMBIGUOUS_MATCH",)), tenant, mixed)


def _with_board_disk_and_wifi(device: Device, factory: devices.Factory) -> Device:
    return devices.with_wifi(devices.with_disk(devices.with_board(device, factory), factory), factory)


def transplanted_parts(night: Night) -> None:
    """Parts of registered devices in new ones."""
    donor, tenant = night.factory.device(), night.tenant()
    night.register(donor, tenant)
    carrier = replace(night.factory.device(), disk=donor.disk)
    night.intune(
        Truth("disk of a registered device", warnings=("DISK_OF_REGISTERED_DEVICE",)), tenant, capture(carrier)
    )
    docked = replace(night.factory.device(), ethernet=donor.ethernet)
    night.intune(Truth("network address of a registered device"), tenant, capture(docked))
    cloned = replace(night.factory.device(HP), uuid=donor.uuid)
    night.intune(Truth("UUID of a registered device", warnings=("UUID_COLLISION",)), tenant, capture(cloned))


def known_by_tuple(night: Night) -> None:
    """Rows without a hash against registered devices."""
    tenant = night.tenant()

    def registered(maker: devices.Maker) -> Device:
        device = night.factory.device(maker)
        night.register(device, tenant)
        return device

    night.by_tuple(Truth("tuple of a registered device", ("ALREADY_REGISTERED",)), tenant, registered(HP))
    other_model = replace(registered(HP), model="HP EliteBook 640 14 inch G11 Notebook PC")
    night.by_tuple(Truth("tuple with another model", ("PROBABLE_DUPLICATE",)), tenant, other_model)
    device = registered(LENOVO)
    truth = Truth("product ID of a registered device", ("ALREADY_REGISTERED",))
    night.partner_center(truth, tenant, product_id=device.product_id or "")
    device = registered(LENOVO)
    truth = Truth("product ID of a registered device, another serial", ("AMBIGUOUS_MATCH",))
    stranger = night.factory.device(LENOVO)
    night.partner_center(truth, tenant, product_id=device.product_id or "", serial=stranger.serial, maker=LENOVO.name)
    next_one = neighbour(registered(DELL))
    night.by_tuple(Truth("neighbouring serial"), tenant, next_one)


def neighbour(device: Device) -> Device:
    """The next serial of the production run: other digits only, all of them usual."""
    last = device.serial[-1]
    return replace(device, serial=device.serial[:-1] + ("7" if last != "7" else "3"))


def damaged_serials(night: Night) -> None:
    """Serials typed wrongly, in each of the ways that are known."""
    tenant = night.tenant()
    for name, maker, damaged in (
        ("letter O for zero", LENOVO, lambda serial: serial.replace("0", "O")),
        ("lost zeros", MICROSOFT, lambda serial: serial.lstrip("0")),
        ("separators", HP, lambda serial: f"{serial[:3]}-{serial[3:]}"),
        ("lower case", LENOVO, str.lower),
        ("letter and digit swapped", HP, lambda serial: serial[1] + serial[0] + serial[2:]),
    ):
        device = night.factory.device(maker)
        if name == "letter O for zero":
            device = replace(device, serial=device.serial[:2] + "0" + device.serial[3:])
        night.register(device, tenant)
        typed = replace(device, serial=damaged(device.serial))
        night.by_tuple(Truth(f"damaged serial, {name}", ("PROBABLE_DUPLICATE",)), tenant, typed)


def within_batch(night: Night) -> None:
    """The same device more than once in one night."""
    first, second = night.random.sample(night.tenants, 2)
    factory = night.factory
    device = factory.device()
    night.intune(Truth("captured twice, early", ("DUPLICATE_IN_BATCH",)), first, capture(device))
    late = capture(devices.with_disk(device, factory))
    night.intune(Truth("captured twice, late"), first, late, partner="northwind")
    device = factory.device(HP)
    night.by_tuple(Truth("tuple beside hash", ("DUPLICATE_IN_BATCH",)), first, device)
    night.intune(Truth("hash beside tuple"), first, capture(device))
    device = factory.device()
    claimed = Truth("claimed for two customers", ("CONFLICTING_CLAIMS",))
    night.intune(claimed, first, capture(device))
    night.intune(claimed, second, capture(devices.recaptured(device, factory)), partner="northwind")
    device = factory.device(HP)
    swapped = Truth("board swapped between captures", ("AMBIGUOUS_MATCH",))
    night.intune(swapped, first, capture(device))
    night.intune(swapped, first, capture(devices.with_board(device, factory)))
