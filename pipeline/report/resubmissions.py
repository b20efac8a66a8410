"""Writes the rows that each partner has to correct: as CSV, and as a workbook where they are not too many."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from pipeline.engine import Executor, of_attempt
from pipeline.ingest.layout import Header
from pipeline.report.resubmission import (
    EMPTY_BEHIND,
    OF_A_LINE,
    RESENT_TITLES,
    TO_DO,
    Columns,
    came_from,
    columns_for,
    fits,
    in_columns,
    is_sent_again,
    told,
    why_not,
)
from pipeline.report.tables import Table, lines
from pipeline.report.workbooks import LONGEST_CELL, MARK_TYPES, MOST_IN_WORKBOOK, empty_workbook, write_workbook
from schemas.kinds import KINDS

_YES, _IN_CSV = "yes", "only in the CSV"
_PLACE = ["file_no", "header_no"]
_PLACE_TYPES = {
    "file_no": pl.UInt32(),
    "header_no": pl.UInt32(),
    "book": pl.UInt32(),
    "header": pl.UInt32(),
    "layout": pl.UInt32(),
    "in_workbook": pl.Boolean(),
}
_MARKED_TYPES = {
    "at": pl.UInt32(),
    "marks": pl.List(pl.Struct({"column": MARK_TYPES["column"], "meaning": MARK_TYPES["meaning"]})),
}
_LINE_TYPES = {"at": pl.UInt32(), "book": pl.UInt32(), "line": pl.String(), "in_workbook": pl.Boolean()}


@dataclass(slots=True)
class _Book:
    """Rows of one partner that go into one CSV and one workbook.

    Attributes:
        name: of both files.
        headers: of its rows.
        rows: most that there may be.
        columns: its own.
        table: the CSV, once it is begun.
        marks: of its wrong cells, with the columns of `MARK_TYPES`.
        in_workbook: rows of the workbook, once that is written.
    """

    name: str
    headers: list[Header] = field(default_factory=list)
    rows: int = 0
    columns: Columns = field(default_factory=dict)
    table: Table | None = None
    marks: list[pl.DataFrame] = field(default_factory=list)
    in_workbook: int | None = None

    @property
    def has_workbook(self) -> bool:
        return self.rows <= MOST_IN_WORKBOOK

    def begin(self, folder: Path) -> None:
        self.table = Table(folder, self.name, (*self.columns.values(), *RESENT_TITLES))

    def add(self, rows: pl.DataFrame) -> None:
        """Add lines: one row each, `line` and its `marks`."""
        if self.table is None:
            return
        if self.has_workbook:
            numbered = rows.select("marks", row=pl.int_range(pl.len()) + self.table.rows)
            marks = numbered.explode("marks").drop_nulls("marks").unnest("marks")
            self.marks.append(marks.select(pl.col(name).cast(dtype) for name, dtype in MARK_TYPES.items()))
        self.table.write(rows["line"])

    def marked(self, said: pl.DataFrame) -> pl.DataFrame:
        """Which cells are marked of the rows that the findings are about: `at`, `marks`."""
        places = {title: at for at, title in enumerate(self.columns.values())}
        column = pl.col("field").replace_strict(places, default=len(places))  # else the cell that names the reason
        mark = pl.struct(column.cast(MARK_TYPES["column"]).alias("column"), "meaning")
        return said.group_by("at", maintain_order=True).agg(marks=mark)

    def submit_workbook(self, key: int, as_of: datetime, executor: Executor, place: Path) -> bool:
        """Have the workbook written of what the CSV holds; whether a task was needed."""
        if self.table is None or not self.has_workbook:
            return False
        if not self.table.rows:
            self.table.path.with_suffix(".xlsx").write_bytes(
                empty_workbook((*self.columns.values(), *RESENT_TITLES), as_of)
            )
            self.in_workbook = 0
            return False
        marks = pl.concat([pl.DataFrame(schema=MARK_TYPES), *self.marks])
        executor.submit((key,), _write_workbook, self.table.path, place / f"{self.name}-{key}.xlsx", marks, as_of)
        return True

    def take_workbook(self, path: Path, rows: int) -> None:
        """Put it beside the CSV."""
        if self.table is not None:
            path.rename(self.table.path.with_suffix(".xlsx"))
            self.in_workbook = rows

    def made(self) -> list[tuple[str, int]]:
        """Names of both files, and how many rows they have."""
        if self.table is None:
            return []
        csv = [(self.table.name, self.table.rows)]
        return csv if self.in_workbook is None else [*csv, (f"{self.name}.xlsx", self.in_workbook)]


def _write_workbook(source: Path, made: Path, marks: pl.DataFrame, as_of: datetime) -> tuple[Path, int]:
    """The task of a workbook: where it is, and how many rows it has."""
    made = of_attempt(made)
    return made, write_workbook(source, made, marks, as_of)


class Resubmissions:
    """The rows to correct of every partner."""

    def __init__(self, rows: pl.DataFrame, files: pl.DataFrame, headers: list[list[Header]], as_of: datetime) -> None:
        """Find out which files there will be, and their columns.

        Args:
            rows: one row a decided row: `file_no`, `header_no`, a Boolean column for each code, `is_done`, and those
                that say what codes mean (`pipeline.report.meanings`).
            files: one row a manifest, by position: `partner_id`, `request_kind`.
            headers: header lines of each manifest.
            as_of: the moment that workbooks bear as theirs.
        """
        self._as_of = as_of
        self._headers: list[Header] = []
        self._layouts: list[tuple[str, ...]] = []
        self._books: list[_Book] = []
        self._of: dict[tuple[str, str], dict[bool, int]] = {}
        used = rows.filter(is_sent_again()).drop_nulls("header_no").group_by(_PLACE).agg(rows=pl.len()).sort(_PLACE)
        owners = files[used["file_no"]].select("partner_id", "request_kind").rows()
        found = []
        for (file_no, header_no, count), (partner_id, kind) in zip(used.iter_rows(), owners, strict=True):
            if partner_id is not None:
                # One unclear name makes every row of a file unclear: such rows go apart from others.
                unclear = any(header.unclear for header in headers[file_no])
                book = self._book(partner_id, kind, unclear=unclear)
                self._books[book].headers.append(headers[file_no][header_no])
                self._books[book].rows += count
                found.append((file_no, header_no, book))
        self._name_apart()
        self._places = self._placed(found, headers)

    def _book(self, partner_id: str, kind: str, *, unclear: bool) -> int:
        own = self._of.setdefault((partner_id, kind), {})
        if unclear not in own:
            own[unclear] = len(self._books)
            self._books.append(_Book(KINDS[kind].corrected))
        return own[unclear]

    def _name_apart(self) -> None:
        for (_, kind), own in self._of.items():
            if len(own) > 1:
                self._books[own[True]].name += "-unclear"
            for number in own.values():
                self._books[number].columns = columns_for(KINDS[kind], dict.fromkeys(self._books[number].headers))

    def _placed(self, found: list[tuple[int, int, int]], headers: list[list[Header]]) -> pl.DataFrame:
        """For the headers of which files, with the columns of `_PLACE_TYPES`; those that fit no file lack."""
        header_numbers: dict[Header, int] = {}
        layout_numbers: dict[tuple[str, ...], int] = {}
        placed = []
        for file_no, header_no, number in found:
            book, header = self._books[number], headers[file_no][header_no]
            layout = tuple(book.columns)
            if fits(header, layout):
                own = (
                    header_numbers.setdefault(header, len(header_numbers)),
                    layout_numbers.setdefault(layout, len(layout_numbers)),
                )
                placed.append((file_no, header_no, number, *own, book.has_workbook))
        self._headers, self._layouts = list(header_numbers), list(layout_numbers)
        return pl.DataFrame(placed, _PLACE_TYPES, orient="row")

    def begin(self, partner_id: str, folder: Path) -> None:
        """Begin the files of a partner, which are there if they stay empty."""
        for kind, form in KINDS.items():
            if (partner_id, kind) not in self._of:
                self._books[self._book(partner_id, kind, unclear=False)].columns = columns_for(form, ())
            for number in self._of[partner_id, kind].values():
                self._books[number].begin(folder)

    def lines(self, rejected: pl.DataFrame, said: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
        """Make the lines of rejected rows.

        Args:
            rejected: rows of the rejected set with their staged columns, and those of `__init__`.
            said: their findings, in order: `at`, the position of the row; `code`, `meaning`, `field`, `sentence`,
                `expected`, `remedy`.

        Returns:
            For each row, in order, whether it is among those to correct, or why not, in words; and one row for each
            that is: `book`, `line`, `marks`.
        """
        placed = rejected.with_row_index("at").join(
            self._places, on=_PLACE, how="left", maintain_order="left", validate="m:1"
        )
        own = ("at", "book", "header", "layout", "in_workbook", *OF_A_LINE)
        sent = placed.select(*own, is_sent=is_sent_again() & pl.col("book").is_not_null()).filter("is_sent")
        of_sent = said.join(sent.select("at", "book"), on="at", how="inner", maintain_order="left")
        parts = [self._lines(rows, told(of_sent)) for rows in sent.partition_by("layout", "header")]
        made = pl.concat([pl.DataFrame(schema=_LINE_TYPES), *parts]).sort("at")
        marks = [self._books[book].marked(mine) for (book,), mine in of_sent.group_by("book")]
        marked = made.drop_nulls("line").join(
            pl.concat([pl.DataFrame(schema=_MARKED_TYPES), *marks]), on="at", how="left", maintain_order="left"
        )
        answer = placed.select("at", "book", why=why_not()).join(
            made.select("at", "line", "in_workbook"), on="at", how="left", maintain_order="left", validate="1:1"
        )
        given = pl.when("in_workbook").then(pl.lit(_YES)).otherwise(pl.lit(_IN_CSV))
        is_given = pl.when(pl.col("line").is_not_null()).then(given).otherwise("why")
        return answer.select(in_resubmit=is_given).to_series(), marked.select("book", "line", "marks")

    def add(self, lines: pl.DataFrame) -> None:
        """Take lines, each into its file."""
        for (book,), mine in lines.group_by("book", maintain_order=True):
            self._books[int(str(book))].add(mine)

    def _lines(self, rows: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
        """Lines of the rows below one header in files of the same columns, null where a cell could do harm."""
        cells = in_columns(rows, self._headers[rows["header"][0]], self._layouts[rows["layout"][0]])
        beside = rows.select("at").join(texts, on="at", how="left", maintain_order="left", validate="1:1").drop("at")
        empty_then = pl.when(cells["behind"].is_not_null()).then(pl.lit(EMPTY_BEHIND)).otherwise(pl.lit(""))
        beside = beside.with_columns(pl.concat_str(TO_DO, empty_then))
        whole = pl.concat([cells, beside, rows.select("at", "book", "in_workbook", came_from())], how="horizontal")
        names = [*(name for name in cells.columns if name not in {"behind", "is_danger"}), *RESENT_TITLES]
        is_long = pl.any_horizontal(
            *(pl.col(name).str.len_chars() > LONGEST_CELL for name in names),
            pl.col("behind").list.eval(pl.element().str.len_chars() > LONGEST_CELL).list.any(),
        ).fill_null(value=False)
        return whole.select(
            "at",
            "book",
            line=pl.when(~pl.col("is_danger")).then(lines(map(pl.col, names), pl.col("behind"))),
            in_workbook=pl.col("in_workbook") & ~is_long,
        )

    def write_workbooks(self, executor: Executor, place: Path) -> None:
        """Write them, of what the CSV hold now; each lies in a folder beside the report until it is whole."""
        submitted = [book.submit_workbook(at, self._as_of, executor, place) for at, book in enumerate(self._books)]
        for _ in range(sum(submitted)):
            (at,), made = executor.next_result()
            self._books[at].take_workbook(*made)

    def finish(self) -> dict[str, list[tuple[str, int]]]:
        """The name of each file and how many rows it has, by partner."""
        found: dict[str, list[tuple[str, int]]] = {}
        for (partner_id, _), own in self._of.items():
            for number in own.values():
                found.setdefault(partner_id, []).extend(self._books[number].made())
        return found
