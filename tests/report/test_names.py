import polars as pl

from pipeline.reference.tables import load_reference
from pipeline.report.names import Names
from tests.conftest import AUTHORIZATIONS, OTHER_TENANT, PARTNERS, TENANT, TENANTS

STRANGER = "33333333-3333-4333-8333-333333333333"


def names(folder, tenants=TENANTS):
    (folder / "partners.csv").write_text(PARTNERS)
    pending = f"fabrikam,{TENANT},pending,,\n"
    (folder / "authorizations.csv").write_text(AUTHORIZATIONS + pending)
    if tenants:
        (folder / "tenants.csv").write_text(f"{tenants}{STRANGER},EU,public,secret.example other.example\n")
    return Names.of(load_reference(folder))


def test_a_customer_is_called_by_its_first_domain_and_a_partner_by_its_name(tmp_path):
    known = names(tmp_path)
    assert known.partners["fabrikam"] == "Fabrikam"
    asked = pl.Series([TENANT, OTHER_TENANT, STRANGER, None])
    assert known.of_tenants(asked) == {TENANT: "contoso.example", STRANGER: "secret.example"}


def test_a_partner_is_told_no_name_of_a_tenant_that_has_not_authorized_it(tmp_path):
    known = names(tmp_path)
    asked = pl.Series([TENANT, STRANGER])
    assert known.of_tenants(asked, "contoso") == {TENANT: "contoso.example"}
    assert known.of_tenants(asked, "fabrikam") == known.of_tenants(asked, "nobody") == {}


def test_without_a_list_of_tenants_none_has_a_name(tmp_path):
    assert names(tmp_path, tenants="").of_tenants(pl.Series([TENANT])) == {}
