"""The repair log: what was changed in a row before it was judged, before and after."""

import re
from collections import Counter
from typing import Any

import polars as pl

from pipeline.ingest.fields import TRIMMED, split_line
from pipeline.ingest.layout import Header
from pipeline.intake.staging import whole_record
from pipeline.report.fragments import Fragment, Tables
from pipeline.report.masking import masked_text, visible_blanks
from pipeline.report.shown import fairly
from schemas.columns import HASH, TITLES, Shown, shown_as
from schemas.identities import HARDWARE_HASH

REPAIRS = ("HASH_TEXT_REPAIRED", "VALUE_TRIMMED")
"""Warnings that say that something of a row was changed."""

MOST_REPAIRED = 200
"""Rows whose repairs a page lists."""
_MOST_IN_ALL = 10_000
"""Repaired rows on all pages together: their lines are parsed one by one."""

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_PLAIN = shown_as(Shown.WHOLE)
_MOST_NAMED = 5
"""Kinds of odd characters named of one hash."""

_READ = (
    "partner_id",
    "source_file",
    "source_line",
    "on_run_page",
    "file_no",
    "header_no",
    "hash_repaired",
    "hash_bytes",
)
_TYPES = {
    "partner_id": pl.String(),
    "source_file": pl.String(),
    "source_line": pl.UInt32(),
    "field": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
    "on_run_page": pl.Boolean(),
}


class RepairLog:
    """The repairs that pages list, collected while all rows pass by."""

    def __init__(self, repaired: pl.DataFrame, headers: list[list[Header]]) -> None:
        """Choose them.

        Args:
            repaired: one row a repaired row, in order: `row`, `partner_id`, and whether its `HASH_TEXT_REPAIRED`.
            headers: header lines of each manifest.
        """
        self._headers = headers
        groups = ("partner_id", "HASH_TEXT_REPAIRED")
        each = max(1, min(MOST_REPAIRED, _MOST_IN_ALL // max(1, repaired["partner_id"].n_unique())))
        chosen = repaired.select("row").with_columns(
            on_run_page=fairly(repaired, MOST_REPAIRED, *groups),
            on_own_page=fairly(repaired, each, *groups, within="partner_id"),
        )
        self._chosen = chosen.filter(pl.col("on_run_page") | pl.col("on_own_page")).drop("on_own_page")
        self._parts = [pl.DataFrame(schema=_TYPES)]

    def tables(self, rows: pl.DataFrame) -> Tables:
        """What is chosen of some rows (`repairs`), which have staged columns and those of the sets."""
        mine = rows.join(self._chosen, on="row", how="inner", maintain_order="left", validate="1:1")
        told = [
            {**row, "field": TITLES.get(column, column), "before": before, "after": after}
            for row in mine.with_columns(text=whole_record()).select(*_READ, "text").iter_rows(named=True)
            for column, before, after in self._changes(row)
        ]
        return {"repairs": pl.DataFrame(told, _TYPES)}

    def add(self, fragment: Fragment) -> None:
        """Take the table of some rows."""
        self._parts += fragment.read("repairs")

    def _changes(self, row: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Column, what stood there and what was made of it, of each cell of a line that was changed."""
        if row["header_no"] is None:
            return []
        header = self._headers[row["file_no"]][row["header_no"]]
        cells = split_line(row["text"], header.delimiter) or []
        changes = []
        for column, name, cell in zip(header.columns, header.cells, cells, strict=False):
            trimmed = cell.strip(TRIMMED)
            if column == HASH and row["hash_repaired"]:
                changes.append((column, _hash_as_delivered(cell), f"{_chars(row['hash_bytes']):,} characters"))
            elif column != HASH and cell != trimmed:
                is_plain = column in _PLAIN and not re.search(HARDWARE_HASH, trimmed)
                shown = trimmed if is_plain else masked_text(trimmed)
                changes.append((column or name, visible_blanks(cell.replace(trimmed, shown)), shown))
        return changes

    def collected(self) -> pl.DataFrame:
        """One row a change, with the columns of `_TYPES`."""
        return pl.concat(self._parts)


def _hash_as_delivered(cell: str) -> str:
    odd = Counter(letter for letter in cell if letter not in _BASE64)
    named = ", ".join(f"{number:,} of {letter!r}" for letter, number in odd.most_common(_MOST_NAMED))
    return f"{len(cell):,} characters" + (f", among them {named}" if named else "")


def _chars(size: int) -> int:
    """Characters of base64 that so many bytes take."""
    return -(-size // 3) * 4
