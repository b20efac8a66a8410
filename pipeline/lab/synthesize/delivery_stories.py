"""Stories of deliveries: rights, hashes, cells, lines and files, and the set and reasons that each row must end in."""

import gzip
from dataclasses import replace

from pipeline.decode.layout import Record
from pipeline.lab.synthesize import damage
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import HP, LENOVO
from pipeline.lab.synthesize.night import GRANTED, INTUNE, PARTNER_CENTER, Night, Statement, Truth


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
    ignored = Truth("beside a hash, the operating system's product ID", warnings=("PRODUCT_ID_IGNORED",))
    night.intune(ignored, tenant, capture(make()), product_id="00330-80000-00000-AA123")
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
    night.partner_center(Truth("rounded product ID", ("PRODUCT_ID_FORMAT",)), tenant, product_id=rounded)


def bad_tuples(night: Night) -> None:
    """Values that stand for none where serial number, manufacturer and model are all that names the device."""
    tenant, make = night.tenant(), night.factory.device
    for scenario, reason, device in (
        ("placeholder serial in the tuple", "SERIAL_PLACEHOLDER", replace(make(HP), serial="Default string")),
        ("a word for want of a serial", "SERIAL_PLACEHOLDER", replace(make(HP), serial="see delivery note")),
        ("serial rounded by a spreadsheet", "SPREADSHEET_DAMAGE", replace(make(HP), serial="1.23457E+11")),
        ("failed look-up for a model", "SPREADSHEET_DAMAGE", replace(make(HP), model="#N/A")),
        ("two serials in one cell", "SERIAL_FORMAT", replace(make(HP), serial="PF1A2B3C / PF1A2B3D")),
        ("word for want of a model", "TUPLE_PLACEHOLDER", replace(make(HP), model="System Product Name")),
        ("maker in place of the serial", "COLUMNS_SHIFTED", replace(make(HP), serial=LENOVO.name, maker="PF1A2B3C")),
        ("maker's other name", "MANUFACTURER_SPELLING", replace(make(HP), maker=HP.alias)),
        ("maker misspelled", "MANUFACTURER_SPELLING", replace(make(HP), maker="Lenvo")),
    ):
        night.by_tuple(Truth(scenario, (reason,)), tenant, device)


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
    night.file(f"{place}-bare.csv", f"A1;{number}\nA2;B2\n".encode(), [(1, no_header), (2, no_header)])
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
