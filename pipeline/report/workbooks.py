"""Workbooks of rows to correct: every cell text, the wrong ones marked, and a sheet that explains."""

import csv
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipeline.ingest.lines import RECORD_LIMIT
from pipeline.report.sheets import NOTE, fill
from pipeline.report.tables import titles
from schemas.reasons import MEANINGS

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MOST_IN_WORKBOOK = 10_000
"""Rows of a workbook: with more of them nobody corrects them one by one, and writing takes a second for some."""

LONGEST_CELL = 32_767
"""Characters that a cell of a workbook can hold."""

MARK_TYPES = {"row": pl.UInt32(), "column": pl.UInt16(), "meaning": pl.String()}
"""Columns of the marks of wrong cells: positions of row and column, and what is said of it."""

_WIDTHS = {"What is wrong": 60, "What to do": 60, "Reason": 30, "From": 40, "Tenant ID": 38}
_USUAL_WIDTH = 24
_MOST_BEHIND = 20
"""Columns behind the last title that are text as well."""

_COMMENTS = {key: f"{reason.sentence} {reason.remedy}" for key, reason in MEANINGS.items()}
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
    given, rows = _read(source)
    is_short = pl.all_horizontal(pl.all().str.len_chars() <= LONGEST_CELL)
    is_kept = rows.select(is_short).to_series()
    rows = rows.filter(is_kept)
    kept = pl.DataFrame({"row": is_kept.arg_true()}).with_row_index("place")
    marks = marks.unique(["row", "column"], keep="first", maintain_order=True)
    placed = marks.join(kept, on="row", how="inner", validate="m:1").sort("place", "column")
    placed = placed.select("column", "meaning", row="place")
    meant = tuple(sorted(placed["meaning"].unique()))
    fill(_around(tuple(given), meant, as_of), made, rows, placed, _COMMENTS)
    return rows.height


def _read(source: Path) -> tuple[list[str], pl.DataFrame]:
    """Titles and cells of a CSV; cells behind the last title have columns without one."""
    usual = csv.field_size_limit(RECORD_LIMIT)  # the longest record is one field, where it could not be cut
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            given = next(reader)
            begin, usual_width = len(titles(given).encode()), len(given) + _MOST_BEHIND
            numbered = ",".join(map(str, range(usual_width))).encode() + b"\n"
            try:
                rows = pl.read_csv(numbered + source.read_bytes()[begin:], infer_schema=False)
            except pl.exceptions.ComputeError:  # some line has still more cells
                columns = zip_longest(*zip_longest(*reader, fillvalue=""), fillvalue="")
                rows = pl.DataFrame(list(columns), orient="row")
    finally:
        csv.field_size_limit(usual)
    rows = rows.rename({name: str(at) for at, name in enumerate(rows.columns)})
    is_used = [at < len(given) or rows[:, at].null_count() < rows.height for at in range(rows.width)]
    return given, rows.select(name for name, used in zip(rows.columns, is_used, strict=True) if used).fill_null("")


@lru_cache(maxsize=8)
def empty_workbook(titles: tuple[str, ...], as_of: datetime) -> bytes:
    """The workbook of a CSV without rows. Every partner has some, so it is made once for all."""
    made = BytesIO()
    nothing = pl.DataFrame(schema=dict.fromkeys(map(str, range(len(titles))), pl.String))
    fill(_around(titles, (), as_of), made, nothing, pl.DataFrame(schema=MARK_TYPES), _COMMENTS)
    return made.getvalue()


@lru_cache(maxsize=32)
def _around(titles: tuple[str, ...], meant: tuple[str, ...], as_of: datetime) -> bytes:
    """All of a workbook but its rows: in their place one, as `pipeline.report.sheets.fill` asks for it.

    It costs as much as 500 rows, and partners who have the same columns and reasons share it.
    """
    from xlsxwriter import Workbook  # noqa: PLC0415 - only a run has a use for it

    made = BytesIO()
    with Workbook(made, {"in_memory": True}) as book:
        book.set_properties({"created": as_of.replace(tzinfo=None)})
        text = book.add_format({"num_format": "@"})
        _stand_in(book, _begin(book, titles, text), text, is_marked=bool(meant))
        _explain(book, meant)
    return made.getvalue()


def _begin(book: "Workbook", titles: tuple[str, ...], text: "Format") -> "Worksheet":
    """The first sheet with its titles."""
    title = book.add_format({"num_format": "@", "bold": True, "bottom": 1})
    sheet = book.add_worksheet("To correct")
    sheet.set_column(0, len(titles) + _MOST_BEHIND, _USUAL_WIDTH, text)
    for column, name in enumerate(titles):
        sheet.set_column(column, column, _WIDTHS.get(name, _USUAL_WIDTH), text)
        sheet.write_string(0, column, name, title)
    sheet.freeze_panes(1, 0)
    return sheet


def _stand_in(book: "Workbook", sheet: "Worksheet", text: "Format", *, is_marked: bool) -> None:
    """The row in whose place all others are put."""
    wrong = book.add_format({"num_format": "@", "bg_color": "#FFC7CE", "font_color": "#9C0006"})
    sheet.write_blank(1, 0, None, text)
    sheet.write_blank(1, 1, None, wrong)
    if is_marked:
        sheet.write_comment(1, 1, NOTE)


def _explain(book: "Workbook", meant: tuple[str, ...]) -> None:
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
    for row, key in enumerate((key for key in MEANINGS if key in set(meant)), first + 1):
        reason = MEANINGS[key]
        for column, text in enumerate((reason.code, reason.sentence, reason.remedy, reason.owner.value)):
            sheet.write_string(row, column, text, wrapped)
