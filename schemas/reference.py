"""Reference data: partners, authorizations, tenants, exclusions, profiles and manufacturers, as given by the operator.

Every check is named by what it expects, since that is what its error message says.
"""

from dataclasses import dataclass

import pandera.polars as pa
import polars as pl

from schemas.manifest import GUID, NO_TENANT

CHANNELS_BY_TYPE: dict[str, tuple[str, ...]] = {
    "oem": ("oem_direct_api",),
    "direct_csp": ("partner_center_csv", "partner_center_api"),
    "indirect_provider": ("partner_center_csv", "partner_center_api"),
    "indirect_reseller": ("partner_center_csv",),
}
"""Which channels a partner of each type may use."""

CHANNELS = ("partner_center_csv", "partner_center_api", "oem_direct_api")
STATUSES = ("active", "pending", "removed")
CLOUDS = ("public", "us_government", "china")
EXCLUSION_REASONS = ("workplace_joined", "mdm_only", "directory_object")

_TIMESTAMP = r"(?i)^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$"


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """One file of reference data.

    Attributes:
        file: its name in the reference folder.
        required: whether there is no run without it.
        schema: its columns, all text.
        key: columns that together may not repeat; empty where rows may.
    """

    file: str
    required: bool
    schema: pa.DataFrameSchema
    key: tuple[str, ...] = ()


def _one_of(values: tuple[str, ...]) -> pa.Check:
    return pa.Check.isin(list(values), name="one of " + ", ".join(values))


_NOT_EMPTY = pa.Check.str_length(min_value=1, name="a value")
_TENANT = (
    pa.Check.str_matches(GUID, name="a GUID, 8-4-4-4-12 hexadecimal digits"),
    pa.Check.ne(NO_TENANT, name="a tenant's GUID, not all zeros"),
)
_MOMENT = pa.Check.str_matches(
    f"{_TIMESTAMP}|^$", name="an RFC 3339 timestamp such as 2026-01-31T00:00:00Z, or nothing"
)
_DOMAINS = pa.Check.str_matches(
    r"^$|^[\w-]+(\.[\w-]+)+([ \t]+[\w-]+(\.[\w-]+)+)*$",
    name="domains such as contoso.com, separated by blanks, or nothing",
)


def _text(*checks: pa.Check) -> pa.Column:
    return pa.Column(pl.String(), checks=list(checks))


PARTNERS = ReferenceTable(
    "partners.csv",
    required=True,
    key=("partner_id",),
    schema=pa.DataFrameSchema(
        {
            "partner_id": _text(_NOT_EMPTY),
            "name": _text(),
            "partner_type": _text(_one_of(tuple(CHANNELS_BY_TYPE))),
            "channel": _text(_one_of(CHANNELS)),
            "region": _text(),
            "provider_id": _text(),
        }
    ),
)
AUTHORIZATIONS = ReferenceTable(
    "authorizations.csv",
    required=True,
    schema=pa.DataFrameSchema(
        {
            "partner_id": _text(_NOT_EMPTY),
            "tenant_id": _text(*_TENANT),
            "status": _text(_one_of(STATUSES)),
            "granted_at": _text(_MOMENT),
            "revoked_at": _text(_MOMENT),
        }
    ),
)
TENANTS = ReferenceTable(
    "tenants.csv",
    required=False,
    key=("tenant_id",),
    schema=pa.DataFrameSchema(
        {
            "tenant_id": _text(*_TENANT),
            "region": _text(),
            "cloud": _text(_one_of(CLOUDS)),
            "verified_domains": _text(_DOMAINS),
        }
    ),
)
EXCLUSIONS = ReferenceTable(
    "exclusions.csv",
    required=False,
    schema=pa.DataFrameSchema(
        {
            "tenant_id": _text(*_TENANT),
            "serial_number": _text(_NOT_EMPTY),
            "manufacturer": _text(),
            "reason": _text(_one_of(EXCLUSION_REASONS)),
        }
    ),
)
PROFILES = ReferenceTable(
    "profiles.csv",
    required=False,
    key=("tenant_id", "group_tag"),
    schema=pa.DataFrameSchema({"tenant_id": _text(*_TENANT), "group_tag": _text(), "profile": _text(_NOT_EMPTY)}),
)
MANUFACTURERS = ReferenceTable(
    "manufacturers.csv",
    required=False,
    key=("alias",),
    schema=pa.DataFrameSchema({"manufacturer": _text(_NOT_EMPTY), "alias": _text(_NOT_EMPTY)}),
)
