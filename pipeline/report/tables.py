"""CSV that people open: comma, UTF-8 with byte order mark, CRLF, every cell quoted, nothing that a spreadsheet runs."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from pipeline import arrays
from pipeline.ingest.secrets import MASK

MOST_ROWS = 250_000
"""Rows of one file; what has more goes on in numbered ones. A spreadsheet opens so many in some seconds."""

FORMULA = r"(?s)(^|[;\t\r\n])[ \t\r\n\x{a0}\"']*[=+\-@]."
"""Text that a spreadsheet takes for a formula, also one that separates fields by another character than we do: to it
our quotation marks in the middle of what it takes for a field protect nothing."""

_FORMULA_BEGINS = r"""(^|[;\t\r\n])([ \t\r\n\x{a0}"']*[=+\-@])"""
_BYTE_ORDER_MARK, _LINE_END = "\ufeff", "\r\n"


def is_danger(cell: pl.Expr) -> pl.Expr:
    """Whether a spreadsheet would run a cell, or it held a product key."""
    return cell.str.contains(FORMULA) | cell.str.contains(MASK, literal=True)


def safe(text: pl.Expr) -> pl.Expr:
    """Text that no spreadsheet takes for a formula: an apostrophe stands before what would begin one."""
    return text.str.replace_all(_FORMULA_BEGINS, "${1}'${2}")


def place(file: str = "source_file", line: str = "source_line") -> pl.Expr:
    """Where a row stands, as `FILE:LINE`, the way that files for people tell it."""
    return safe(pl.format("{}:{}", file, line))


def lines(cells: Iterable[pl.Expr], behind: pl.Expr | None = None) -> pl.Expr:
    """CSV lines of some cells, each with its end; null is empty. `behind` lists cells that have no column."""
    fields = pl.concat_str([_inside_quotes(cell) for cell in cells], separator='","')
    if behind is None:
        return pl.concat_str(pl.lit('"'), fields, pl.lit(f'"{_LINE_END}'))
    more = behind.list.eval(pl.concat_str(pl.lit(',"'), _inside_quotes(pl.element()), pl.lit('"')))
    return pl.concat_str(pl.lit('"'), fields, pl.lit('"'), more.list.join("").fill_null(""), pl.lit(_LINE_END))


def titles(columns: Iterable[str]) -> str:
    """How a file begins."""
    quoted = ('"' + title.replace('"', '""') + '"' for title in columns)
    return _BYTE_ORDER_MARK + ",".join(quoted) + _LINE_END


def _inside_quotes(cell: pl.Expr) -> pl.Expr:
    return cell.cast(pl.String).fill_null("").str.replace_all('"', '""', literal=True)


class Table:
    """One CSV of one partner, written bit by bit."""

    def __init__(self, folder: Path, name: str, columns: Sequence[str]) -> None:
        """Begin it; its rows may come, or not.

        Args:
            folder: the partner's.
            name: of the file, without its ending.
            columns: their titles.
        """
        self._folder, self._name = folder, name
        self._titles = titles(columns)
        self._number, self._in_file = 0, 0
        self.rows = 0
        self._begin()

    @property
    def name(self) -> str:
        """Of the file, or of the first of several."""
        return f"{self._name}-00001.csv" if self._number else f"{self._name}.csv"

    @property
    def path(self) -> Path:
        """The file that is written, the last of several."""
        number = f"-{self._number:05d}" if self._number else ""
        return self._folder / f"{self._name}{number}.csv"

    def _begin(self) -> None:
        self._in_file = 0
        self.path.write_text(self._titles, encoding="utf-8", newline="")

    def write(self, rows: pl.Series) -> None:
        """Add rows, as `lines` makes them."""
        while len(rows):
            if self._in_file == MOST_ROWS:
                self._go_on()
            part, rows = rows.head(MOST_ROWS - self._in_file), rows.slice(MOST_ROWS - self._in_file)
            with self.path.open("ab") as file:
                file.write(arrays.text_of(part))
            self._in_file += len(part)
            self.rows += len(part)

    def _go_on(self) -> None:
        """The next file; the first has its number from now on."""
        begun, self._number = self.path, max(1, self._number)
        if begun != self.path:
            begun.rename(self.path)
        self._number += 1
        self._begin()
