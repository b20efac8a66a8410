import pytest

from pipeline.ingest import find_manifests

KEY, OTHER_KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE", "AAAAA-BBBBB-CCCCC-DDDDD-FFFFF"


@pytest.fixture
def inbox(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return find_manifests((tmp_path,))

    return make


def test_the_folders_say_whose_a_manifest_is(inbox):
    found = inbox("contoso/tenant/deep/a.csv", "contoso/b.CSV.GZ", "c.csv.zst", "contoso/tenant/notes.txt", ".d.csv")
    assert [(one.source_file, one.partner_id, one.tenant_folder) for one in found.manifests] == [
        ("c.csv.zst", None, None),
        ("contoso/b.CSV.GZ", "contoso", None),
        ("contoso/tenant/deep/a.csv", "contoso", "tenant"),
    ]
    assert found.ignored == 2


def test_a_product_key_in_a_name_is_masked_and_names_stay_apart(inbox):
    found = inbox(f"{KEY}/{OTHER_KEY}/{KEY}.csv", f"{KEY}/{OTHER_KEY}/{OTHER_KEY}.csv", f"contoso/x {KEY} y.csv")
    names = [one.source_file for one in found.manifests]
    shown = " ".join([*names, *(str((one.partner_id, one.tenant_folder)) for one in found.manifests)])
    assert KEY not in shown
    assert OTHER_KEY not in shown
    assert len(set(names)) == 3
    assert all(one.path.exists() for one in found.manifests)
    assert sum(name.startswith("contoso/x *****-*****-*****-*****-*****~") for name in names) == 1
