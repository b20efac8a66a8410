import polars as pl
import pytest

from pipeline.authorize import authorize, exclude
from pipeline.config import parse_moment
from pipeline.reference import load_reference
from tests.conftest import OTHER_TENANT, TENANT

AUTH = (
    "AUTH_NO_RELATIONSHIP",
    "AUTH_PENDING",
    "AUTH_REMOVED",
    "AUTH_NOT_YET_VALID",
    "AUTH_CHANNEL",
    "AUTH_REGION",
    "AUTH_CLOUD",
)
HEADER = "partner_id,tenant_id,status,granted_at,revoked_at\n"
PAST, THEN, LATER = "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"


def judged(world, partner, tenant=TENANT, as_of=THEN):
    """Codes of one row, FILE_PARTNER_UNKNOWN included."""
    reference = load_reference(world.home / "reference")
    rows = pl.DataFrame(
        {"partner_id": [partner], "tenant_id": [tenant]}, {"partner_id": pl.String, "tenant_id": pl.String}
    )
    found = authorize(rows, reference, parse_moment(as_of)).row(0, named=True)
    return [code for code, holds in found.items() if holds]


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], ["AUTH_NO_RELATIONSHIP"]),
        ([("active", PAST, "")], []),
        ([("active", PAST, LATER)], []),
        ([("active", THEN, "")], []),
        ([("active", PAST, THEN)], ["AUTH_REMOVED"]),
        ([("active", LATER, "")], ["AUTH_NOT_YET_VALID"]),
        ([("pending", "", "")], ["AUTH_PENDING"]),
        ([("removed", PAST, THEN)], ["AUTH_REMOVED"]),
        ([("removed", "", "")], ["AUTH_REMOVED"]),
        ([("removed", PAST, PAST), ("pending", "", "")], ["AUTH_PENDING"]),
        ([("pending", "", ""), ("removed", PAST, PAST)], ["AUTH_REMOVED"]),
        ([("active", PAST, THEN), ("active", LATER, "")], ["AUTH_NOT_YET_VALID"]),
        ([("pending", "", ""), ("active", PAST, "")], []),
        ([("active", PAST, ""), ("pending", "", "")], []),
    ],
)
def test_relationship_as_of(world, statements, expected):
    world.reference(
        "authorizations.csv", HEADER + "".join(f"contoso,{TENANT},{','.join(given)}\n" for given in statements)
    )
    assert judged(world, "contoso") == expected


@pytest.mark.parametrize(
    ("own", "resellers", "expected"),
    [
        ("", "active," + PAST + ",", []),
        ("", "pending,,", ["AUTH_PENDING"]),
        ("", "", ["AUTH_NO_RELATIONSHIP"]),
        ("active," + PAST + ",", "removed,,", []),
        ("removed,,", "active," + PAST + ",", ["AUTH_REMOVED"]),
        ("pending,,", "active," + PAST + ",", []),
        ("pending,,", "removed,,", ["AUTH_PENDING"]),
        ("", "active," + LATER + ",", ["AUTH_NOT_YET_VALID"]),
    ],
)
def test_provider_through_its_resellers(world, own, resellers, expected):
    lines = [f"fabrikam,{TENANT},{own}\n"] * bool(own) + [f"northwind,{TENANT},{resellers}\n"] * bool(resellers)
    world.reference("authorizations.csv", HEADER + "".join(lines))
    assert judged(world, "fabrikam") == expected


def test_a_resellers_right_is_not_another_provider_s(world):
    world.reference("authorizations.csv", HEADER + f"tailspin,{TENANT},active,{PAST},\n")
    assert judged(world, "fabrikam") == ["AUTH_NO_RELATIONSHIP"]


def test_permission_is_for_one_tenant(world):
    world.reference("authorizations.csv", HEADER + f"contoso,{TENANT},active,{PAST},\n")
    assert judged(world, "contoso", OTHER_TENANT) == ["AUTH_NO_RELATIONSHIP"]


@pytest.mark.parametrize("partner", ["Contoso", "contoso ", "stranger", None])
def test_a_partner_is_known_byte_for_byte(world, partner):
    assert "FILE_PARTNER_UNKNOWN" in judged(world, partner)


