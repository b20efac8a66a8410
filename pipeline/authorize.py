"""Who may register devices for whom, as of a moment. Whatever is not known to be allowed is not."""

from datetime import datetime

import polars as pl

from pipeline.reference.tables import Reference
from schemas.identities import says_nothing
from schemas.reference import CHANNELS_BY_TYPE

# How far a partner has come with a customer. Only the last authorizes; a provider takes the best of its resellers.
_NONE, _REMOVED, _PENDING, _NOT_YET_VALID, _AUTHORIZED = range(5)
_CODES = {
    "AUTH_NO_RELATIONSHIP": _NONE,
    "AUTH_REMOVED": _REMOVED,
    "AUTH_PENDING": _PENDING,
    "AUTH_NOT_YET_VALID": _NOT_YET_VALID,
}
_EXCLUSIONS = {
    "EXCLUDED_WORKPLACE_JOINED": "workplace_joined",
    "EXCLUDED_MDM_ONLY": "mdm_only",
    "EXCLUDED_DIRECTORY_OBJECT": "directory_object",
}
_CHANNEL_PAIRS = [(kind, channel) for kind, channels in CHANNELS_BY_TYPE.items() for channel in channels]


def authorize(rows: pl.DataFrame, reference: Reference, as_of: datetime) -> pl.DataFrame:
    """Check each row's partner against its tenant.

    Args:
        rows: one row a record, with `partner_id` (null where unknown) and `tenant_id` (null where unknown).
        reference: the operator's data.
        as_of: the moment that counts, UTC.

    Returns:
        One row for each, in order: a Boolean column for each authorization code and `FILE_PARTNER_UNKNOWN`. Of a row
        without a tenant only the partner and its channel are judged.
    """
    pair = ["partner_id", "tenant_id"]
    claimed = rows.select(pair)
    judged = _judge(claimed.unique(), reference, as_of)
    found = claimed.join(judged, on=pair, how="left", nulls_equal=True, maintain_order="left", validate="m:1")
    # A pair that nobody judged would have no finding, and so be allowed; it is refused instead.
    return found.drop(pair).select(pl.all().fill_null(value=True))


def _judge(pairs: pl.DataFrame, reference: Reference, as_of: datetime) -> pl.DataFrame:
    partners = reference.partners.select("partner_id", "partner_type", "channel", partner_region="region")
    known = pairs.join(partners, on="partner_id", how="left", validate="m:1")
    known = known.join(
        standings(reference, as_of), on=["partner_id", "tenant_id"], how="left", validate="m:1"
    ).with_columns(pl.col("standing").fill_null(_NONE))
    known = _with_tenants(known, reference)
    has_tenant = pl.col("tenant_id").is_not_null()
    is_partner = pl.col("partner_type").is_not_null()
    return known.select(
        "partner_id",
        "tenant_id",
        FILE_PARTNER_UNKNOWN=~is_partner,
        **{code: has_tenant & (pl.col("standing") == standing) for code, standing in _CODES.items()},
        AUTH_CHANNEL=is_partner & ~suiting(),
        AUTH_REGION=has_tenant & is_partner & ~pl.col("region_fits"),
        AUTH_CLOUD=has_tenant & is_partner & ~pl.col("cloud_fits"),
    )


def suiting() -> pl.Expr:
    """Whether a partner, by `partner_type` and `channel`, may have its channel."""
    return pl.any_horizontal(
        (pl.col("partner_type") == kind) & (pl.col("channel") == channel) for kind, channel in _CHANNEL_PAIRS
    )


