import pytest

from pipeline.errors import ReferenceDataError
from pipeline.reference import load_reference
from tests.conftest import TENANT

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
        ("manufacturers.csv", "manufacturer\nHP\n", ":1: column alias"),
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
