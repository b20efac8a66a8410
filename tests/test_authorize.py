from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.authorize import authorize, exclude
from pipeline.config import parse_moment
from pipeline.reference.tables import load_reference, no_reference
from pipeline.validate.rows import _with_makers
from schemas.identities import name_fault
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
        ([("active", PAST, ""), ("removed", "", "")], ["AUTH_REMOVED"]),
        ([("active", PAST, ""), ("removed", "", THEN)], ["AUTH_REMOVED"]),
        ([("active", PAST, ""), ("removed", "", LATER)], []),
        ([("active", PAST, ""), ("removed", "", ""), ("pending", "", "")], ["AUTH_PENDING"]),
        ([("removed", "", ""), ("active", PAST, "")], []),
        ([("active", PAST, ""), ("removed", "", ""), ("active", THEN, "")], []),
        ([("removed", "", ""), ("active", PAST, ""), ("removed", "", "")], ["AUTH_REMOVED"]),
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


def test_only_a_reseller_passes_its_right_up(world):
    world.reference(
        "partners.csv",
        "partner_id,name,partner_type,channel,region,provider_id\n"
        "contoso,Contoso,direct_csp,partner_center_csv,EU,fabrikam\n"
        "fabrikam,Fabrikam,indirect_provider,partner_center_api,EU,\n",
    )
    world.reference("authorizations.csv", HEADER + f"contoso,{TENANT},active,{PAST},\n")
    assert judged(world, "contoso") == []
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


def test_each_row_is_judged_by_its_own_pair(world):
    tenants = f"tenant_id,region,cloud,verified_domains\n{TENANT},EU,public,\n{OTHER_TENANT},EU,china,\n"
    world.reference("tenants.csv", tenants)
    pairs = [("contoso", TENANT), ("stranger", OTHER_TENANT), ("contoso", None), ("contoso", TENANT), (None, None)]
    rows = pl.DataFrame(pairs, ["partner_id", "tenant_id"], orient="row")
    found = authorize(rows, load_reference(world.home / "reference"), parse_moment(THEN))
    assert [[code for code, holds in row.items() if holds] for row in found.iter_rows(named=True)] == [
        [],
        ["FILE_PARTNER_UNKNOWN", "AUTH_NO_RELATIONSHIP"],
        [],
        [],
        ["FILE_PARTNER_UNKNOWN"],
    ]


STATUSES = ("active", "pending", "removed")
MOMENTS = [parse_moment(text) for text in ("2025-01-01T00:00:00Z", THEN, "2026-01-01T00:00:00.000001Z", LATER)]
RANKED = (["AUTH_NO_RELATIONSHIP"], ["AUTH_REMOVED"], ["AUTH_PENDING"], ["AUTH_NOT_YET_VALID"], [])


def told_by_statements(statements, as_of):
    """The code of one pair, statement by statement, as the contract tells it."""
    if not statements:
        return ["AUTH_NO_RELATIONSHIP"]
    for at, (status, granted, revoked) in enumerate(statements):
        ended = [
            later for later in statements[at + 1 :] if later[0] == "removed" and not (later[2] and later[2] > as_of)
        ]
        if status == "active" and granted <= as_of and (not revoked or as_of < revoked) and not ended:
            return []
    status, granted, _ = statements[-1]
    if status == "pending":
        return ["AUTH_PENDING"]
    return ["AUTH_NOT_YET_VALID" if status == "active" and granted > as_of else "AUTH_REMOVED"]


def told_of_a_provider(own, resellers, as_of):
    if own and own[-1][0] == "removed":
        return ["AUTH_REMOVED"]
    codes = [told_by_statements(statements, as_of) for statements in (own, *resellers)]
    return max(codes, key=RANKED.index)


@st.composite
def statement(draw):
    status = draw(st.sampled_from(STATUSES))
    given = [draw(st.sampled_from(MOMENTS)), draw(st.sampled_from([None, *MOMENTS]))]
    if status != "active":
        given[0] = draw(st.sampled_from([None, given[0]]))
    if all(given) and given[1] < given[0]:
        given.reverse()
    return (status, *given)


TABLES = st.lists(
    st.tuples(
        st.sampled_from(["provider", "first", "second", "direct"]), st.sampled_from([TENANT, OTHER_TENANT]), statement()
    ),
    max_size=12,
)