def _with_tenants(pairs: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """Add whether region and cloud allow it. Without a tenants file neither is checked; the run says so."""
    if reference.tenants is None:
        return pairs.with_columns(region_fits=pl.lit(value=True), cloud_fits=pl.lit(value=True))
    tenants = reference.tenants.select("tenant_id", tenant_region="region", cloud="cloud")
    same_region = (pl.col("tenant_region") != "") & (pl.col("tenant_region") == pl.col("partner_region"))
    listed = pl.col("cloud").is_not_null()
    return pairs.join(tenants, on="tenant_id", how="left", validate="m:1").with_columns(
        region_fits=listed & (same_region | (pl.col("partner_type") == "oem")),
        cloud_fits=~listed | (pl.col("cloud") == "public"),
    )


def standings(reference: Reference, as_of: datetime) -> pl.DataFrame:
    """How far each partner has come with each tenant.

    A provider is authorized through any of its resellers, unless its own relationship was removed.

    Returns:
        One row for each pair of `partner_id` and `tenant_id` that has any relationship, with its `standing`.
    """
    own = _own_standings(reference.authorizations, as_of)
    resellers = reference.partners.filter(
        (pl.col("partner_type") == "indirect_reseller") & (pl.col("provider_id") != "")
    ).select("partner_id", "provider_id")
    providers = reference.partners.filter(pl.col("partner_type") == "indirect_provider").select("partner_id")
    passed_up = (
        own.join(resellers, on="partner_id", how="inner", validate="m:1")
        .select("tenant_id", "standing", partner_id="provider_id", removed=pl.lit(value=False))
        .join(providers, on="partner_id", how="semi")
    )
    own = own.join(providers.with_columns(provides=True), on="partner_id", how="left", validate="m:1").select(
        "tenant_id", "standing", "partner_id", removed=pl.col("removed") & pl.col("provides").fill_null(value=False)
    )
    best = pl.when(pl.col("removed").any()).then(_REMOVED).otherwise(pl.col("standing").max())
    return pl.concat([own, passed_up]).group_by("partner_id", "tenant_id").agg(standing=best)


def _own_standings(authorizations: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """One row for each pair, by its own statements alone: a removal that counts ends what stands before it."""
    granted = pl.col("granted_at") <= as_of
    lasting = pl.col("revoked_at").is_null() | (pl.col("revoked_at") > as_of)
    active, removed = pl.col("status") == "active", pl.col("status") == "removed"
    latest, place = pl.col("status").last(), pl.int_range(pl.len())
    counts = pl.col("revoked_at").is_null() | (pl.col("revoked_at") <= as_of)
    last_removed = pl.when(removed & counts).then(place).max()
    stands = active & granted & lasting & (place > last_removed.fill_null(-1))
    return authorizations.group_by("partner_id", "tenant_id").agg(
        removed=latest == "removed",
        standing=pl.when(stands.any())
        .then(_AUTHORIZED)
        .when(latest == "pending")
        .then(_PENDING)
        .when((latest == "active") & (pl.col("granted_at").last() > as_of))
        .then(_NOT_YET_VALID)
        .otherwise(_REMOVED),
    )


def exclude(rows: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """Look for devices that must not be registered.

    Serial and manufacturer are those of the verified hash, else the row's, compared without case and by the spelling
    that the manufacturer's devices report; one that is not named matches any.

    Args:
        rows: as `pipeline.validate.rows.derive` gives them, with `tenant_id`.
        reference: the operator's data.

    Returns:
        One row for each, in order: a Boolean column for each exclusion code.
    """
    exclusions = reference.exclusions
    verified = pl.col("hash_verified")
    own_maker = pl.when(pl.col("manufacturer_fault").is_null()).then("exact_manufacturer")
    inside = pl.when(~says_nothing(pl.col("hash_manufacturer"))).then("exact_hash_manufacturer")
    devices = rows.select(
        "tenant_id",
        serial_number=pl.when(verified).then("hash_serial_number").otherwise("serial_number").str.to_lowercase(),
        manufacturer=pl.when(verified).then(inside).otherwise(own_maker).str.to_lowercase(),
    )
    device = ["tenant_id", "serial_number"]
    suspect = devices.with_row_index("row").join(exclusions, on=device, how="semi", maintain_order="left")
    found = {}
    for code, reason in _EXCLUSIONS.items():
        listed = exclusions.filter(pl.col("reason") == reason)
        of_any = listed.filter(pl.col("manufacturer") == "")
        nameless = suspect.filter(pl.col("manufacturer").is_null())
        hits = (
            suspect.join(listed, on=[*device, "manufacturer"], how="semi"),
            suspect.join(of_any, on=device, how="semi"),
            nameless.join(listed, on=device, how="semi"),
        )
        found[code] = pl.int_range(pl.len()).is_in(pl.concat(hits)["row"].implode())
    return devices.select(**found)
