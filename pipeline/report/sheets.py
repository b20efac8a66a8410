"""Cells of a sheet and notes on them as the text that a workbook's parts hold, all rows at once.

A writer of workbooks takes some ten microseconds a cell and a hundred a note. So it makes the workbook around one row,
whose second cell has a note, and `fill` puts all rows in the place of that one.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from html import escape
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import polars as pl

NOTE = "note"
"""What the note of the row says in whose place others are put."""

_SHEET, _NOTES, _SHAPES = "xl/worksheets/sheet1.xml", "xl/comments1.xml", "xl/drawings/vmlDrawing1.vml"
_ROW, _NOTE, _SHAPE = '<row r="2".*?</row>', "<comment .*?</comment>", "<v:shape .*?</v:shape>"

_AT_ONCE = 1_000
"""Rows whose text is made at once: with a hardware hash each it is some megabytes."""

_COMPRESSION = 1
"""Lowest: the usual one takes three times as long for files that are a third smaller."""

_LARGE = 1 << 29
"""Bytes of cells from which the sheet's text may not fit the sizes of an old archive."""

_LETTERS = 26
_IDS = 1_024
"""Ids of shapes in one block, each of which a drawing has to claim; the first block stays free."""

_CONTROLS = [chr(code) for code in (*range(9), *range(0x0B, 0x20), 0xFFFE, 0xFFFF)]
_REWRITTEN: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "_x": lambda cell: cell.str.replace_all(r"(_x[0-9a-fA-F]{4}_)", "_x005F${1}"),
    "&": lambda cell: cell.str.replace_all("&", "&amp;", literal=True),
    "<": lambda cell: cell.str.replace_all("<", "&lt;", literal=True),
    ">": lambda cell: cell.str.replace_all(">", "&gt;", literal=True),
    r"[\x00-\x08\x0b-\x1f\x{fffe}\x{ffff}]": lambda cell: cell.str.replace_many(
        _CONTROLS, [f"_x{ord(sign):04X}_" for sign in _CONTROLS]
    ),
}
"""What the text of a part cannot hold as it is, in order, and how it is written: signs of its own, and what is spelled
as `_xHHHH_`."""


