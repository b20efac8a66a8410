"""Workbooks of rows to correct: every cell text, the wrong ones marked, and a sheet that explains."""

import csv
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipeline.ingest.lines import RECORD_LIMIT
from schemas.reasons import CATALOGUE

if TYPE_CHECKING:
    from xlsxwriter import Workbook

MOST_IN_WORKBOOK = 10_000
"""Rows of a workbook: with more of them nobody corrects them one by one, and writing takes a second for some."""

LONGEST_CELL = 32_767
"""Characters that a cell of a workbook can hold."""

MARK_TYPES = {"row": pl.UInt32(), "column": pl.UInt16(), "code": pl.String()}
"""Columns of the marks of wrong cells: positions of row and column, and why."""

_WIDTHS = {"What is wrong": 60, "What to do": 60, "Reason": 30, "From": 40, "Tenant ID": 38}
_USUAL_WIDTH = 24
_MOST_BEHIND = 20
"""Columns behind the last title that are text as well."""

_NO_MARKS: dict[int, str] = {}
_COMMENTS = {code: f"{reason.sentence} {reason.remedy}" for code, reason in CATALOGUE.items()}
_HOW = (
    "Correct the cells that are marked on the first sheet, and deliver this workbook as it is.",
    "What is right then is registered; all else is refused again, and told anew. A row may be left out.",
    "All cells are text, so that no zero in front and no digit is lost. Leave the titles as they are.",
    "Leave what stands in the last titled column: it says which row of which file is corrected.",
    "What could not be cut into cells stands behind that column: put each value where it belongs, and empty these.",
)


def write_workbook(source: Path, made: Path, marks: pl.DataFrame, as_of: datetime) -> int:
    """Write the workbook of what a CSV of rows to correct holds, but rows with a cell that is too long for one.

    Args:
        source: the CSV.
        made: the workbook.
        marks: one row a wrong cell, with the columns of `MARK_TYPES`.
        as_of: the moment it bears as its own.

    Returns:
        How many rows it has.
    """
    from xlsxwriter import Workbook  # noqa: PLC0415 - only a run has a use for it
    from xlsxwriter.exceptions import FileCreateError  # noqa: PLC0415

    options = {"constant_memory": True, "tmpdir": str(made.parent), "use_zip64": True}
    usual = csv.field_size_limit(RECORD_LIMIT)  # the longest record is one field, where it could not be cut
    try:
        with Workbook(str(made), options) as book, source.open(encoding="utf-8-sig", newline="") as file:
            book.set_properties({"created": as_of.replace(tzinfo=None)})
            reader = csv.reader(file)
            written = _write_rows(book, next(reader), reader, _by_row(marks))
            _explain(book, marks["code"].unique().to_list())
    except FileCreateError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error  # a full disk is told as such
        raise
    finally:
        csv.field_size_limit(usual)
    return written


@lru_cache(maxsize=8)
def empty_workbook(titles: tuple[str, ...], as_of: datetime) -> bytes:
    """The workbook of a CSV without rows. Every partner has some, so it is made once for all: it costs as many rows."""
    from xlsxwriter import Workbook  # noqa: PLC0415 - only a run has a use for it

    made = BytesIO()
    with Workbook(made, {"in_memory": True}) as book:
        book.set_properties({"created": as_of.replace(tzinfo=None)})
        _write_rows(book, list(titles), [], {})
        _explain(book, [])
    return made.getvalue()


def _by_row(marks: pl.DataFrame) -> dict[int, dict[int, str]]:
    """By row and column why the cell is wrong, the first reason of several."""
    found: dict[int, dict[int, str]] = {}
    for row, column, code in marks.iter_rows():
        found.setdefault(row, {}).setdefault(column, code)
    return found


def _write_rows(
    book: "Workbook", titles: list[str], rows: Iterable[list[str]], marks: dict[int, dict[int, str]]
) -> int:
    text = book.add_format({"num_format": "@"})
    wrong = book.add_format({"num_format": "@", "bg_color": "#FFC7CE", "font_color": "#9C0006"})
    title = book.add_format({"num_format": "@", "bold": True, "bottom": 1})
    sheet = book.add_worksheet("To correct")
    sheet.set_column(0, len(titles) + _MOST_BEHIND, _USUAL_WIDTH, text)
    for column, name in enumerate(titles):
        sheet.set_column(column, column, _WIDTHS.get(name, _USUAL_WIDTH), text)
        sheet.write_string(0, column, name, title)
    sheet.freeze_panes(1, 0)
    written = 0
    for number, cells in enumerate(rows):
        if max(map(len, cells)) > LONGEST_CELL:
            continue
        written += 1
        here = marks.get(number, _NO_MARKS)
        for column, cell in enumerate(cells):
            if column in here:
                if cell:
                    sheet.write_string(written, column, cell, wrong)
                else:
                    sheet.write_blank(written, column, None, wrong)
                sheet.write_comment(written, column, _COMMENTS[here[column]])
            elif cell:
                sheet.write_string(written, column, cell, text)
    return written


def _explain(book: "Workbook", codes: list[str]) -> None:
    """The second sheet, which names no column, so that nobody takes it for a manifest."""
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet = book.add_worksheet("Explanations")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 3, 60)
    for row, line in enumerate(_HOW):
        sheet.write_string(row, 0, line)
    first = len(_HOW) + 1
    for column, name in enumerate(("Reason", "What is wrong", "What to do", "Who must act")):
        sheet.write_string(first, column, name, bold)
    for row, code in enumerate((code for code in CATALOGUE if code in set(codes)), first + 1):
        reason = CATALOGUE[code]
        for column, text in enumerate((code, reason.sentence, reason.remedy, reason.owner.value)):
            sheet.write_string(row, column, text, wrapped)