@pytest.mark.parametrize(
    ("kind", "channel", "allowed"),
    [
        ("oem", "oem_direct_api", True),
        ("oem", "partner_center_csv", False),
        ("direct_csp", "partner_center_csv", True),
        ("direct_csp", "partner_center_api", True),
        ("direct_csp", "oem_direct_api", False),
        ("indirect_provider", "partner_center_api", True),
        ("indirect_reseller", "partner_center_csv", True),
        ("indirect_reseller", "partner_center_api", False),
    ],
)
def test_channels(world, kind, channel, allowed):
    world.reference(
        "partners.csv", f"partner_id,name,partner_type,channel,region,provider_id\ncontoso,C,{kind},{channel},EU,\n"
    )
    assert judged(world, "contoso") == ([] if allowed else ["AUTH_CHANNEL"])


@pytest.mark.parametrize(
    ("region", "cloud", "partner", "expected"),
    [
        ("EU", "public", "contoso", []),
        ("US", "public", "contoso", ["AUTH_REGION"]),
        ("", "public", "contoso", ["AUTH_REGION"]),
        ("US", "public", "adatum", []),
        ("EU", "china", "contoso", ["AUTH_CLOUD"]),
        ("EU", "us_government", "adatum", ["AUTH_CLOUD"]),
        ("US", "china", "contoso", ["AUTH_REGION", "AUTH_CLOUD"]),
    ],
)
def test_region_and_cloud(world, region, cloud, partner, expected):
    world.reference("tenants.csv", f"tenant_id,region,cloud,verified_domains\n{TENANT},{region},{cloud},\n")
    assert judged(world, partner) == expected


def test_a_tenant_that_is_not_listed_fails_closed(world):
    world.reference("tenants.csv", "tenant_id,region,cloud,verified_domains\n")
    assert judged(world, "contoso") == ["AUTH_REGION"]
    assert judged(world, "adatum") == ["AUTH_REGION"]


def test_without_a_tenants_file_region_and_cloud_are_not_checked(world):
    (world.home / "reference" / "tenants.csv").unlink()
    assert judged(world, "contoso") == []
    assert "region" in load_reference(world.home / "reference").notices[0]


@pytest.mark.parametrize(
    ("excluded", "row", "found"),
    [
        ("S1,HP", ("s1", "hp"), True),
        ("S1,", ("S1", "HP"), True),
        ("S1,HP", ("S1", None), True),
        ("S1,LENOVO", ("S1", "HP"), False),
        ("S2,HP", ("S1", "HP"), False),
    ],
)
def test_exclusions(world, excluded, row, found):
    text = f"tenant_id,serial_number,manufacturer,reason\n{TENANT.upper()},{excluded},mdm_only\n"
    world.reference("exclusions.csv", text)
    reference = load_reference(world.home / "reference")
    rows = pl.DataFrame(
        {
            "tenant_id": [TENANT, OTHER_TENANT],
            "serial_number": [row[0]] * 2,
            "manufacturer": [row[1]] * 2,
            "hash_serial_number": ["S1", None],
            "hash_manufacturer": [None, None],
            "hash_verified": [False, False],
        },
        schema_overrides={"manufacturer": pl.String, "hash_manufacturer": pl.String},
    )
    codes = exclude(rows, reference)
    assert codes["EXCLUDED_MDM_ONLY"].to_list() == [found, False]
    assert not codes["EXCLUDED_WORKPLACE_JOINED"].any()


def test_a_verified_hash_names_the_excluded_device(world):
    text = f"tenant_id,serial_number,manufacturer,reason\n{TENANT},S1,HP,directory_object\n"
    world.reference("exclusions.csv", text)
    reference = load_reference(world.home / "reference")
    rows = pl.DataFrame(
        {
            "tenant_id": [TENANT],
            "serial_number": ["other"],
            "manufacturer": ["other"],
            "hash_serial_number": ["S1"],
            "hash_manufacturer": ["HP"],
            "hash_verified": [True],
        }
    )
    assert exclude(rows, reference)["EXCLUDED_DIRECTORY_OBJECT"].to_list() == [True]
