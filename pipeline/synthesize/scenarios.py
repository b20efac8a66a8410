"""The stories of a night: what happens to devices and rows, each with the set and reasons that it must end in."""

import gzip
from collections.abc import Callable
from dataclasses import replace

from pipeline.hardware_hash.layout import Record
from pipeline.synthesize import damage, devices
from pipeline.synthesize.capture import capture
from pipeline.synthesize.devices import DELL, HP, LENOVO, MICROSOFT, Device
from pipeline.synthesize.night import GRANTED, INTUNE, PARTNER_CENTER, Night, Statement, Truth

Scenario = Callable[[Night], None]

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
    for name, drift in _DRIFTS.items():
        device, tenant = night.factory.device(), night.tenant()
        night.register(device, tenant)
        changed = drift(device, night.factory)
        night.intune(Truth(f"registered device, {name}", ("ALREADY_REGISTERED",)), tenant, capture(changed))


_DRIFTS: dict[str, Callable[[Device, devices.Factory], Device]] = {
    "captured again": devices.recaptured,
    "upgraded": devices.upgraded,
    "more memory": devices.with_memory,
    "new disk": devices.with_disk,
    "new Wi-Fi card": devices.with_wifi,
    "TPM switched off": devices.without_tpm,
    "upgraded, new disk, new Wi-Fi card": lambda device, factory: devices.with_wifi(
        devices.with_disk(devices.upgraded(device, factory), factory), factory
    ),
}


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
    neighbour = _neighbour(registered(DELL))
    night.by_tuple(Truth("neighbouring serial"), tenant, neighbour)


def _neighbour(device: Device) -> Device:
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


def authorization(night: Night) -> None:
    """Every way of having no right, and the provider's right through its resellers."""
    future, past = "2031-01-01T00:00:00Z", "2025-03-01T00:00:00Z"

    def deliver(reason: str, tenant: str, partner: str = "contoso") -> None:
        truth = Truth(f"authorization {reason}", (reason,))
        night.intune(truth, tenant, capture(night.factory.device()), partner=partner)

    deliver("AUTH_NO_RELATIONSHIP", night.customer("nobody's"))
    for name, reason, statement in (
        ("asked", "AUTH_PENDING", ("contoso", "pending", "", "")),
        ("left", "AUTH_REMOVED", ("contoso", "removed", GRANTED, past)),
        ("expired", "AUTH_REMOVED", ("contoso", "active", GRANTED, past)),
        ("early", "AUTH_NOT_YET_VALID", ("contoso", "active", future, "")),
    ):
        deliver(reason, night.customer(name, statement))
    deliver("AUTH_CHANNEL", night.tenant(), "tailspin")
    deliver("AUTH_REGION", night.customer("abroad", _ACTIVE, region="US"))
    deliver("AUTH_REGION", night.customer("nowhere", _ACTIVE, region=""))
    deliver("AUTH_CLOUD", night.customer("sovereign", _ACTIVE, cloud="us_government"))
    deliver("FILE_PARTNER_UNKNOWN", night.tenant(), "stranger")
    implied = Truth("provider through its reseller")
    night.intune(implied, night.tenant(), capture(night.factory.device()), partner="fabrikam")
    through_reseller: Statement = ("northwind", "active", GRANTED, "")
    left_provider: Statement = ("fabrikam", "removed", GRANTED, past)
    deliver("AUTH_REMOVED", night.customer("left provider", through_reseller, left_provider), "fabrikam")


_ACTIVE: Statement = ("contoso", "active", GRANTED, "")


def broken_hashes(night: Night) -> None:
    """Damage that is repaired, and damage that is not."""
    tenant = night.tenant()
    for name, harm in damage.REPAIRABLE.items():
        truth = Truth(f"hash repaired, {name}", warnings=("HASH_TEXT_REPAIRED",))
        night.intune(truth, tenant, harm(capture(night.factory.device())))
    for name, (reason, destroy) in damage.BROKEN.items():
        hardware_hash = destroy(capture(night.factory.device()), night.random)
        night.intune(Truth(f"hash broken, {name}", (reason,)), tenant, hardware_hash)
    device = night.factory.device()
    missing = damage.without(device, Record.SYSTEM_SERIAL)
    night.intune(Truth("hash without serial", ("HASH_FIELD_MISSING",)), tenant, missing)
    forged = damage.forged(night.factory.device(), night.factory)
    night.intune(Truth("hash with another TPM key", ("HASH_INCONSISTENT",)), tenant, forged)
    placeholder = damage.with_serial(night.factory.device(), "To be filled by O.E.M.")
    night.intune(Truth("placeholder serial in the hash", ("SERIAL_PLACEHOLDER",)), tenant, placeholder)


