import os

import polars as pl
import pytest

from pipeline.errors import ReferenceDataError
from pipeline.reference.files import is_reference_name
from pipeline.reference.profiles import profile
from pipeline.reference.tables import load_reference
from schemas.manifest import NO_TENANT
from tests.conftest import OTHER_TENANT, TENANT

PARTNERS = "partner_id,name,partner_type,channel,region,provider_id\n"
AUTHORIZATIONS = "partner_id,tenant_id,status,granted_at,revoked_at\n"


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("partners.csv", PARTNERS + "a,A,csp,partner_center_csv,EU,\n", ":2: partner_type: found 'csp'"),
        ("partners.csv", PARTNERS + "a,A,oem,fax,EU,\n", ":2: channel: found 'fax'"),
        ("partners.csv", PARTNERS + 2 * "\na,A,oem,oem_direct_api,,\n", ":5: partner_id: found 'a' again"),
        ("partners.csv", PARTNERS + "a,A,indirect_reseller,partner_center_csv,,b\n", ":2: provider_id: found 'b'"),
        ("partners.csv", PARTNERS + ",A,oem,oem_direct_api,,\n", ":2: partner_id: found ''"),
        ("partners.csv", "partner_id,name\na,A\n", ":1: column partner_type: not found"),
        ("partners.csv", PARTNERS + "a,A,oem\n", ":2: found 3 fields"),
        ("partners.csv", "", ":1: column partner_id: not found"),
        ("authorizations.csv", AUTHORIZATIONS + "a,nope,active,2024-01-01T00:00:00Z,\n", ":2: tenant_id: found 'nope'"),
        ("authorizations.csv", AUTHORIZATIONS + f"a,{TENANT},maybe,,\n", ":2: status: found 'maybe'"),
        ("authorizations.csv", AUTHORIZATIONS + f"a,{TENANT},active,,\n", ":2: granted_at: found nothing"),
        ("authorizations.csv", AUTHORIZATIONS + f"a,{TENANT},active,2024,\n", ":2: granted_at: found '2024'"),
        ("authorizations.csv", AUTHORIZATIONS + f"a,{TENANT},active,2024-13-01T00:00:00Z,\n", ":2: granted_at"),
        ("tenants.csv", f"tenant_id,region,cloud,verified_domains\n{TENANT},EU,moon,\n", ":2: cloud: found 'moon'"),
        ("exclusions.csv", f"tenant_id,serial_number,manufacturer,reason\n{TENANT},S,,x\n", ":2: reason: found 'x'"),
        ("profiles.csv", f"tenant_id,group_tag,profile\n{TENANT},Sales,\n", ":2: profile: found ''"),
        ("profiles.csv", "tenant_id,group_tag,profile\nall,Sales,Field\n", ":2: tenant_id: found 'all'"),
        ("authorizations.csv", f"{AUTHORIZATIONS}a,{NO_TENANT},active,2024-01-01T00:00:00Z,\n", ":2: tenant_id"),
        ("tenants.csv", f"tenant_id,region,cloud,verified_domains\n{NO_TENANT},EU,public,\n", ":2: tenant_id"),
        ("exclusions.csv", f"tenant_id,serial_number,manufacturer,reason\n{NO_TENANT},S,,mdm_only\n", ":2: tenant_id"),
        ("profiles.csv", f"tenant_id,group_tag,profile\n{NO_TENANT},,A\n", ":2: tenant_id"),
        ("profiles.csv", f"tenant_id,group_tag,profile\n{TENANT},,A\n{TENANT.upper()},,B\n", ":3: tenant_id: found"),
        ("profiles.csv", f"tenant_id,profile\n{TENANT},A\n", ":1: column group_tag"),
        ("manufacturers.csv", "manufacturer\nHP\n", ":1: column alias"),
        ("manufacturers.csv", "manufacturer,alias\nHP,H\nHPE,h\n", ":3: alias: found 'h'"),
        ("manufacturers.csv", "manufacturer,alias\nHP,H\nHPE,hp\n", ":3: alias: found 'hp'"),
        ("manufacturers.csv", "manufacturer,alias\nLENOVO,a\nLenovo,b\n", ":3: alias: found"),
        ("partners.csv", PARTNERS + "a\0,A,oem,oem_direct_api,,\n", ":2: partner_id: found the character U+0000"),
        ("partners.csv", PARTNERS + "a,A,oem,oem_direct_api,,\n\u200bb,B,oem,oem_direct_api,,\n", ":3: partner_id"),
        ("partners.csv", PARTNERS + 'a,"A\nB",oem,oem_direct_api,,\nb,B,oem,fax,,\n', ":2: name: found the character"),
        ("authorizations.csv", "partner_id,tenant_id,status,granted_at,revoked_at,status\n", ":1: column status"),
        ("authorizations.csv", AUTHORIZATIONS.strip() + ",Revoked_At\n", ":1: column revoked_at: found 2 times"),
        ("authorizations.csv", AUTHORIZATIONS + f"a,{TENANT},active,2024-01-02T00:00:00Z,2024-01-01T00:00:00Z\n",
         ":2: revoked_at: found '2024-01-01T00:00:00Z', which is before"),
        ("authorizations.csv", AUTHORIZATIONS + f"a,{TENANT},removed,2024-01-01T00:00:00-01:00,2024-01-01T00:30:00Z\n",
         ":2: revoked_at"),
        ("authorizations.csv", AUTHORIZATIONS + f"a,{TENANT},active,9999-12-31T23:59:59-01:00,\n", ":2: granted_at"),
        ("tenants.csv", f'tenant_id,region,cloud,verified_domains\n{TENANT},EU,public,"a.com,b.com"\n',
         ":2: verified_domains: found 'a.com,b.com'"),
        ("tenants.csv", f"tenant_id,region,cloud,verified_domains\n{TENANT},EU,public,a.com;b.com\n", ":2: verified_d"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named_by_file_line_and_column(world, file, text, told):
    world.reference(file, text)
    with pytest.raises(ReferenceDataError) as caught:
        load_reference(world.home / "reference")
    assert f"{file}{told}" in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("file", ["partners.csv", "authorizations.csv"])
def test_required_files(world, file):
    (world.home / "reference" / file).unlink()
    with pytest.raises(ReferenceDataError, match=f"{file}: not found"):
        load_reference(world.home / "reference")


def test_bytes_that_are_no_utf8_are_named(world):
    (world.home / "reference" / "partners.csv").write_bytes(PARTNERS.encode() + b"\xff")
    with pytest.raises(ReferenceDataError, match=r"partners\.csv"):
        load_reference(world.home / "reference")


def test_a_byte_order_mark_and_blank_lines_are_fine(world):
    path = world.home / "reference" / "partners.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n\n")
    assert load_reference(path.parent).partners.height == 5


