"""Workbooks whose rows are put in all at once hold what their CSV holds, cell by cell."""

import csv
import re
import zipfile
from xml.etree import ElementTree as ET

import polars as pl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report.workbooks import LONGEST_CELL, MARK_TYPES, write_workbook
from tests.conftest import AS_OF

TITLES = ["A", "B <&>", "", "A"]
ODD = [
    "",
    " x ",
    "&lt;<b>&\"'",
    "_x0041_",
    "\x01\x1f",
    "a\nb",
    "0012",
    "=1+1",
    "ü€😀",
    '"quoted"',
    "_x",
    "1e5",
    "\t",
]


def make(folder, rows, marks=()):
    source, book = folder / "rows.csv", folder / "rows.xlsx"
    with source.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([TITLES, *rows])
    return book, write_workbook(source, book, pl.DataFrame(list(marks), MARK_TYPES, orient="row"), AS_OF)


def cells(book):
    """Rows below the titles, empty cells at their end left out."""
    rows = python_calamine.load_workbook(book).get_sheet_by_index(0).to_python(skip_empty_area=False)
    return [tuple(str(cell) for cell in row) for row in rows[1:]]


def whole(rows, width):
    return [(*row, *[""] * (width - len(row))) for row in rows]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.sampled_from(ODD), min_size=4, max_size=6), min_size=1, max_size=4))
def test_any_cells_are_read_back_as_they_were(tmp_path_factory, rows):
    rows = [[*row[:3], "end", *row[4:]] for row in rows]
    book, written = make(tmp_path_factory.mktemp("any"), rows)
    told = cells(book)
    assert written == len(rows)
    assert whole(told, 6) == whole(rows, 6)


def test_wrong_cells_have_their_form_and_a_note_each_and_other_rows_do_not_move_them(tmp_path):
    rows = [["1", "x", "", "e"], ["2", "y" * (LONGEST_CELL + 1), "", "e"], ["3", "", "z", "e"]]
    marks = [(2, 1, "PRODUCT_ID_FORMAT"), (0, 0, "SERIAL_FORMAT"), (2, 1, "USER_FORMAT"), (1, 1, "USER_FORMAT")]
    book, written = make(tmp_path, rows, marks)
    assert written == 2
    with zipfile.ZipFile(book) as packed:
        parts = {name: packed.read(name).decode() for name in packed.namelist()}
    for name, text in parts.items():
        if name.endswith((".xml", ".vml", ".rels")):
            ET.fromstring(text)  # noqa: S314 - the program's own
    sheet, notes = parts["xl/worksheets/sheet1.xml"], parts["xl/comments1.xml"]
    styles = dict(re.findall(r'<c r="(\w+)" s="(\d+)"', sheet))
    assert styles["A2"] == styles["B3"] != styles["B2"] == styles["C3"]
    assert re.findall(r'<comment ref="(\w+)"', notes) == ["A2", "B3"]
    assert "13 digits" in notes
    assert re.findall(r"<x:Row>(\d+)</x:Row><x:Column>(\d+)<", parts["xl/drawings/vmlDrawing1.vml"]) == [
        ("1", "0"),
        ("2", "1"),
    ]
    assert '<dimension ref="A1:' in sheet


@pytest.mark.parametrize(("rows", "blocks"), [(1023, "1"), (1024, "1,2")])
def test_a_drawing_claims_the_ids_of_its_shapes(tmp_path, rows, blocks):
    book, _ = make(tmp_path, [["x"] * 4] * rows, [(row, 0, "SERIAL_FORMAT") for row in range(rows)])
    with zipfile.ZipFile(book) as packed:
        drawing = packed.read("xl/drawings/vmlDrawing1.vml").decode()
    ids = [int(number) for number in re.findall(r'id="_x0000_s(\d+)"', drawing)]
    assert ids == list(range(1025, 1025 + rows))
    assert f'data="{blocks}"' in drawing


def test_a_workbook_without_rows_has_titles(tmp_path):
    book, written = make(tmp_path, [])
    assert (written, cells(book)) == (0, [])
