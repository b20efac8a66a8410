import polars as pl
import pytest

from pipeline.config import FILE_LIMIT
from pipeline.ingest import Forms, Manifest, begin_reading, file_read, ingest, with_sheets
from tests.workbooks import day, error, formula, number, row, text, truth, write_workbook

HEADER = row(1, "Device Serial Number", "Windows Product ID", "Hardware Hash", "Manufacturer name", "Device model")


def read(path):
    """By sheet, its codes and its rows."""
    found = {}
    for manifest in with_sheets([Manifest(path, path.name, "contoso", None)], lambda _: ()):
        reading = begin_reading(manifest, FILE_LIMIT)
        batches = list(ingest([reading], Forms()))
        found[manifest.source_file] = file_read([reading]), pl.concat(batches) if batches else None
    return found


def rows_of(tmp_path, *rows):
    write_workbook(tmp_path / "a.xlsx", {"S": HEADER + "".join(rows)})
    return read(tmp_path / "a.xlsx")["a.xlsx#S"][1]


def test_each_sheet_is_a_file_of_its_own_and_hidden_ones_are_read(tmp_path):
    sheets = {"Order 1": HEADER + row(4, "A1", "", "", "HP", "M"), "2": HEADER + row(2, "B1", "", "", "HP", "M")}
    write_workbook(tmp_path / "a.xlsx", sheets, hidden=("2",))
    seen = {
        name: rows.select("source_line", "serial_number").rows()
        for name, (_, rows) in read(tmp_path / "a.xlsx").items()
    }
    assert seen == {"a.xlsx#2": [(2, "B1")], "a.xlsx#Order 1": [(4, "A1")]}


@pytest.mark.parametrize(
    ("cell", "value", "spoilt"),
    [
        (text("0012345"), "0012345", None),
        (formula("5CD1"), "5CD1", None),
        (number("123456789012"), "123456789012", "serial_number"),
        (number("1.23E+17"), "123000000000000000", "serial_number"),
        (number("1.5"), "1.5", "serial_number"),
        (truth(value=True), "TRUE", "serial_number"),
        (day(45_000), "2023-03-15", "serial_number"),
        (error("#N/A"), "#N/A", "serial_number"),
        (text("A\tB"), "A\tB", None),
        (text('A"B'), 'A"B', None),
        (text("A\nB"), "A\vB", None),
        (text("A1\n"), "A1", None),
    ],
)  # fmt: skip
def test_how_a_serial_number_is_stored(tmp_path, cell, value, spoilt):
    rows = rows_of(tmp_path, row(2, cell, "", "", "HP", "M"))
    assert rows.select("source_line", "serial_number", "spoilt_cells").rows() == [(2, value, spoilt)]


def test_a_product_id_and_a_model_may_be_numbers(tmp_path):
    rows = rows_of(tmp_path, row(2, "A1", number("3303123456789"), "", "HP", number("840")))
    assert rows.select("windows_product_id", "model", "spoilt_cells").rows() == [("3303123456789", "840", None)]


def test_a_sheet_of_one_column(tmp_path):
    write_workbook(tmp_path / "a.xlsx", {"S": row(1, "PKID") + row(2, "3303123456789") + row(3, "a,b")})
    rows = read(tmp_path / "a.xlsx")["a.xlsx#S"][1]
    assert rows.select("source_line", "windows_product_id").rows() == [(2, "3303123456789"), (3, "a,b")]


@pytest.mark.parametrize(("cell", "read_rows"), [("see order", 0), ("3303123456789", 1)])
def test_a_sheet_without_header_beside_one_with_it(tmp_path, cell, read_rows):
    write_workbook(tmp_path / "a.xlsx", {"S": HEADER + row(2, "A1", "", "", "HP", "M"), "Notes": row(1, cell)})
    file, rows = read(tmp_path / "a.xlsx")["a.xlsx#Notes"]
    assert (0 if rows is None else rows.height) == file.rows == read_rows
    assert file.findings() == ["FILE_HEADER_UNKNOWN"]  # told of the file, also where it has no row to tell it of
    assert file.disposition == ("processed" if read_rows else "empty")


def test_a_workbook_without_any_header_is_refused(tmp_path):
    write_workbook(tmp_path / "a.xlsx", {"Notes": row(1, "see order")})
    assert read(tmp_path / "a.xlsx")["a.xlsx#Notes"][0].findings() == ["FILE_HEADER_UNKNOWN"]


@pytest.mark.parametrize(
    "rows",
    [
        row(1, "a") + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="1048576">' + "<c><v>1</v></c>" * 30 + "</row>",
        row(1, "a" * 30_000_000),
    ],
    ids=["wide", "high", "packed"],
)
def test_a_bomb_is_unreadable(tmp_path, rows):
    write_workbook(tmp_path / "a.xlsx", {"S": HEADER + rows})
    assert [file.findings() for file, _ in read(tmp_path / "a.xlsx").values()] == [["FILE_UNREADABLE"]]


@pytest.mark.parametrize(("limit", "most_rows"), [(2_000, 100), (FILE_LIMIT, 3)], ids=["text", "rows"])
def test_a_workbook_beyond_the_limits_is_too_large(tmp_path, limit, most_rows):
    sheets = {"S": HEADER + "".join(row(at, "A1", "", "", "HP", "M") for at in range(2, 7)), "T": HEADER}
    write_workbook(tmp_path / "a.xlsx", sheets)
    for manifest in with_sheets([Manifest(tmp_path / "a.xlsx", "a.xlsx", "contoso", None)], lambda _: ()):
        reading = begin_reading(manifest, limit, most_rows)
        assert list(ingest([reading], Forms())) == []
        assert file_read([reading]).findings() == ["FILE_TOO_LARGE"]
    reading = begin_reading(manifest, FILE_LIMIT, 5)
    assert file_read([reading]).fault is None


def test_a_large_workbook_has_its_sheets_by_name(tmp_path):
    many = "".join(row(at, f"{at:x}" * 300) for at in range(2, 20_000))  # more than what names are looked for in
    write_workbook(tmp_path / "a.xlsx", {"S": many * 3})
    assert [one.sheet for one in with_sheets([Manifest(tmp_path / "a.xlsx", "a", "c", None)], lambda _: ())] == ["S"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"a,b\n"])
def test_what_is_no_workbook_is_unreadable(tmp_path, content):
    (tmp_path / "a.xlsx").write_bytes(content)
    assert [file.findings() for file, _ in read(tmp_path / "a.xlsx").values()] == [["FILE_UNREADABLE"]]
