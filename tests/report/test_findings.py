import polars as pl
import pytest

from pipeline.reference.manufacturers import known_spellings
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
        (
            "HIDDEN_CHARACTER",
            {"model": "Elite\u200bBook"},
            "Device model",
            "Elite␦Book, with U+200B",
            "visible characters only",
        ),
        (
            "HIDDEN_CHARACTER",
            {"assigned_user": "a\u200bnn@x.y"},
            "Assigned User",
            "***@x.y, with U+200B",
            "visible characters only",
        ),
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
    assert (told["found"], told["expected"]) == (
        "5C***BC",
        "5C***YZ, as inside the hash; they differ from character 8 on",
    )


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


def test_masked_values_that_look_alike_show_where_they_differ():
    told = found("SERIAL_MISMATCH", mask_identity=True, serial_number="5CG1334XYZ").row(0, named=True)
    assert (told["found"], told["expected"].split("; ")[1]) == ("5C***YZ", "they differ from character 5 on")
    longer = found("SERIAL_MISMATCH", mask_identity=True, serial_number="5CG1234XYZ0").row(0, named=True)
    assert longer["expected"].endswith("they differ from character 11 on")


HASH = "T0GABAEAHAAAAAoASQdhSgAACgCdB2FKkFApMggCCQUCABAACQABAAQACAABAAAABQAZABAA" * 40


@pytest.mark.parametrize(
    ("code", "cells", "field", "seen", "told_to"),
    [
        ("SERIAL_PLACEHOLDER", {"hash_serial_number": "Default string"}, None, "Default string", "capture the hash"),
        ("SERIAL_PLACEHOLDER", {"hash_serial_number": None, "serial_number": "TBD"}, None, "TBD", "send the real one"),
        ("SERIAL_MISMATCH", {"serial_number": "\u201c0674\u201d"}, None, "\u201c0674\u201d", "typographic"),
        ("PRODUCT_ID_FORMAT", {"windows_product_id": "\u201e33\u201c"}, None, "\u201e33\u201c", "typographic"),
        ("SERIAL_FORMAT", {"serial_number": "\u2018A1B\u2019"}, None, "\u2018A1B\u2019", "typographic"),
        ("PRODUCT_ID_FORMAT", {"windows_product_id": HASH}, None, "a hardware hash", "under Hardware Hash"),
        ("SERIAL_FORMAT", {"serial_number": f'"{HASH}"'}, None, "a hardware hash", "under Hardware Hash"),
        ("IDENTITY_PARTIAL_TUPLE", {"serial_number": HASH}, None, "a hardware hash", "under Hardware Hash"),
        ("REASON_TOO_LONG", {"departure_reason": HASH}, "Departure Reason", "a hardware hash", "fewer words"),
        (
            *("HIDDEN_CHARACTER", {"registration_id": f"{HASH}\u200b"}, "Device ID"),
            *("a hardware hash, with U+200B", "another column"),
        ),
        ("IDENTITY_MISSING", {"serial_number": None}, None, None, "Give the hardware hash"),
        ("PRODUCT_ID_FORMAT", {"windows_product_id": "33051"}, None, "33051", "13 digits"),
        ("MODEL_MISMATCH", {"model": "B\u00c3\u00bcro-PC"}, None, "B\u00c3\u00bcro-PC", "another"),
        ("HIDDEN_CHARACTER", {"model": "B\u0081ro"}, "Device model", "B␦ro, with U+0081", "one encoding"),
        ("HIDDEN_CHARACTER", {"serial_number": "A1\nB2"}, "Device Serial Number", "A1␦B2, with U+000A", "Type"),
        ("HIDDEN_CHARACTER", {"other_cells": "x\ny\u200b"}, "another column", "***, with U+200B", "Type"),
        ("SPREADSHEET_DAMAGE", {"model": "#N/A"}, "Device model", "#N/A", "as text"),
        ("SPREADSHEET_DAMAGE", {"serial_number": "1E+05"}, "Device Serial Number", "1E+05", "as text"),
        ("TUPLE_PLACEHOLDER", {"manufacturer": "HP", "model": "TBD"}, "Device model", "TBD", "report"),
        ("COLUMNS_SHIFTED", {"serial_number": "LENOVO"}, "Device Serial Number", "LENOVO", "under the columns"),
    ],
)  # fmt: skip
def test_the_remedy_fits_the_cause(code, cells, field, seen, told_to):
    told = found(code, **cells).row(0, named=True)
    assert told["found"] == seen
    assert field in {None, told["field"]}
    assert told_to in told["remedy"]


def test_beside_a_hash_nobody_is_told_to_send_another_serial():
    assert "send the real one" not in found("SERIAL_PLACEHOLDER").row(0, named=True)["remedy"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Lenovo", "LENOVO"), ("Lenvo", "LENOVO"), ("Dell, Inc", "Dell Inc."), ("hp inc", "HP"), ("Nobody", None)],
)
def test_the_nearest_manufacturer_is_named(written, meant):
    told = found("MANUFACTURER_SPELLING", manufacturer=written).row(0, named=True)
    assert told["expected"] == (f"{meant}; did you mean that?" if meant else CATALOGUE[told["code"]].expected)
    assert meant is None or found("MANUFACTURER_SPELLING", manufacturer=written)["found"][0] == written


def test_the_operator_s_list_says_what_is_meant():
    spellings = known_spellings(pl.DataFrame({"manufacturer": ["Novo Systems"], "alias": ["Novo"]}))
    rows = pl.DataFrame([ROW | {"reasons": ["MANUFACTURER_SPELLING"], "manufacturer": "Novo System"}], strict=False)
    told = findings(rows.with_columns(warnings=pl.lit([], pl.List(pl.String))), spellings=spellings)
    assert told["expected"][0].startswith("Novo Systems;")
