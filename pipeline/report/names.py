"""Names that people know partners and customers by, where the reference data has them."""

from dataclasses import dataclass, field

import polars as pl

from pipeline.reference.tables import Reference


@dataclass(frozen=True, slots=True)
class Names:
    """Names of partners and tenants.

    Attributes:
        partners: by `partner_id`.
        tenants: by `tenant_id`, the first of each tenant's verified domains.
        customers: of each partner the tenants that have authorized it, which are the ones that it may see the name of:
            whoever writes a stranger's tenant ID into a file learns nothing by it.
    """

    partners: dict[str, str] = field(default_factory=dict)
    tenants: dict[str, str] = field(default_factory=dict)
    customers: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, reference: Reference) -> "Names":
        """What the reference data knows."""
        named = reference.partners.filter(pl.col("name") != "")
        granted = reference.authorizations.filter(pl.col("status") == "active").group_by("partner_id")
        tenants = reference.tenants
        domains = {} if tenants is None else dict(tenants.select("tenant_id", _FIRST_DOMAIN).drop_nulls().iter_rows())
        return cls(
            partners=dict(named.select("partner_id", "name").iter_rows()),
            tenants=domains,
            customers={partner: set(ids) for partner, ids in granted.agg("tenant_id").iter_rows()},
        )

    def of_tenants(self, tenant_ids: pl.Series, partner_id: str | None = None) -> dict[str, str]:
        """Names of these tenants; for a partner those of its customers alone."""
        asked = set(tenant_ids.drop_nulls())
        if partner_id is not None:
            asked &= self.customers.get(partner_id, set())
        return {tenant: self.tenants[tenant] for tenant in sorted(asked & self.tenants.keys())}


_FIRST_DOMAIN = pl.col("verified_domains").list.first()