def test_a_table_without_a_partner_lets_nobody_deliver_and_says_so(world):
    world.reference("partners.csv", PARTNERS)
    assert load_reference(world.home / "reference").notices[0].endswith("names no partner; nobody may deliver")


def test_strangers_are_ignored_with_a_notice(world):
    text = AUTHORIZATIONS + f"stranger,{TENANT},active,2024-01-01T00:00:00+02:00,\n"
    world.reference("authorizations.csv", text)
    reference = load_reference(world.home / "reference")
    assert "1 rows name a partner" in reference.notices[0]
    assert reference.authorizations["granted_at"][0].isoformat() == "2023-12-31T22:00:00+00:00"


def test_a_manufacturers_file_replaces_the_built_in_list(world):
    world.reference("manufacturers.csv", "manufacturer,alias\nNovo Systems,Novo\n")
    spellings = load_reference(world.home / "reference").manufacturers
    assert dict(spellings.rows()) == {"novo systems": "Novo Systems", "novo": "Novo Systems"}


@pytest.mark.parametrize(
    "name",
    [
        "Exclusions.csv",
        "exclusion.csv",
        "EXCLUSIONS.CSV",
        "exclusoins.csv",
        "exclusions.csv.txt",
        "exclusions.xlsx",
        "exclusions",
    ],
)
def test_a_file_of_nearly_the_right_name_is_not_passed_over(world, name):
    world.reference(name, "tenant_id,serial_number,manufacturer,reason\n")
    assert is_reference_name(name)
    with pytest.raises(ReferenceDataError, match=f"{name}: is not read, since its name is not exclusions.csv"):
        load_reference(world.home / "reference")


