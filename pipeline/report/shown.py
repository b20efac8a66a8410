"""Which rows a page shows of the many that it counts: some of every partner and reason, never all of the loudest."""

from collections.abc import Iterable

import polars as pl

from pipeline.report.findings import findings
from pipeline.report.fragments import Fragment, Tables
from pipeline.report.masking import brief, masked
from pipeline.report.meanings import meaning
from schemas.reasons import MEANINGS

MOST_ROWS = 1_000
"""Rows on a page: more load slowly and are not read; errors.csv has all."""

_MOST_IN_ALL = 100_000
"""Rows on all pages of a run together: a row costs 60 microseconds, so a run at most some seconds."""

_TYPES = {
    "partner_id": pl.String(),
    "source_file": pl.String(),
    "source_line": pl.UInt32(),
    "tenant_id": pl.String(),
    "serial": pl.String(),
    "code": pl.String(),
    "meaning": pl.String(),
    "others": pl.List(pl.String),
    "field": pl.String(),
    "found": pl.String(),
    "expected": pl.String(),
    "meant": pl.String(),
    "remedy": pl.String(),
    "nights": pl.UInt32(),
    "waits": pl.Boolean(),
    "again": pl.Boolean(),
    "on_run_page": pl.Boolean(),
}
_WAITING_TYPES = {"partner_id": pl.String(), "meaning": pl.String(), "rows": pl.UInt32()}
_REMEDIES = {key: reason.remedy for key, reason in MEANINGS.items()}


def fairly(rows: pl.DataFrame, most: int, *groups: str, within: str | None = None) -> pl.Series:
    """Choose rows in turns: the first of every group, then the second of every group, until there are enough.

    Args:
        rows: one row a candidate, in the order in which those of a group are taken.
        most: how many to choose; of each value of `within`, if that is named.
        groups: columns whose values take turns.
        within: a column of whose values each has its own choice.

    Returns:
        For each row, in order, whether it is chosen.
    """
    counted = rows.select(pl.col({*groups, *([within] if within else [])}), at=pl.int_range(pl.len()))
    turns = counted.with_columns(turn=pl.int_range(pl.len()).over(groups)).sort("turn", "at")
    place = pl.int_range(pl.len())
    placed = turns.with_columns(place=place.over(within) if within else place)
    return placed.sort("at").select(chosen=pl.col("place") < most)["chosen"]


def most_on_each(numbers: Iterable[int], in_all: int = _MOST_IN_ALL) -> int:
    """Rows on one page at most, so that all pages together have no more than `in_all`, but one each.

    What a page with few leaves is for those with many.

    Args:
        numbers: of rows, of each page.
        in_all: on all pages.
    """
    ascending = sorted(numbers)
    for at, number in enumerate(ascending):
        share = in_all // (len(ascending) - at)
        if number > share:
            return min(MOST_ROWS, max(1, share))
        in_all -= number
    return MOST_ROWS


class ShownRows:
    """The rejected rows that pages show, collected while all rows pass by."""

    def __init__(self, rejected: pl.DataFrame, spellings: pl.DataFrame) -> None:
        """Choose them.

        Args:
            rejected: one row a rejected row, in order: `row`, `partner_id`, `reason`.
            spellings: of manufacturers, as in `findings`.
        """
        self._spellings = spellings
        each = most_on_each(rejected.group_by("partner_id").len()["len"])
        groups = ("partner_id", "reason")
        chosen = rejected.select("row").with_columns(
            on_run_page=fairly(rejected, MOST_ROWS, *groups),
            on_own_page=fairly(rejected, each, *groups, within="partner_id"),
        )
        self._chosen = chosen.filter(pl.col("on_run_page") | pl.col("on_own_page")).drop("on_own_page")
        self._parts = [pl.DataFrame(schema=_TYPES)]
        self._waiting = [pl.DataFrame(schema=_WAITING_TYPES)]

    def tables(self, rejected: pl.DataFrame) -> Tables:
        """What is chosen of some rejected rows (`shown`), and how many of all wait since an earlier run (`waiting`).

        Args:
            rejected: columns of the rejected set, decoded fields, `row`, `nights`, `is_waiting`.
        """
        rejected = rejected.with_columns(again=pl.col("is_waiting") & (pl.col("first_run") != pl.col("run_id")))
        waiting = rejected.filter("again").group_by("partner_id", meaning=meaning(pl.col("reason"))).agg(rows=pl.len())
        mine = rejected.join(self._chosen, on="row", how="inner", maintain_order="left", validate="1:1")
        return {"waiting": waiting, "shown": self._told(mine) if mine.height else pl.DataFrame(schema=_TYPES)}

    def add(self, fragment: Fragment) -> None:
        """Take the tables of some rows."""
        self._parts += fragment.read("shown")
        self._waiting += fragment.read("waiting")

    def _told(self, mine: pl.DataFrame) -> pl.DataFrame:
        found = findings(mine, codes=pl.concat_list("reason"), spellings=self._spellings)
        told = found.drop("source_file", "source_line", "level")
        own = mine.select(
            "partner_id",
            "source_line",
            "tenant_id",
            "nights",
            "on_run_page",
            "again",
            waits="is_waiting",
            source_file=brief(pl.col("source_file")),
            serial=masked(pl.coalesce("serial_number", "hash_serial_number")),
            others=pl.col("reasons").list.slice(1),
        )
        usual = pl.col("meaning").replace_strict(_REMEDIES, return_dtype=pl.String)
        told = told.with_columns(remedy=pl.when(pl.col("remedy") != usual).then("remedy"))
        both = pl.concat([own, told], how="horizontal")
        return both.select(pl.col(name).cast(dtype) for name, dtype in _TYPES.items())

    def collected(self) -> pl.DataFrame:
        """One row a shown row, with the columns of `_TYPES`."""
        return pl.concat(self._parts)

    def waiting(self) -> pl.DataFrame:
        """Rows that wait since an earlier run, by `partner_id` and `meaning` of the primary reason: `rows`."""
        return pl.concat(self._waiting).group_by("partner_id", "meaning").agg(pl.col("rows").sum())
