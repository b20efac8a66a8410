"""For each reason and warning one delivery that has it and one, as near as can be, that does not."""

import gzip
import random
from dataclasses import replace

import pytest

from pipeline.decode.layout import Record
from pipeline.ingest.records import MOST_COLUMNS
from pipeline.lab.synthesize import damage, devices
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import DELL, HP, LENOVO, MICROSOFT, Factory
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from pipeline.registry import Registry
from pipeline.registry.removing import remove_devices
from schemas.reasons import CATALOGUE
from tests.conftest import AS_OF, AUTHORIZATIONS, OTHER_TENANT, PARTNERS, TENANT, TENANTS, World

SERIAL, PRODUCT_ID, HASH, TAG, USER = INTUNE
MAKER, MODEL = PARTNER_CENTER[3:]
FACTORY = Factory(random.Random(7))
KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
LIMIT = 1 << 20


def new(of=None, /, **changes):
    return replace(FACTORY.device(of), **changes)


def by_hash(device=None, **cells):
    return {HASH: capture(device or new()), **cells}


def by_tuple(device, **cells):
    return {SERIAL: device.serial, MAKER: device.maker, MODEL: device.model, **cells}


def existing(device, tenant=TENANT, via="partner_center"):
    return {
        "tenant_id": tenant,
        "registered_via": via,
        "serial_number": device.serial,
        "manufacturer": device.maker,
        "model": device.model,
        "windows_product_id": device.product_id or "",
        "hardware_hash": capture(device),
    }


def tenants(name):
    """A tenant of its own for an example."""
    return f"{sum(name.encode()):08x}-0000-4000-8000-{len(name):012x}"


class Deliveries:
    """Collects what is delivered: for each code a bad and a good one."""

    def __init__(self):
        self.files, self.rows, self.existing = [], [], []
        self.statements, self.tenants, self.exclusions = [], [], []

    def row(self, code, bad, good, folder=f"contoso/{TENANT}", header=None):
        for kind, row in (("bad", bad), ("good", good)):
            self.rows.append((f"{folder}/{code}-{kind}.csv", row, header))

    def file(self, code, bad, good, ending=".csv", folder=f"contoso/{TENANT}"):
        for kind, content in (("bad", bad), ("good", good)):
            self.files.append((f"{folder}/{code}-{kind}{ending}", content))

    def folders(self, code, bad, good):
        for kind, folder in (("bad", bad), ("good", good)):
            self.rows.append((f"{folder}/{code}-{kind}.csv", by_hash(), None))

    def registered(self, code, before, after, *records, good=None):
        """A row that meets a registration, and one that meets none."""
        self.existing += records or [existing(before)]
        self.row(code, after, good or by_hash())


def text(*lines, header=INTUNE):
    return "\n".join([",".join(header), *lines, ""]).encode()


def line(device=None):
    return f",,{capture(device or new())},,"


LEFT = by_hash()
"""Registered in a night before, and removed since."""
BROKEN = new(HP)
"""Registered in a night before, and removed since; its board is replaced."""


