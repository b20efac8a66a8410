"""What is told of headers: the line that was meant as one, and columns whose names leave open what they hold."""

import re

import polars as pl

from pipeline.ingest.headings import compared, near_column, nearest_column
from pipeline.ingest.secrets import MASK
from pipeline.ingest.unheaded import KINDS, cells_of
from pipeline.report.masking import brief_text, masked_text
from schemas.identities import HARDWARE_HASH, THIRTEEN_DIGITS
from schemas.kinds import REGISTRATION

_MOST_TOLD = 3
"""Names of one header that are told what they may mean; whoever mends these sees the others."""

_LEAST_CAPITALS = 5
_LINE_BEFORE = "a line before the header that may be a row"
_HOLDS = {
    HARDWARE_HASH: "a hardware hash",
    r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b": "another customer's tenant ID",
    THIRTEEN_DIGITS: "13 digits that no other row has",
}
"""What makes a row unclear where it stands in a column that is not read, the first that does."""


def header_found(each: pl.DataFrame) -> pl.Series:
    """What was found in place of a header, by finding: `code`, `record_fault`, `unheaded`."""
    told = {text: _told_line(text) for text in each["unheaded"].drop_nulls().unique()}
    before = pl.when(pl.col("record_fault") == "FILE_HEADER_UNKNOWN").then(pl.lit(_LINE_BEFORE))
    found = pl.col("unheaded").replace_strict(told, default=None, return_dtype=pl.String)
    return each.select(found=pl.coalesce(before, found)).to_series()


def _told_line(line: str) -> str:
    if line in KINDS:
        return line
    cells = cells_of(line)
    near = {cell: name for cell in cells if (name := nearest_column(cell)) and name.lower() != cell.lower()}
    shown = brief_text(", ".join(map(_shown_cell, cells)))
    pairs = [f'{name} for "{cell}"' for cell, name in list(near.items())[:_MOST_TOLD]]
    return f"{shown}; nearest known names: {', '.join(pairs)}" if pairs else shown


def _shown_cell(cell: str) -> str:
    """A cell that may be a name of a column; of what may be a value only its ends."""
    if nearest_column(cell):
        return cell
    if re.search(HARDWARE_HASH, cell):
        return "a hardware hash"
    if MASK in cell:
        return "a product key"
    if "@" in cell:
        return "***"
    is_code = cell.isupper() and len(cell) >= _LEAST_CAPITALS
    return masked_text(cell) if is_code or re.search(r"\d", cell) else cell


def unclear_columns(each: pl.DataFrame) -> pl.DataFrame:
    """By finding what is told of an unclear column; null for other findings.

    Returns:
        `column`, its name; `column_found`; `column_meaning`, what it may mean; and `column_remedy`.
    """
    told = pl.col("code") == "COLUMN_UNCLEAR"
    kind = pl.col("request_kind").fill_null(REGISTRATION)
    names = each.select(kind, pl.when(told).then("other_names").alias("other_names"))
    different = names.drop_nulls("other_names").unique(maintain_order=True)
    by_name = pl.DataFrame([_by_name(kind, text) for kind, text in different.iter_rows()], schema=_NAMED)
    held = _held(each.select("other_names", "other_cells", is_told=told).with_row_index("at"))
    return (
        names.with_row_index("at")
        .join(by_name, on=["request_kind", "other_names"], how="left", maintain_order="left", validate="m:1")
        .join(held, on="at", how="left", maintain_order="left", validate="1:1")
        .select(
            column=pl.coalesce("named", "holder"),
            column_found=pl.coalesce("named_found", "held"),
            column_meaning="meaning",
            column_remedy="named_remedy",
        )
    )


_NAMED = dict.fromkeys(("request_kind", "other_names", "named", "named_found", "meaning", "named_remedy"), pl.String())


def _by_name(kind: str, names: str) -> dict[str, str | None]:
    """What is unclear of some columns of a manifest by their names alone."""
    near = [(name, meaning) for name in names.split("\n") if (meaning := near_column(name, kind))][:_MOST_TOLD]
    if not near:
        return dict.fromkeys(_NAMED, None) | {"request_kind": kind, "other_names": names}
    return {
        "request_kind": kind,
        "other_names": names,
        "named": ", ".join(brief_text(name) for name, _ in near),
        "named_found": ", ".join(f'"{brief_text(name)}"' for name, _ in near),
        "meaning": ", ".join(f"{meaning} for {brief_text(name)}" for name, meaning in near),
        "named_remedy": "; ".join(_remedy(brief_text(name), meaning) for name, meaning in near) + ".",
    }


def _held(rows: pl.DataFrame) -> pl.DataFrame:
    """Of rows of which a column holds what makes them unclear `at`, `holder` (its name), and what it has `held`."""
    both = rows.filter("is_told").select(
        "at", holder=pl.col("other_names").str.split("\n"), cell=pl.col("other_cells").str.split("\n")
    )
    paired = both.filter(pl.col("holder").list.len() == pl.col("cell").list.len())
    kinds = list(_HOLDS.items())
    kind = pl.coalesce(*(pl.when(pl.col("cell").str.contains(what)).then(at) for at, (what, _) in enumerate(kinds)))
    found = paired.explode("holder", "cell").with_columns(kind=kind).drop_nulls("kind").sort("at", "kind")
    first = found.unique("at", keep="first", maintain_order=True)
    unnamed = pl.when(pl.col("holder") == "").then(pl.lit("a column without a name")).otherwise("holder")
    held = pl.col("kind").replace_strict({at: text for at, (_, text) in enumerate(kinds)}, return_dtype=pl.String)
    return first.select("at", unnamed.alias("holder"), held.alias("held"))


def _remedy(name: str, meaning: str) -> str:
    if compared(name) == compared(meaning):
        return f'"{name}" belongs to departures: deliver them in a folder "departures", or leave the column out'
    return f'If "{name}" means {meaning}, call it so; if not, leave the column out'