@pytest.mark.parametrize(
    "name", ["exclusions-2024.csv", "partners.csv.bak", "notes.txt", "tenants_old.csv", "channels.csv"]
)
def test_other_files_are_nobody_s_business(world, name):
    world.reference(name, "x")
    assert not is_reference_name(name)
    load_reference(world.home / "reference")


def test_a_table_may_lie_beside_its_source(world):
    world.reference("partners.xlsx", "x")
    load_reference(world.home / "reference")


@pytest.mark.parametrize("file", ["exclusions.csv", "partners.csv"])
def test_a_link_to_nowhere_is_named(world, file):
    path = world.home / "reference" / file
    path.unlink(missing_ok=True)
    path.symlink_to("gone.csv")
    with pytest.raises(ReferenceDataError, match=f"{file}: is a link to gone.csv"):
        load_reference(path.parent)


def test_what_is_no_file_is_not_waited_for(world):
    os.mkfifo(world.home / "reference" / "exclusions.csv")
    with pytest.raises(ReferenceDataError, match=r"exclusions\.csv: is no file"):
        load_reference(world.home / "reference")


def test_a_line_is_that_on_which_a_row_begins(world):
    world.reference("partners.csv", PARTNERS + 'a,A,oem,oem_direct_api,,"\n"\nb,B,oem,fax,,\n')
    with pytest.raises(ReferenceDataError, match=r"partners\.csv:2: provider_id: found the character U\+000A"):
        load_reference(world.home / "reference")


def test_what_is_absent_is_told(world):
    notices = load_reference(world.home / "reference").notices
    assert [notice.rsplit("/", 1)[-1] for notice in notices] == [
        "exclusions.csv: not found; no device is excluded",
        "profiles.csv: not found; every device gets the profile default",
        "manufacturers.csv: not found; the built-in list of spellings is used",
    ]


def test_exclusions_of_strangers_are_told(world):
    stranger = TENANT.replace("1", "3")
    world.reference("exclusions.csv", f"tenant_id,serial_number,manufacturer,reason\n{stranger},S,,mdm_only\n")
    assert "exclusions.csv: 1 rows name a tenant" in load_reference(world.home / "reference").notices[0]


def test_profiles_are_of_a_tenant_and_tag(world):
    told = load_reference(world.home / "reference").notices
    assert [notice for notice in told if "profiles.csv: not found; every device gets the profile default" in notice]
    stranger = "33333333-3333-4333-8333-333333333333"
    lines = (f"{TENANT.upper()},Sales,Field", f"{TENANT},sales,Other", f"{TENANT},,Office", f"{stranger},,A")
    world.reference("profiles.csv", "\n".join(("tenant_id,group_tag,profile", *lines)))
    told = load_reference(world.home / "reference")
    assert "profiles.csv: 1 rows name a tenant that tenants.csv does not list; ignored" in told.notices
    devices = pl.DataFrame({
        "tenant_id": [TENANT, TENANT, TENANT, TENANT, OTHER_TENANT, None],
        "group_tag": ["Sales", "sales", "IT", None, "Sales", None],
    })  # fmt: skip
    assert devices.select(profile(told.profiles)).to_series().to_list() == [
        "Field", "Other", "Office", "Office", "default", "default",
    ]  # fmt: skip