def bad_fields(night: Night) -> None:
    """Cells that are wrong in themselves or beside the hash."""
    tenant, make = night.tenant(), night.factory.device

    def beside(reason: str, **cells: str) -> None:
        night.intune(Truth(f"beside a hash, {reason}", (reason,)), tenant, capture(make()), **cells)

    beside("SERIAL_MISMATCH", serial=make().serial)
    beside("PRODUCT_ID_MISMATCH", product_id=night.factory.product_id())
    beside("PRODUCT_ID_FORMAT", product_id="3.305E+12")
    beside("FORMULA_CELL", group_tag="=cmd()")
    beside("HIDDEN_CHARACTER", group_tag="sales\x07")
    beside("GROUP_TAG_TOO_LONG", group_tag="x" * 129)
    beside("USER_FORMAT", user="nobody")
    beside("USER_DOMAIN", user="somebody@elsewhere.example")
    beside("PRODUCT_KEY_EXPOSED", group_tag="AAAAA-BBBBB-CCCCC-DDDDD-EEEEE")
    night.intune(Truth("user of the customer"), tenant, capture(make()), user="somebody@contoso.example")
    night.intune(
        Truth("blanks around a value", warnings=("VALUE_TRIMMED",)), tenant, capture(make()), group_tag=" sales "
    )
    device = make(HP)
    for reason, cells in (
        ("MANUFACTURER_MISMATCH", {"maker": LENOVO.name}),
        ("MODEL_MISMATCH", {"model": "Latitude 9999"}),
    ):
        truth = Truth(f"beside a hash, {reason}", (reason,))
        night.partner_center(truth, tenant, hardware_hash=capture(make(HP)), **cells)
    night.partner_center(Truth("serial alone", ("IDENTITY_PARTIAL_TUPLE",)), tenant, serial=device.serial)
    night.intune(Truth("nothing but a tag", ("IDENTITY_MISSING",)), tenant, "", group_tag="sales")
    rounded = (device.product_id or "")[:6] + "0000000"
    truth = Truth("rounded product ID", ("PRODUCT_ID_FORMAT", "IDENTITY_MISSING"))
    night.partner_center(truth, tenant, product_id=rounded)
    placeholder = replace(device, serial="Default string")
    night.by_tuple(Truth("placeholder serial in the tuple", ("SERIAL_PLACEHOLDER",)), tenant, placeholder)
    alias = replace(make(HP), maker=HP.alias)
    night.by_tuple(Truth("maker's other name", ("MANUFACTURER_SPELLING",)), tenant, alias)


def excluded(night: Night) -> None:
    """Devices that must not be registered."""
    for reason in ("workplace_joined", "mdm_only", "directory_object"):
        device, tenant = night.factory.device(), night.tenant()
        night.exclusions.append((tenant, device.serial.lower(), "", reason))
        night.intune(Truth(f"excluded, {reason}", (f"EXCLUDED_{reason.upper()}",)), tenant, capture(device))


def bad_records(night: Night) -> None:
    """Lines that are no rows."""
    tenant = night.customer("plain files", _ACTIVE)
    good = capture(night.factory.device()).encode("ascii")
    night.line(Truth("field too many", ("RECORD_FIELD_COUNT",)), tenant, b"A1,,," + good + b",x,y,z")
    night.line(Truth("quotation mark without its pair", ("RECORD_FIELD_COUNT",)), tenant, b'A2,,"' + good + b",,")
    night.line(Truth("NUL in a line", ("RECORD_NOT_TEXT",)), tenant, b"A\x003,," + good + b",,")
    night.line(Truth("header again", ("RECORD_REPEATED_HEADER",)), tenant, ",".join(INTUNE).encode())
    night.line(Truth("line after a second header"), tenant, b",," + good + b",,")


def bad_files(night: Night) -> None:
    """Files that are none, and files that are hardly any."""
    tenant, number = night.tenant(), night.random.randrange(10**9)
    place = f"contoso/{tenant}/bad-files-{number:09}"
    rows = "".join(f",,{capture(night.factory.device())},,\n" for _ in range(3))
    header = ",".join(INTUNE) + "\n"
    whole = gzip.compress((header + rows).encode(), mtime=0)
    unreadable = Truth("compressed file cut off", ("FILE_UNREADABLE",))
    night.file(f"{place}-cut.csv.gz", whole[:40], [(0, unreadable)])
    no_header = Truth("file without a header", ("FILE_HEADER_UNKNOWN",))
    night.file(f"{place}-bare.csv", b"A1;B1\nA2;B2\n", [(1, no_header), (2, no_header)])
    night.file(f"{place}-empty.csv", b"", [])
    night.file(f"{place}-header.csv", header.encode(), [])
    device = night.factory.device(HP)
    missing = Truth("no tenant in its column", ("TENANT_MISSING",))
    wrong = Truth("tenant that is no GUID", ("TENANT_FORMAT",))
    own = Truth("tenant in its column")
    cells = [f"{device.serial[:-1]}{last},,,{HP.name},{device.model}" for last in "KMP"]
    columns = ",".join((*PARTNER_CENTER, "Tenant ID"))
    text = "\n".join([columns, f"{cells[0]},", f"{cells[1]},contoso", f"{cells[2]},{tenant.upper()}", ""])
    night.file(f"contoso/bad-files-{number:09}-tenants.csv", text.encode(), [(2, missing), (3, wrong), (4, own)])
    orphan = Truth("file of no partner", ("FILE_PARTNER_UNKNOWN",))
    night.file(f"bad-files-{number:09}-of-nobody.csv", (header + rows.split("\n", 1)[0] + "\n").encode(), [(2, orphan)])


SCENARIOS: tuple[Scenario, ...] = (
    new_by_hash,
    new_by_tuple,
    new_by_product_id,
    oem,
    odd_hashes,
    same_device,
    other_owner,
    replaced_boards,
    transplanted_parts,
    known_by_tuple,
    damaged_serials,
    within_batch,
    authorization,
    broken_hashes,
    bad_fields,
    excluded,
    bad_records,
    bad_files,
)
"""Every story; a night tells each at least once."""