def deliveries():  # noqa: PLR0915 - the whole list
    made = Deliveries()
    whole = gzip.compress(text(line()))
    for kind, ending in (("bad", ".zip"), ("good", ".csv")):
        made.files.append((f"contoso/{TENANT}/FILE_TYPE_UNKNOWN-{kind}{ending}", text(line())))
    columns = [f"Note {number}" for number in range(MOST_COLUMNS - len(INTUNE) + 1)]
    made.file(
        "FILE_TOO_LARGE",
        text(header=(*INTUNE, *columns)),
        text(line() + "," * len(columns[1:]), header=(*INTUNE, *columns[1:])),
    )
    made.file("FILE_UNREADABLE", whole[:-20], whole, ending=".csv.gz")
    made.folders("FILE_PARTNER_UNKNOWN", f"stranger/{TENANT}", f"contoso/{TENANT}")
    made.file("FILE_HEADER_UNKNOWN", b"A1,B1\n", text(line()))
    made.file("COLUMN_UNCLEAR", text(line()).replace(b"Serial", b"Seriel"), text(line()))
    made.file("RECORD_BEFORE_HEADER", b"Devices\n" + text(line()), b"sep=,\n" + text(line()))
    made.file("RECORD_TOO_LARGE", text("A" * LIMIT + ",,,,"), text(line()))
    made.file("RECORD_NOT_TEXT", text(line() + "\0"), text(line()))
    made.file("RECORD_REPEATED_HEADER", text(line(), ",".join(INTUNE)), text(line()))
    made.file("RECORD_FIELD_COUNT", text(line() + "x,y"), text(line() + ",,"))
    with_tenant = (*PARTNER_CENTER, "Tenant ID")
    made.row("TENANT_MISSING", by_hash(), by_hash(**{"Tenant ID": TENANT}), header=with_tenant)
    made.row(
        "TENANT_FORMAT", by_hash(**{"Tenant ID": "x"}), by_hash(**{"Tenant ID": TENANT.upper()}), header=with_tenant
    )
    for code, statement in (
        ("AUTH_NO_RELATIONSHIP", None),
        ("AUTH_PENDING", "pending,,"),
        ("AUTH_REMOVED", "removed,2024-01-01T00:00:00Z,2025-01-01T00:00:00Z"),
        ("AUTH_NOT_YET_VALID", "active,2031-01-01T00:00:00Z,"),
        ("AUTH_REGION", "active,2024-01-01T00:00:00Z,"),
        ("AUTH_CLOUD", "active,2024-01-01T00:00:00Z,"),
    ):
        tenant = tenants(code)
        made.statements += [f"contoso,{tenant},{statement}\n"] if statement else []
        region, cloud = "US" if code == "AUTH_REGION" else "EU", "china" if code == "AUTH_CLOUD" else "public"
        made.tenants.append(f"{tenant},{region},{cloud},\n")
        made.folders(code, f"contoso/{tenant}", f"contoso/{TENANT}")
    made.folders("AUTH_CHANNEL", f"tailspin/{TENANT}", f"northwind/{TENANT}")
    made.row("PRODUCT_KEY_EXPOSED", by_hash(**{TAG: KEY}), by_hash(**{TAG: KEY[:-6]}))
    made.row("IDENTITY_NOT_ALLOWED", by_hash(), by_tuple(new(HP)), folder=f"adatum/{TENANT}")
    made.row("IDENTITY_MISSING", {TAG: "sales"}, by_hash(**{TAG: "sales"}))
    made.row("IDENTITY_PARTIAL_TUPLE", {SERIAL: "PF3NOBODY", MAKER: LENOVO.name}, by_tuple(new(LENOVO)))
    made.row("HASH_NOT_BASE64", {HASH: damage.BROKEN["not base64"][1](capture(new()), FACTORY.random)}, by_hash())
    made.row("HASH_BAD_HEADER", {HASH: "QUFB" + capture(new())[4:]}, by_hash())
    made.row("HASH_TRUNCATED", {HASH: capture(new())[:600]}, {HASH: capture(new())[:3_900]})
    made.row(
        "HASH_CHECKSUM", {HASH: damage.BROKEN["one character wrong"][1](capture(new()), FACTORY.random)}, by_hash()
    )
    made.row("HASH_MALFORMED", {HASH: damage.BROKEN["serial twice"][1](capture(new()), FACTORY.random)}, by_hash())
    made.row("HASH_FIELD_MISSING", {HASH: damage.without(new(), Record.SYSTEM_MANUFACTURER)}, by_hash())
    made.row("HASH_INCONSISTENT", {HASH: damage.forged(new(), FACTORY)}, by_hash())
    made.row("HIDDEN_CHARACTER", by_hash(**{TAG: "sales\u200b"}), by_hash(**{TAG: "säles"}))
    made.row("FORMULA_CELL", by_hash(**{TAG: " @sales"}), by_hash(**{TAG: "sales@home"}))
    made.row("PRODUCT_ID_FORMAT", {PRODUCT_ID: "330512345678"}, {PRODUCT_ID: "3305123456789"})
    made.row("SPREADSHEET_DAMAGE", by_tuple(new(serial="1.23457E+11")), by_tuple(new(serial="12E4567")))
    made.row("SERIAL_FORMAT", by_tuple(new(serial="PF1A2B3C / PF1A2B3D")), by_tuple(new(serial="PF1A2B3E")))
    made.row("TUPLE_PLACEHOLDER", by_tuple(new(model="System Product Name")), by_tuple(new(model="Product 1")))
    made.row("COLUMNS_SHIFTED", by_tuple(new(serial="LENOVO", maker="PF1A2B3F")), by_tuple(new(LENOVO)))
    made.row("SERIAL_PLACEHOLDER", by_tuple(new(HP, serial="Default String")), by_hash(**{SERIAL: "Default String"}))
    device = new()
    made.row("SERIAL_MISMATCH", by_hash(**{SERIAL: "5CG0000XXX"}), by_hash(device, **{SERIAL: f" {device.serial} "}))
    device = new()
    made.row(
        "PRODUCT_ID_MISMATCH",
        by_hash(**{PRODUCT_ID: "3305123456780"}),
        by_hash(device, **{PRODUCT_ID: device.product_id}),
    )
    made.row("MANUFACTURER_MISMATCH", by_hash(new(HP), **{MAKER: LENOVO.name}), by_hash(new(HP), **{MAKER: "HP Inc."}))
    device = new()
    made.row("MODEL_MISMATCH", by_hash(**{MODEL: "Model T"}), by_hash(device, **{MODEL: device.model}))
    made.row("MANUFACTURER_SPELLING", by_tuple(new(DELL, maker="Dell")), by_tuple(new(HP, maker="Hewlett-Packard")))
    leaving = [new() for _ in range(4)]
    made.existing += [existing(device) for device in leaving]
    gone = [{"Device Serial Number": device.serial} for device in leaving]
    departures, named = f"contoso/{TENANT}/departures", ("Device Serial Number", "Departure Reason")
    made.row(
        "REASON_TOO_LONG",
        gone[0] | {named[1]: "x" * 129},
        gone[1] | {named[1]: "x" * 128},
        folder=departures,
        header=named,
    )
    made.row("NOT_REGISTERED", {named[0]: "PF3NOBODY"}, gone[2], folder=departures, header=named)
    many, tenant = [new() for _ in range(21)], tenants("DEPARTURE_LIMIT")
    made.existing += [existing(device, tenant) for device in many]
    made.statements.append(f"contoso,{tenant},active,2024-01-01T00:00:00Z,\n")
    made.tenants.append(f"{tenant},EU,public,\n")
    made.files.append(
        (f"contoso/{tenant}/departures/DEPARTURE_LIMIT-bad.csv", "\n".join(one.serial for one in many).encode())
    )
    made.rows.append((f"{departures}/DEPARTURE_LIMIT-good.csv", gone[3], named))
    made.row("GROUP_TAG_TOO_LONG", by_hash(**{TAG: "x" * 129}), by_hash(**{TAG: "x" * 128}))
    made.row("USER_FORMAT", by_hash(**{USER: "a@b@contoso.example"}), by_hash(**{USER: "a.b@contoso.example"}))
    made.row("USER_DOMAIN", by_hash(**{USER: "a@elsewhere.example"}), by_hash(**{USER: "a@CONTOSO.example"}))
    for reason in ("workplace_joined", "mdm_only", "directory_object"):
        device = new()
        made.exclusions.append(f"{TENANT},{device.serial.lower()},,{reason}\n")
        made.row(f"EXCLUDED_{reason.upper()}", by_hash(device), by_hash())
    device = new()
    made.row("CONFLICTING_CLAIMS", by_hash(device), by_hash())
    made.rows.append((f"northwind/{OTHER_TENANT}/claimed.csv", by_hash(devices.recaptured(device, FACTORY)), None))
    device = new()
    made.row("DUPLICATE_IN_BATCH", by_hash(device), by_hash(devices.with_disk(device, FACTORY)))
    device = new()
    made.registered("REGISTERED_OTHER_TENANT", device, by_hash(device), existing(device, OTHER_TENANT))
    device = new()
    made.registered("REGISTERED_BY_CUSTOMER", device, by_hash(device), existing(device, via="intune"))
    device = new()
    made.registered("ALREADY_REGISTERED", device, by_hash(devices.with_wifi(device, FACTORY)))
    device = new()
    made.registered("BOARD_REPLACED", device, by_hash(devices.with_board(device, FACTORY)))
    device, donor = new(HP), new(HP)
    mixed = devices.with_board_of(device, donor, FACTORY)
    made.registered("AMBIGUOUS_MATCH", device, by_hash(mixed), existing(device), existing(donor))
    made.row("DEVICE_LEFT", LEFT | {TAG: "listed again"}, by_hash())
    device = new(LENOVO)
    neighbour = replace(device, serial=device.serial[:-1] + ("A" if device.serial[-1] != "A" else "C"))
    made.registered(
        "PROBABLE_DUPLICATE", device, by_tuple(replace(device, serial=device.serial.lower())), good=by_tuple(neighbour)
    )
    made.file("COLUMN_IGNORED", text(line() + ",1", header=(*INTUNE, "Room")), text(line()))
    wrapped = "\n".join(f'"{one}"' for one in text(line()).decode().splitlines()).encode()
    made.file("RECORD_UNWRAPPED", wrapped, text(line()))
    wide = text().decode().encode("utf-16")
    made.file("ENCODING_MIXED", wide + line().encode(), wide + line().encode("utf-16-le"))
    made.file("HEADER_NOT_CANONICAL", text(line()).replace(b"Hardware Hash", b"hardware hash"), text(line()))
    osid = "00330-80000-00000-AA123"
    made.row("PRODUCT_ID_IGNORED", by_hash(**{PRODUCT_ID: osid}), by_hash())
    for code, column, other in (("MANUFACTURER_DIFFERS", MAKER, "HP Europe"), ("MODEL_DIFFERS", MODEL, "ThinkPad")):
        device = new(LENOVO)
        made.row(
            code,
            by_hash(device, **{SERIAL: device.serial, column: other}),
            by_hash(new(LENOVO), **{MAKER: "Lenovo"}),
        )
    made.file("ENCODING_NOT_ANSI", b"\xef\xbb\xbf" + text(line()), text(line()))
    rows = [f",33051{at:08d},,," for at in range(1, 502)]
    made.file("ROW_LIMIT_EXCEEDED", text(*rows), text(*(row.replace("33051", "33052") for row in rows[:500])))
    made.row("VALUE_TRIMMED", by_hash(**{TAG: "sales\u00a0"}), by_hash(**{TAG: "two words"}))
    made.row("HASH_TEXT_REPAIRED", {HASH: capture(new())[:-1]}, by_hash())
    made.row("HASH_LENGTH_UNUSUAL", {HASH: capture(new())[:-4]}, by_hash())
    made.row("HASH_FROM_WINPE", by_hash(new(winpe=True)), by_hash())
    made.row("HASH_NO_TPM", by_hash(new(tpm_key=None)), by_hash())
    made.row("HASH_CAPTURE_TIME", by_hash(new(captured_at=1)), by_hash())
    made.row("VIRTUAL_MACHINE", by_hash(new(MICROSOFT, model="Virtual Machine")), by_hash(new(MICROSOFT)))
    device = new(HP)
    made.registered("UUID_COLLISION", device, by_hash(new(HP, uuid=device.uuid)))
    made.row("DEVICE_REPAIRED", by_hash(devices.with_board(BROKEN, FACTORY)), by_hash())
    device = new()
    made.registered("DISK_OF_REGISTERED_DEVICE", device, by_hash(new(disk=device.disk)))
    return made


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("reasons"), FACTORY)
    made = deliveries()
    (world.home / "reference").mkdir()
    world.reference("partners.csv", PARTNERS)
    world.reference("authorizations.csv", AUTHORIZATIONS + "".join(made.statements))
    world.reference("tenants.csv", TENANTS + "".join(made.tenants))
    world.reference("exclusions.csv", "tenant_id,serial_number,manufacturer,reason\n" + "".join(made.exclusions))
    assert world.import_existing(*made.existing).refused == ()
    before = world.deliver(f"contoso/{TENANT}/before.csv", LEFT, by_hash(BROKEN))
    ids = world.run().registered["device_id"].to_list()
    remove_devices(Registry.open(world.registry, create=False), ids, "sold", AS_OF)
    before.unlink()
    for path, row, header in made.rows:
        world.deliver(path, row, header=header)
    for path, content in made.files:
        world.put(path, content)
    return world.run()


