"""What a change of a manifest's columns touches: the entry in the table, and nothing else of the program."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import polars as pl
import pytest

from tests.conftest import AUTHORIZATIONS, PARTNERS, TENANT

ROOT = Path(__file__).parents[2]
ENTRY = """        ManifestColumn(
            "purchase_order",
            ("Purchase Order", "PO Number"),
            Shown.WHOLE,
            meaning="as delivered",
            kept_in=ALL_SETS,
        ),
"""
BEFORE = '        ManifestColumn(\n            "registration_id",'
ALIAS = '("Device model", "Model", "Model Name"'
DELIVERED = """Serial,Vendor,Trade Name,P.O. Number
PF3AB12C,LENOVO,20XW004QUS,4711
PF3AB12D,LENOVO,20XW004QUS,=4712
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A run of the program with one more column, and one more name of another."""
    home = tmp_path_factory.mktemp("columns")
    copytree(ROOT / "schemas", home / "schemas", ignore=lambda *_: ["__pycache__"])
    (home / "pipeline").symlink_to(ROOT / "pipeline")
    table = home / "schemas" / "columns.py"
    text = table.read_text(encoding="utf-8")
    assert text.count(BEFORE) == text.count(ALIAS) == 1
    table.write_text(text.replace(BEFORE, ENTRY + BEFORE).replace(ALIAS, f'{ALIAS}, "Trade Name"'), encoding="utf-8")
    for path, content in {
        "inbox/contoso/{TENANT}/devices.csv": DELIVERED,
        "reference/partners.csv": PARTNERS,
        "reference/authorizations.csv": AUTHORIZATIONS,
    }.items():
        place = home / path.format(TENANT=TENANT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "pipeline", "run", "inbox", "--run-id", "one", "--as-of", "2026-01-01T00:00:00Z"]
    done = subprocess.run(
        command, cwd=home, env=os.environ | {"PYTHONPATH": str(home)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return home / "runs" / "one"


def test_a_new_column_is_read_and_kept(night):
    sets = {name: pl.read_parquet(night / name) for name in ("registered", "rejected")}
    assert {name: rows.select("model", "purchase_order").rows() for name, rows in sets.items()} == {
        "registered": [("20XW004QUS", "4711")],
        "rejected": [("20XW004QUS", "=4712")],
    }
    assert sets["registered"]["warnings"].to_list() == [["HEADER_NOT_CANONICAL"]]


def test_a_new_column_is_held_to_the_rules_of_cells_and_named(night):
    (line,) = pl.read_csv(night / "report" / "contoso" / "errors.csv").to_dicts()
    assert line["Reason"] == "FORMULA_CELL"
    assert (line["Column"], line["Found"]) == ("Purchase Order", "'=4712")
