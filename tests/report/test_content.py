import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from tests.browser.nights import ROOT, publish_nights
from tests.conftest import TENANT

SCHEMA = json.loads((ROOT / "schemas" / "report.schema.json").read_text(encoding="utf-8"))


@dataclass
class Night:
    """A published run of `data/`."""

    folder: Path

    @property
    def manifest(self):
        return json.loads((self.folder / "run.json").read_text())


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    output = publish_nights(tmp_path_factory.mktemp("home"))
    return [Night(output / f"night-{at}") for at in (1, 2)]


def reports(result):
    folder = result.folder / "report"
    return {path.parent.relative_to(folder): json.loads(path.read_text()) for path in folder.glob("**/report.json")}


def test_every_report_fits_its_schema(nights):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    told = [report for night in nights for report in reports(night).values()]
    assert {report["page"] for report in told} == {"run", "partner"}
    for report in told:
        validator.validate(report)


def test_numbers_are_those_of_the_sets(nights):
    for night in nights:
        report = reports(night)[Path()]
        rejected = pl.read_parquet(night.folder / "rejected" / "*.parquet")
        registered = pl.read_parquet(night.folder / "registered" / "*.parquet")
        assert report["reconciles"]
        assert report["rows"] == night.manifest["rows"]
        assert report["rows"]["registered"] == registered.height
        told = Counter()
        for one in report["reasons"]:
            told[one["code"]] += one["rows"]
        assert told == dict(rejected.group_by("reason").len().iter_rows())
        assert len({one["meaning"] for one in report["reasons"]}) == len(report["reasons"])
        assert sum(report["owners"].values()) == rejected.height
        unauthorized = rejected.filter(pl.col("outcome") == "unauthorized")
        primary = unauthorized.filter(pl.col("reason").str.starts_with("AUTH_"))
        assert sum(one["rows"] for one in report["unauthorized"]["listed"]) == primary.height
        assert sum(one["matching"]["cases"]["of"] for name, one in reports(night).items() if name.name) <= sum(
            report["matching"]["kinds"].values()
        )


def test_partners_add_up_to_the_run(nights):
    for night in nights:
        report = reports(night)[Path()]
        for name in ("read", "registered", "rejected"):
            assert sum(partner["rows"][name] for partner in report["partners"]) == report["rows"][name]
        for partner in report["partners"]:
            if partner["folder"]:
                own = reports(night)[Path(partner["folder"])]
                assert own["rows"] == partner["rows"]
                assert own["rejected_rows"]["of"] == len(own["rejected_rows"]["listed"]) == own["rows"]["rejected"]


def test_the_second_night_knows_the_first(nights):
    first, second = (reports(night)[Path()] for night in nights)
    assert [point["run_id"] for point in second["trend"]] == ["night-1", "night-2"]
    contoso = next(partner for partner in second["partners"] if partner["partner_id"] == "contoso")
    before = next(partner for partner in first["partners"] if partner["partner_id"] == "contoso")
    assert contoso["trend"] == [before["rejected_share"], contoso["rejected_share"]]
    assert contoso["change"] == round(contoso["rejected_share"] - before["rejected_share"], 4)
    again = [row for row in second["rejected_rows"]["listed"] if row["nights"] is not None]
    assert len(again) > 50
    assert max(row["nights"] for row in again) == 2


def test_a_partner_s_folder_names_no_other_partner_tenant_or_device(nights):
    for night in nights:
        rows = pl.concat(
            [pl.read_parquet(night.folder / name / "*.parquet") for name in ("registered", "rejected")], how="diagonal"
        )
        files = pl.read_parquet(night.folder / "files.parquet")
        partners = rows["partner_id"].drop_nulls().unique().to_list()
        for partner in partners:
            own = rows.filter(pl.col("partner_id") == partner)
            others = rows.filter(pl.col("partner_id") != partner)
            foreign = set(partners) - {partner}
            mine = files.filter(pl.col("partner_id") == partner)["tenant_folder"]
            foreign |= set(others["tenant_id"].drop_nulls()) - set(own["tenant_id"]) - set(mine)
            foreign |= set(own.filter(pl.col("reason") == "REGISTERED_OTHER_TENANT")["matched_device_id"])
            for path in (night.folder / "report" / partner).iterdir():
                # What a partner's own customer is called may hold any word.
                text = text_of(path).replace("contoso.example", "")
                assert not [word for word in foreign if word in text.replace(str(night.folder), "")], path


def text_of(path):
    if path.suffix != ".xlsx":
        return path.read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as packed:
        return "".join(packed.read(name).decode() for name in packed.namelist())


def test_no_hash_user_or_product_key_is_in_a_report(nights):
    rows = pl.concat(
        [pl.read_parquet(nights[0].folder / name / "*.parquet") for name in ("registered", "rejected")], how="diagonal"
    )
    users = rows["assigned_user"].drop_nulls().unique().to_list()
    users = [user for user in users if "@" in user]
    assert users
    for path in (nights[0].folder / "report").glob("**/*"):
        if path.suffix in {".html", ".json"} or path.stem in {"errors", "open", "registered"}:
            text = path.read_text(encoding="utf-8")
            assert not [user for user in users if user in text], path
            assert max(map(len, text.replace("<", " ").replace('"', " ").split())) < 400, path


def test_a_night_without_rows_is_no_point_of_a_trend(world):
    world.deliver(f"contoso/{TENANT}/a.csv", {"Windows Product ID": "1"})
    world.run()
    report = reports(world.run().result)[Path()]
    assert [point["run_id"] for point in report["trend"]] == ["run-1"]
    assert (report["partners"][0]["rows"]["read"], report["partners"][0]["change"]) == (0, None)
    assert report["partners"][0]["unfixed"]["rows"] == 1
