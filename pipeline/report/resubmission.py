"""Rejected rows as a partner gets them to correct and send again: every cell as it was delivered, and what is wrong.

Delivered unchanged they are refused for the same reasons; whatever of a row's fault does not lie in its cells is
therefore kept beside them.
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import polars as pl

from pipeline.ingest.fields import split_line, split_lines
from pipeline.ingest.headings import RESENT, column_of, compared
from pipeline.ingest.layout import Header
from pipeline.ingest.records import MOST_COLUMNS
from pipeline.ingest.secrets import mask_in_name
from pipeline.report.meanings import has_correctable
from pipeline.report.tables import is_danger, place, safe
from schemas.columns import TENANT
from schemas.identities import is_spreadsheet_damage
from schemas.kinds import Kind
from schemas.reasons import SENT_WHOLE, STRUCTURE_CODES

REASON, WRONG, TO_DO, FROM = RESENT_TITLES = ("Reason", "What is wrong", "What to do", "From")
_SPOILT = ("serial_number", "manufacturer", "model")
_LOOSE = ("RECORD_FIELD_COUNT", "RECORD_NOT_TEXT")
"""Reasons of rows that are cut at every delimiter: which value belongs where is not known, or not what it was."""

_HARMFUL = ("FORMULA_CELL", "PRODUCT_KEY_EXPOSED")
EMPTY_BEHIND = " Then empty the cells behind the last title, which hold what could not be cut into cells."
"""What is to be done as well with a row that has such cells, and is refused while it has them."""

_SEPARATOR = " | "
"""Between what is said of several findings of a row."""


OF_A_LINE = ("raw_record", "tenant_folder", "spoilt_cells", "source_file", "source_line", "SPREADSHEET_DAMAGE", *_LOOSE)
"""Columns of a rejected row that its line is made of."""

Columns = dict[str, str]
"""For what each column of a file holds (a canonical name, or one of the partner's own) its title, in order."""


def columns_for(kind: Kind, headers: Iterable[Header]) -> Columns:
    """The columns that the rows below some headers go into: the documented ones, the partner's own, the tenant.

    Columns of headers that are too many for one file are left out; `fits` says which.
    """
    documented = {name: titles[0] for name, titles in kind.columns.items() if name != TENANT}
    own: Columns = {}
    for header in headers:
        new = {key: title for key, title in _keys(header).values() if key not in documented and key != TENANT}
        if len(documented) + len(own | new) + len(RESENT_TITLES) < MOST_COLUMNS:
            own |= new
    return {**documented, **own, TENANT: kind.columns[TENANT][0]}


def fits(header: Header, columns: Iterable[str]) -> bool:
    """Whether each column of a header that holds anything has one among those of a file."""
    return {key for key, _ in _keys(header).values()} <= set(columns)


@lru_cache(maxsize=4_096)
def _keys(header: Header) -> dict[int, tuple[str, str]]:
    """For each column of a header, by position, what it holds and its title; columns of one name are told apart.

    A title that would mean something else beside ours is given a remark, with which it means what it did.
    """
    seen: Counter[str] = Counter()
    others = set(header.others)
    keys = {}
    for at, (name, column) in enumerate(zip(header.cells, header.columns, strict=True)):
        if column:
            keys[at] = column, name
        elif at in others:
            taken = compared(name) in RESENT or column_of(name, header.kind)
            keys[at] = f"as written, {seen[name]}: {name}", _harmless(f"{name} (as delivered)" if taken else name)
            seen[name] += 1
    return keys


def _harmless(title: str) -> str:
    return "" if pl.select(is_danger(pl.lit(mask_in_name(title)))).item() else title


def _is_correctable() -> pl.Expr:
    is_done = pl.col("is_done").fill_null(value=False)
    return has_correctable() & ~pl.any_horizontal(STRUCTURE_CODES) & ~is_done


def is_sent_again() -> pl.Expr:
    """Whether a decided row is one to correct, by its columns of codes, `is_done`, `request_kind` and `is_waiting`."""
    return _is_correctable() & ~pl.any_horizontal(*SENT_WHOLE, *_HARMFUL)


def why_not() -> pl.Expr:
    """Why a row is not among those to correct; of one that is, and has a `book`, that a cell of it does harm."""
    return (
        pl.when(pl.any_horizontal(SENT_WHOLE))
        .then(pl.lit("no: send the file itself again"))
        .when(~_is_correctable())
        .then(pl.lit("no: nothing in the row to correct"))
        .when(pl.col("header_no").is_null())
        .then(pl.lit("no: it stands below no header that is known"))
        .when(is_sent_again() & pl.col("book").is_null())
        .then(pl.lit("no: the columns of all files are too many for one"))
        .otherwise(pl.lit("no: it holds a formula or a product key"))
    )


def in_columns(rows: pl.DataFrame, header: Header, columns: Iterable[str]) -> pl.DataFrame:
    """Rows below one header in the columns of a file.

    Args:
        rows: of the rejected set, with `raw_record`, `tenant_folder`, `spoilt_cells`, and columns of codes.
        header: theirs.
        columns: what those of the file hold; the header fits them.

    Returns:
        One row for each, in order: a column for each, named by its position, as text; `behind`, cells that belong
        to no column, a list; `is_danger`, one of its cells could do harm.
    """
    own, width = {key: at for at, (key, _) in _keys(header).items()}, len(header.cells)
    loose = pl.any_horizontal(_LOOSE)
    raw = rows["raw_record"]
    cut = rows.select(
        pl.lit(split_lines(raw, header.delimiter, width, header.least)).alias("fields"),
        loose.alias("is_loose"),
        *(_stored(name).alias(f"stored {name}") for name in _SPOILT),
        raw_record="raw_record",
        tenant_folder="tenant_folder",
    ).with_columns(pl.col("is_loose") | pl.col("fields").is_null())
    cut = cut.with_columns(parts=_parts(cut, header.delimiter))
    given = pl.when("is_loose").then("parts").otherwise("fields")
    cells = {
        str(number): _cell(key, given.list.get(own[key], null_on_oob=True))
        if key in own
        else (pl.col("tenant_folder") if key == TENANT else pl.lit(None, pl.String))
        for number, key in enumerate(columns)
    }
    surplus = pl.col("parts").list.slice(width)
    behind = pl.when(surplus.list.len() > 0).then(surplus).otherwise(pl.concat_list("raw_record"))
    made = cut.select(**cells, behind=pl.when("is_loose").then(behind))
    harm = [is_danger(pl.col(name)) for name in cells]
    harm.append(pl.col("behind").list.eval(is_danger(pl.element())).list.any())
    return made.with_columns(is_danger=pl.any_horizontal(one.fill_null(value=False) for one in harm))


def _parts(cut: pl.DataFrame, delimiter: str) -> pl.Series:
    """Of the rows that do not fit their header what stands between its delimiters; where quotes do not pair, all."""
    texts = cut.select(pl.when("is_loose").then("raw_record")).to_series()
    if texts.null_count() == len(texts):
        return pl.Series([None], dtype=pl.List(pl.String)).new_from_index(0, len(texts))
    is_quoted = texts.str.contains('"', literal=True).fill_null(value=False)
    plain = texts.str.split(delimiter)
    if not is_quoted.any():
        return plain
    quoted = [split_line(text, delimiter) or text.split(delimiter) for text in texts.filter(is_quoted)]
    place = pl.lit(is_quoted).cum_sum().cast(pl.Int64) - 1
    parted = pl.lit(pl.Series(quoted, dtype=pl.List(pl.String))).gather(place.clip(0))
    return pl.select(pl.when(is_quoted).then(parted).otherwise(plain)).to_series()


def _cell(key: str, cell: pl.Expr) -> pl.Expr:
    """The cell as delivered, but with an apostrophe in front where the fault is how a spreadsheet stored it.

    A number or date that comes back as text would pass for what somebody has entered again.
    """
    if key not in _SPOILT:
        return cell
    is_spoilt = pl.col(f"stored {key}") & ~is_spreadsheet_damage(cell).fill_null(value=False)
    return pl.when(is_spoilt).then(pl.concat_str(pl.lit("'"), cell)).otherwise(cell)


def _stored(name: str) -> pl.Expr:
    """Whether the reason is how a spreadsheet stored the cell."""
    is_named = pl.col("spoilt_cells").str.contains(rf"\b{name}\b").fill_null(value=False)
    return pl.col("SPREADSHEET_DAMAGE") & is_named


def told(findings: pl.DataFrame) -> pl.DataFrame:
    """What is said of each row beside its cells.

    Args:
        findings: one row a finding, in order: `at`, the row; `code`, `field`, `sentence`, `expected`, `remedy`.

    Returns:
        One row a row, in no order: `at` and a column for each of `RESENT_TITLES` but the last.
    """
    field, expected = pl.col("field") + ": ", " Expected: " + pl.col("expected")
    wrong = pl.concat_str(field.fill_null(""), "sentence", expected.fill_null(""))
    said = findings.select("at", pl.col("code").alias(REASON), wrong.alias(WRONG), pl.col("remedy").alias(TO_DO))
    is_alone = said["at"].is_unique()  # most rows have one finding, and need no group of their own
    together = (
        said.filter(~is_alone)
        .group_by("at", maintain_order=True)
        .agg(
            pl.col(REASON).str.join(" "),
            pl.col(WRONG).str.join(_SEPARATOR),
            pl.col(TO_DO).unique(maintain_order=True).str.join(_SEPARATOR),
        )
    )
    return pl.concat([said.filter(is_alone), together]).with_columns(safe(pl.col(WRONG)))


def came_from() -> pl.Expr:
    """The row that was delivered, as a later delivery names it."""
    return place().alias(FROM)