@given(TABLES, st.sampled_from(MOMENTS))
def test_any_statements_are_judged_as_the_contract_tells(table, as_of):
    partners = [
        {
            "partner_id": name,
            "name": "",
            "partner_type": kind,
            "channel": "partner_center_csv",
            "region": "",
            "provider_id": of,
        }
        for name, kind, of in (
            ("provider", "indirect_provider", ""),
            ("first", "indirect_reseller", "provider"),
            ("second", "indirect_reseller", "provider"),
            ("direct", "direct_csp", ""),
        )
    ]
    types = no_reference("a").authorizations.schema
    rows = [(partner, tenant, *given) for partner, tenant, given in table]
    reference = replace(
        no_reference("a"), partners=pl.DataFrame(partners), authorizations=pl.DataFrame(rows, types, orient="row")
    )
    pairs = [(one["partner_id"], tenant) for one in partners for tenant in (TENANT, OTHER_TENANT)]
    found = authorize(pl.DataFrame(pairs, ["partner_id", "tenant_id"], orient="row"), reference, as_of)
    for (partner, tenant), codes in zip(pairs, found.iter_rows(named=True), strict=True):
        of = {name: [given for who, whose, given in table if (who, whose) == (name, tenant)] for name, _ in pairs}
        expected = (
            told_of_a_provider(of["provider"], (of["first"], of["second"]), as_of)
            if partner == "provider"
            else told_by_statements(of[partner], as_of)
        )
        assert [code for code, holds in codes.items() if holds] == expected, (partner, tenant, of)


def excluded(world, text, *rows):
    """Codes of rows, each a tuple of serial number, manufacturer, and both inside its hash (None for no hash)."""
    world.reference("exclusions.csv", "tenant_id,serial_number,manufacturer,reason\n" + text)
    reference = load_reference(world.home / "reference")
    names = ("serial_number", "manufacturer", "hash_serial_number", "hash_manufacturer")
    cells = pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")
    judged = cells.with_columns(
        tenant_id=pl.lit(TENANT),
        hash_verified=pl.col("hash_serial_number").is_not_null(),
        manufacturer_fault=name_fault(pl.col("manufacturer")),
        identity=pl.lit("tuple"),
    )
    found = exclude(_with_makers(judged, reference.manufacturers), reference)
    return [[code for code, holds in row.items() if holds] for row in found.iter_rows(named=True)]


@pytest.mark.parametrize(
    ("listed", "row", "found"),
    [
        ("S1,HP", ("s1", "hp"), True),
        ("S1,", ("S1", "HP"), True),
        ("s1,HP", ("S1", None), True),
        ("S1,HP", ("S1", "N/A"), True),
        ("S1,HP Inc.", ("S1", "HP"), True),
        ("S1,hp", ("S1", "HP Inc."), True),
        ("S1,Lenvo", ("S1", "LENOVO"), True),
        ("S1,Lenovo", ("S1", "Lenovo Group Limited"), True),
        ("S1,Getac", ("S1", "GETAC"), True),
        ("S1,LENOVO", ("S1", "HP"), False),
        ("S2,HP", ("S1", "HP"), False),
        ("S1,HP", (None, "HP"), False),
    ],
)
def test_exclusions(world, listed, row, found):
    text = f"{TENANT.upper()},{listed},mdm_only\n" * 2
    expected = ["EXCLUDED_MDM_ONLY"] if found else []
    assert excluded(world, text, (*row, None, None), (None, None, *row) if row[0] else row[:1] * 4) == [expected] * 2


def test_an_exclusion_is_for_one_tenant(world):
    assert excluded(world, f"{OTHER_TENANT},S1,HP,mdm_only\n", ("S1", "HP", None, None)) == [[]]


def test_a_verified_hash_names_the_excluded_device(world):
    row = ("other", "other", "S1", "HP")
    assert excluded(world, f"{TENANT},S1,HP Inc,directory_object\n", row) == [["EXCLUDED_DIRECTORY_OBJECT"]]
    assert excluded(world, f"{TENANT},other,,directory_object\n", row) == [[]]


def test_a_device_may_be_excluded_for_several_reasons(world):
    text = f"{TENANT},S1,HP,mdm_only\n{TENANT},S1,,workplace_joined\n"
    both = ["EXCLUDED_WORKPLACE_JOINED", "EXCLUDED_MDM_ONLY"]
    assert excluded(world, text, ("S1", "HP", None, None), ("S1", "LENOVO", None, None)) == [both, both[:1]]