def fill(book: bytes, made: Path | BinaryIO, rows: pl.DataFrame, marks: pl.DataFrame, notes: dict[str, str]) -> None:
    """Write a workbook with rows in the place of the second row of its first sheet.

    Args:
        book: the workbook. Its cell A2 has the form of the cells; B2 that of wrong ones, and a note where there are
            marks.
        made: where it goes.
        rows: one column a column, as text; an empty one has no cell unless it is marked.
        marks: one row a wrong cell, in order: positions of `row` and `column`, and why, a `meaning`.
        notes: what is said beside the wrong cells, by meaning.
    """
    with (
        zipfile.ZipFile(BytesIO(book)) as given,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION) as filled,
    ):
        for name in given.namelist():
            text = given.read(name).decode("utf-8")
            told: Iterator[str] = iter([text])
            if name == _SHEET:
                told = _sheet(text, rows, marks)
            elif name == _NOTES:
                told = _repeated(_NOTE, text, marks, lambda note, some: _noted(note, some, notes))
            elif name == _SHAPES:
                claimed = ",".join(str(block) for block in range(1, marks.height // _IDS + 2))
                text = re.sub(r'(<o:idmap [^>]*data=")1"', rf'\g<1>{claimed}"', text)
                told = _repeated(_SHAPE, text, marks, _shaped)
            with filled.open(name, "w", force_zip64=rows.estimated_size() > _LARGE) as part:
                for some in told:
                    part.write(some.encode("utf-8"))


def _parts(pattern: str, text: str) -> tuple[str, str, str]:
    """What stands before, at and behind a pattern."""
    found = re.search(pattern, text, re.DOTALL)
    if found is None:
        message = f"no {pattern} in a part of a workbook"
        raise ValueError(message)
    return text[: found.start()], found[0], text[found.end() :]


def _sheet(text: str, rows: pl.DataFrame, marks: pl.DataFrame) -> Iterator[str]:
    before, row, behind = _parts(_ROW, text)
    usual, wrong = re.findall(r' s="(\d+)"', row)[:2]
    yield re.sub(r'(<dimension ref="[A-Z]+1:[A-Z]+)\d+"', rf'\g<1>{rows.height + 1}"', before)
    marked = {column: own["row"] for (column,), own in marks.group_by("column")}
    numbered = rows.with_row_index("at")
    styled = [
        _cell(told, _letters(at), usual, wrong, pl.col("at").is_in(marked[at].implode()) if at in marked else None)
        for at, told in enumerate(_told(rows))
    ]
    line = pl.concat_str(pl.lit('<row r="'), pl.col("at") + 2, pl.lit('">'), *styled, pl.lit("</row>"))
    for first in range(0, rows.height, _AT_ONCE):
        yield numbered.slice(first, _AT_ONCE).select(line.str.join("")).item()
    yield behind


def _cell(told: pl.Expr, letters: str, usual: str, wrong: str, is_wrong: pl.Expr | None) -> pl.Expr:
    """A cell, or nothing."""
    at = pl.col("at") + 2

    def written(style: str) -> pl.Expr:
        form = f'" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
        return pl.concat_str(pl.lit(f'<c r="{letters}'), at, pl.lit(form), told, pl.lit("</t></is></c>"))

    plain = pl.when(told != "").then(written(usual)).otherwise(pl.lit(""))
    if is_wrong is None:
        return plain
    blank = pl.concat_str(pl.lit(f'<c r="{letters}'), at, pl.lit(f'" s="{wrong}"/>'))
    return pl.when(is_wrong).then(pl.when(told != "").then(written(wrong)).otherwise(blank)).otherwise(plain)


def _told(rows: pl.DataFrame) -> list[pl.Expr]:
    """Each column's cells as the text of a part; what few have is looked for in all first."""
    told = [pl.col(name) for name in rows.columns]
    for pattern, rewritten in _REWRITTEN.items():
        has_any = rows.select(pl.all().str.contains(pattern).any()).row(0)
        told = [rewritten(cell) if has else cell for cell, has in zip(told, has_any, strict=True)]
    return told


def _repeated(
    pattern: str, text: str, marks: pl.DataFrame, made: Callable[[str, pl.DataFrame], pl.Expr]
) -> Iterator[str]:
    """A part with what is made of each mark in the place of what a pattern finds."""
    before, one, behind = _parts(pattern, text)
    yield before
    numbered = marks.with_row_index("at")
    for first in range(0, marks.height, _AT_ONCE):
        yield numbered.slice(first, _AT_ONCE).select(made(one, marks).str.join("")).item()
    yield behind


def _noted(note: str, marks: pl.DataFrame, notes: dict[str, str]) -> pl.Expr:
    before, between, behind = re.split(rf'(?<= ref=")B2(?=")|(?<=>){NOTE}(?=<)', note)
    letters = {column: _letters(column) for column in marks["column"].unique()}
    told = {key: escape(notes[key], quote=False) for key in marks["meaning"].unique()}
    return pl.concat_str(
        pl.lit(before),
        pl.col("column").replace_strict(letters, return_dtype=pl.String),
        pl.col("row").cast(pl.Int64) + 2,
        pl.lit(between),
        pl.col("meaning").replace_strict(told, return_dtype=pl.String),
        pl.lit(behind),
    )


def _shaped(shape: str, _marks: pl.DataFrame) -> pl.Expr:
    """The frame of a note, beside its cell: columns and rows that it spans, each with a distance."""
    parts = re.split(r"(?<=_s)\d+|(?<=z-index:)\d+|(?<=<x:Anchor>)[^<]+|(?<=<x:Row>)\d+|(?<=<x:Column>)\d+", shape)
    row, column = pl.col("row").cast(pl.Int64) + 1, pl.col("column").cast(pl.Int64)
    place = pl.format("{}, 15, {}, 10, {}, 143, {}, 4", column + 1, row - 1, column + 1, row + 3)
    values = (pl.col("at") + _IDS + 1, pl.col("at") + 1, place, row, column)
    between = [one for part, value in zip(parts[:-1], values, strict=True) for one in (pl.lit(part), value)]
    return pl.concat_str(*between, pl.lit(parts[-1]))


def _letters(column: int) -> str:
    """What a column is called, by its position."""
    above, own = divmod(column, _LETTERS)
    return (_letters(above - 1) if above else "") + chr(ord("A") + own)