def findings_of(night, name):
    """Codes of all rows of a file."""
    found = [*night.reasons().items(), *night.warnings().items()]
    rows = [codes for (file, _), codes in found if f"/{name}." in file]
    assert rows, name
    return {code for codes in rows for code in codes}


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_delivery_that_has_it(night, code):
    assert code in findings_of(night, f"{code}-bad")


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_delivery_that_does_not(night, code):
    assert code not in findings_of(night, f"{code}-good")


@pytest.mark.parametrize("code", [code for code, reason in CATALOGUE.items() if reason.outcome])
def test_the_example_is_rejected_for_just_that(night, code):
    primary = [codes[0] for (file, _), codes in night.reasons().items() if f"/{code}-bad." in file and codes]
    assert code in primary


def test_warnings_alone_reject_nothing(night):
    for code, reason in CATALOGUE.items():
        if reason.outcome is None:
            assert all(codes == [] for (file, _), codes in night.reasons().items() if f"/{code}-bad." in file), code


def test_rows_reconcile(night):
    rows = night.manifest["rows"]
    assert rows["read"] == rows["registered"] + rows["deregistered"] + rows["rejected"] == sum(night.files["rows_read"])
    assert rows["rejected"] == sum(night.manifest["outcomes"].values()) == sum(night.manifest["reasons"].values())
