import polars as pl
import pytest

from pipeline.check import CheckConfig, check
from pipeline.config import RunConfig
from pipeline.flow import run
from pipeline.lab.synthesize.capture import capture
from tests.conftest import AS_OF, OTHER_TENANT, TENANT, Notices
from tests.workbooks import row, write_workbook

KEY = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"
HEADER = "Device Serial Number,Windows Product ID,Hardware Hash,Manufacturer name,Device model"
DOCUMENTED = (
    "Device Serial Number,Windows Product ID,Hardware Hash; or the same and Group Tag,Assigned User; or the same and "
    "Manufacturer name,Device model"
)


def told(tmp_path, content, code, name="a.csv", reference=None):
    """Line, column, found, expected and remedy of the findings of one code."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = check(CheckConfig({name: path}, "contoso", TENANT, reference, None, AS_OF, 128)).findings
    assert KEY not in str(found.to_dicts())
    assert "BBBBB" not in str(found.to_dicts())
    return found.filter(code=code).select("source_line", "field", "found", "expected", "remedy").rows()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Seriel No,Hadware Hsh", 'nearest known names: Device Serial Number for "Seriel No", Hardware Hash for "Had'),
        ("Serial Number;Device model", 'Serial Number, Device model; nearest known names: Device Serial Number for "S'),
        (
            "Seriennummer\tHersteller",
            'Seriennummer, Hersteller; nearest known names: Device Serial Number for "Serienn',
        ),
        ("Nome,Cognome", "Nome, Cognome"),
        ("5CG1234ABC,3305123456789,jane@x.org,ABCDEFGH", "5C***BC, 33***89, ***, AB***GH"),
        (f"Seriel No,{KEY}", "Seriel No, a product key; nearest"),
        (f"Devices of March\n\nSeriel No,{KEY} (key)", "Seriel No, a product key; nearest"),
        ("x" * 990 + "," + KEY, "…"),
    ],
)
def test_a_refused_header_shows_the_line_found_and_the_nearest_names(tmp_path, line, found):
    rows = told(tmp_path, line + "\nA1,B1\n", "FILE_HEADER_UNKNOWN")
    assert len(rows) == 1 + len(line.replace("\n\n", "\n").split("\n"))
    assert all(found in row[2] for row in rows)
    assert {row[3] for row in rows} == {DOCUMENTED}


def test_no_hash_of_a_line_without_header_is_shown(tmp_path, factory):
    whole = capture(factory.device())
    (row,) = told(tmp_path, f"5CG1234ABC,{whole},HP\n", "FILE_HEADER_UNKNOWN")
    assert row[2] == "5C***BC, a hardware hash"


def test_a_row_before_the_header_is_named_as_such(tmp_path):
    (row,) = told(tmp_path, f"A1,3305123456789,,HP,M\n{HEADER}\nA1,3305123456789,,HP,M\n", "FILE_HEADER_UNKNOWN")
    assert (row[0], row[2], row[4][:29]) == (
        1,
        "a line before the header that may be a row",
        "Put the row below the header,",
    )


COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("content", "found", "remedy"),
    [
        (b"PK\x03\x04\x14\n\x01\x02,\nx\n", "an Excel workbook", "its own ending, .xlsx"),
        (b"\r\n<!DOCTYPE html>\r\n<p>Sign in\r\n", "a web page", "download the list itself"),
        ("<html>\n<table>\n".encode("utf-16"), "a web page", "download the list itself"),
        (b"<?xml version='1.0'?>\n<a/>\n", "an XML document", "save it as CSV"),
        (COMPOUND, "an old or encrypted Excel workbook", "without a password"),
        (COMPOUND + "EncryptedPackage".encode("utf-16-le"), "an old or encrypted Excel workbook", "without a password"),
    ],
)
def test_what_goes_by_a_wrong_name_is_one_row_that_says_so(tmp_path, content, found, remedy):
    (row,) = told(tmp_path, content, "FILE_HEADER_UNKNOWN")
    assert row[0] == 1
    assert found in row[2]
    assert remedy in row[4]


@pytest.mark.parametrize(
    ("content", "found", "remedy"),
    [
        (COMPOUND + "EncryptedPackage".encode("utf-16-le"), "a workbook with a password", "without its password"),
        (COMPOUND, "a workbook of the old form, .xls", "save it as .xlsx"),
        (b"PK\x03\x04", None, "if it is a workbook, save it"),
    ],
)
def test_a_workbook_that_cannot_be_read_has_a_remedy_of_its_own(tmp_path, content, found, remedy):
    (row,) = told(tmp_path, content, "FILE_UNREADABLE", "a.xlsx")
    assert row[:3] == (0, None, found)
    assert remedy in row[4]


@pytest.mark.parametrize(
    ("name", "field", "meaning"),
    [
        ("Grup Tag", "Grup Tag", "Group Tag for Grup Tag"),
        ("Hardware Hash (new)", "Hardware Hash (new)", "Hardware Hash for Hardware Hash (new)"),
        (f"Grup Tag,{KEY},Tenent ID", "Grup Tag, Tenent ID", "Group Tag for Grup Tag, Tenant ID for Tenent ID"),
    ],
)
def test_an_unclear_name_is_told_with_what_it_may_mean(tmp_path, name, field, meaning):
    cells = ",x" * len(name.split(","))
    rows = told(tmp_path, f"PKID,{name}\n3303123456789{cells}\n3303123456789{cells},y\n", "COLUMN_UNCLEAR")
    assert [row[:2] for row in rows] == [(2, field), (3, field)]
    assert {row[3] for row in rows} == {meaning}
    assert all(f'"{field.split(",")[0]}"' in row[4] for row in rows)


@pytest.fixture
def reference(world):
    return world.home / "reference"


OWN, OTHERS, NOBODYS = TENANT.upper(), OTHER_TENANT, "99999999-9999-4999-8999-999999999999"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("A1,,,HP,840 G8,HASH,", "a hardware hash"),
        ("A1,,,HP,840 G8,see HASH below,", "a hardware hash"),
        (f"A1,,,HP,840 G8,{OTHERS},", "another customer's tenant ID"),
        (f"A1,3305123456789,,,,for {OTHERS.upper()},", "another customer's tenant ID"),
        (f"A1,,,HP,840 G8,{OWN},", None),
        (f"A1,,,HP,840 G8,{NOBODYS},", None),
        ("A1,,,HP,840 G8,3305123456789,", "13 digits that no other row has"),
        ("A1,,,HP,840 G8,no 3305123456789!,", "13 digits that no other row has"),
        ("A1,3305123456789,,,,3305123456780,", None),  # the row has a product ID
        ("A1,,HASH,,,3305123456780,", None),  # or a hash
        ("A1,,,HP,840 G8,33051234567890,", None),  # 14 digits
        ("A1,,,HP,840 G8,1234500000000,", None),  # another row has it
    ],
)
def test_what_a_column_that_is_not_read_holds_makes_a_row_unclear(tmp_path, factory, reference, line, found):
    line = line.replace("HASH", capture(factory.device()))
    text = f"{HEADER},Asset,Order\nB1,,,HP,840 G8,1234500000000,x\nB2,,,HP,840 G8,1234500000000,y\n{line}\n"
    rows = told(tmp_path, text, "COLUMN_UNCLEAR", reference=reference)
    assert [row[:3] for row in rows] == ([(4, "Asset", found)] if found else [])


def test_a_run_s_pages_show_it_too(world):
    world.put(f"contoso/{TENANT}/a.csv", b"Seriel No,Hadware Hsh\nA1,x\n")
    world.put(f"contoso/{TENANT}/b.csv", b"PKID,Grup Tag\n3303123456789,x\n")
    page = (world.run().result.folder / "report" / "contoso" / "index.html").read_text()
    assert "nearest known names: Device Serial Number for" in page
    assert "Group Tag for Grup Tag" in page


def test_a_sheet_that_is_passed_over_is_named_once(world):
    path = world.put(f"contoso/{TENANT}/a.xlsx", b"")
    header = row(1, *HEADER.split(","))
    write_workbook(path, {"Devices": header + row(2, "5CG1234ABC", "", "", "HP", "840 G8"), "Notes": row(1, "x")})
    listener, name = Notices(), f"contoso/{TENANT}/a.xlsx#Notes"
    for number in range(2):
        config = RunConfig.beside(world.inbox, as_of=AS_OF, run_id=f"night-{number}")
        folder = run(config, listener).folder
        files = pl.read_parquet(folder / "files.parquet").filter(pl.col("source_file") == name)
        told = (["FILE_HEADER_UNKNOWN"], "empty", 0) if number == 0 else ([], "already_processed", 0)
        assert files.select("findings", "disposition", "rows_read").rows() == [told]
        assert number or "FILE_HEADER_UNKNOWN" in (folder / "report" / "contoso" / "index.html").read_text()
    assert sum(name in notice for notice in listener.told) == 1
