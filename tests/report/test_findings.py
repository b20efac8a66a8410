import polars as pl
import pytest

from pipeline.report.findings import findings
from schemas.reasons import CATALOGUE

ROW = {
    "source_file": "a.csv",
    "source_line": 2,
    "reasons": [],
    "warnings": [],
    "serial_number": "5CG1234ABC",
    "windows_product_id": "3305123456789",
    "manufacturer": "Hp",
    "model": "EliteBook",
    "group_tag": "sales",
    "assigned_user": "ann@contoso.com",
    "tenant_claim": "nowhere",
    "hash_serial_number": "5CG1234XYZ",
    "hash_manufacturer": None,
    "hash_model": "ProBook",
    "hash_bytes": 2_990,
}


def found(*codes, mask_identity=False, **cells):
    warnings = [code for code in codes if CATALOGUE[code].family == "warning"]
    reasons = [code for code in codes if code not in warnings]
    rows = pl.DataFrame([ROW | cells | {"reasons": reasons, "warnings": warnings}], strict=False)
    rows = rows.with_columns(pl.col("reasons", "warnings").cast(pl.List(pl.String)))
    return findings(rows, mask_identity=mask_identity)


@pytest.mark.parametrize(
    ("code", "cells", "field", "seen", "expected"),
    [
        (
            "SERIAL_MISMATCH",
            {},
            "Device Serial Number",
            "5CG1234ABC",
            "5CG1234XYZ, as inside the hash",
        ),
        ("MODEL_MISMATCH", {}, "Device model", "EliteBook", "ProBook, as inside the hash"),
        ("MANUFACTURER_MISMATCH", {}, "Manufacturer name", "Hp", "the manufacturer inside the hash"),
        ("TENANT_FORMAT", {}, "Tenant ID", "nowhere", "32 hexadecimal digits as 8-4-4-4-12"),
        ("HASH_TRUNCATED", {}, "Hardware Hash", "2990 bytes", CATALOGUE["HASH_TRUNCATED"].expected),
        ("HASH_CHECKSUM", {}, "Hardware Hash", None, "a value whose SHA-256 fits"),
        (
            "HASH_FIELD_MISSING",
            {},
            "Hardware Hash",
            "serial number 5CG1234XYZ, manufacturer missing",
            CATALOGUE["HASH_FIELD_MISSING"].expected,
        ),
        ("FORMULA_CELL", {"group_tag": "=1+1"}, "Group Tag", "=1+1", CATALOGUE["FORMULA_CELL"].expected),
        ("FORMULA_CELL", {"other_cells": "x\n@y"}, "another column", "***", CATALOGUE["FORMULA_CELL"].expected),
        ("HIDDEN_CHARACTER", {"model": "Elite\u200bBook"}, "Device model", "Elite␦Book", "visible characters only"),
        ("HIDDEN_CHARACTER", {"assigned_user": "a\u200bnn@x.y"}, "Assigned User", "***@x.y", "visible characters only"),
        ("USER_DOMAIN", {}, "Assigned User", "***@contoso.com", "a verified domain of the customer"),
        ("RECORD_FIELD_COUNT", {}, None, None, CATALOGUE["RECORD_FIELD_COUNT"].expected),
        ("ALREADY_REGISTERED", {"serial_number": None}, "Device Serial Number", "5CG1234XYZ", None),
    ],
)
def test_a_finding_names_its_column_what_was_found_and_expected(code, cells, field, seen, expected):
    told = found(code, **cells).row(0, named=True)
    assert (told["code"], told["level"], told["field"], told["found"]) == (code, "error", field, seen)
    assert told["expected"] == (expected or CATALOGUE[code].expected)


def test_identities_are_masked_for_those_who_may_not_see_them():
    told = found("SERIAL_MISMATCH", mask_identity=True).row(0, named=True)
    assert (told["found"], told["expected"]) == ("5C***BC", "5C***YZ, as inside the hash")


def test_every_code_can_be_told_of_a_row_that_has_nothing():
    nothing = pl.DataFrame({"source_file": ["a"], "source_line": [1], "reasons": [list(CATALOGUE)], "warnings": [[]]})
    told = findings(nothing.with_columns(pl.col("warnings").cast(pl.List(pl.String))))
    assert told["code"].to_list() == list(CATALOGUE)
    assert told["found"].drop_nulls().to_list() == ["serial number missing, manufacturer missing"]
    assert told["expected"].null_count() == 0


def test_findings_keep_their_order_reasons_first():
    told = found("USER_FORMAT", "SERIAL_MISMATCH", "VALUE_TRIMMED")
    assert told["code"].to_list() == ["USER_FORMAT", "SERIAL_MISMATCH", "VALUE_TRIMMED"]
    assert told["level"].to_list() == ["error", "error", "warning"]
