"""Why a value is wrong, where more can be told of it than its code says; and what to do then."""

import numpy as np
import polars as pl

from pipeline.ingest import unheaded
from schemas.columns import TEXT_CELLS
from schemas.manifest import HIDDEN

_MOST_COMPARED = 64
"""Characters up to which two values are compared; a genuine one is shorter."""

_TYPOGRAPHIC = "[\u201c-\u201f\u00ab\u00bb\u2039\u203a]|^[\u2018\u2019\u201a]|[\u2018\u2019\u201a]$"
_HARDWARE_HASH = r"^\W*T0[A-Za-z0-9+/]{60}"
_WRONG_ENCODING = "\ufffd|\u00c3[\u0080-\u00bf]|\u00c2[\u0080-\u00bf]|\u00e2[\u20ac\u0080-\u009f]|[\u0080-\u009f]"
"""What is left of letters that were written in one encoding and read in another."""

A_HASH = "a hardware hash"
"""Stands where one was found; hashes are shown to nobody."""

_OF_CELLS = {
    _HARDWARE_HASH: (
        "The hardware hash stands in another column: put it under Hardware Hash. A delimiter was lost or added."
    ),
    _TYPOGRAPHIC: (
        "Leave out the typographic quotation marks, or make them plain: a mail or text program put them there. The "
        "value between them may be right."
    ),
    _WRONG_ENCODING: (
        "The text was saved in one encoding and read in another: export the list anew as UTF-8 instead of mending "
        "letters."
    ),
}
"""For what a cell holds what to do, the first that it holds."""

_CELL_CODES = (
    "HIDDEN_CHARACTER",
    "PRODUCT_ID_FORMAT",
    "PRODUCT_ID_IGNORED",
    "SERIAL_FORMAT",
    "SERIAL_MISMATCH",
    "MANUFACTURER_MISMATCH",
    "MODEL_MISMATCH",
    "SPREADSHEET_DAMAGE",
    "TENANT_FORMAT",
    "USER_FORMAT",
)
_OF_FILES = {
    unheaded.ARCHIVE: "Give a workbook its own ending, .xlsx, or save it as CSV and send that; unpack other archives.",
    unheaded.OLD_WORKBOOK: (
        "Open it with the spreadsheet program and save it as .xlsx without a password, or as CSV; another name alone "
        "does not help."
    ),
    unheaded.WEB_PAGE: (
        "A web page was saved where the list was meant: sign in there, download the list itself, and send that."
    ),
    unheaded.XML: "Open it with the program that wrote it, save it as CSV or .xlsx, and send that.",
    unheaded.ENCRYPTED: "Save the workbook without its password, and send it again.",
    unheaded.OLD_FORMAT: "Open it with the spreadsheet program and save it as .xlsx; another name alone does not help.",
}
"""For what a file is what to do."""

_BEFORE_HEADER = "Put the row below the header, or, where it is none, leave its line out."
_UNIDENTIFIED = ("IDENTITY_MISSING", "IDENTITY_PARTIAL_TUPLE")
_INSIDE = "Have the real serial number written to the firmware, then capture the hash again: the row cannot mend it."


def remedy(code: str, usual: str, cell: pl.Expr) -> pl.Expr:
    """What to do about a finding.

    Args:
        code: of the finding.
        usual: what the catalogue says.
        cell: what stands where it was found.
    """
    if code == "SERIAL_PLACEHOLDER":
        return pl.when(pl.col("hash_serial_number").is_not_null()).then(pl.lit(_INSIDE)).otherwise(pl.lit(usual))
    if code in {"FILE_HEADER_UNKNOWN", "FILE_UNREADABLE"}:
        before = pl.when(pl.col("record_fault") == code).then(pl.lit(_BEFORE_HEADER))
        of_file = pl.col("unheaded").replace_strict(_OF_FILES, default=None, return_dtype=pl.String)
        return pl.coalesce(of_file, before, pl.lit(usual))
    if code == "COLUMN_UNCLEAR":
        return pl.coalesce("column_remedy", pl.lit(usual))
    if code in _UNIDENTIFIED:
        shifted = pl.any_horizontal(is_hash(pl.col(name)) for name in TEXT_CELLS)
        return pl.when(shifted).then(pl.lit(_OF_CELLS[_HARDWARE_HASH])).otherwise(pl.lit(usual))
    if code not in _CELL_CODES:
        return pl.lit(usual)
    told = (pl.when(cell.str.contains(pattern)).then(pl.lit(text)) for pattern, text in _OF_CELLS.items())
    return pl.coalesce(*told, pl.lit(usual))


def is_hash(cell: pl.Expr) -> pl.Expr:
    """Whether a cell that should hold another value holds a hardware hash."""
    return cell.str.contains(_HARDWARE_HASH).fill_null(value=False)


def code_point(cells: pl.Series) -> pl.Series:
    """The first character of each text that nobody can see, as `U+200B`; null where there is none."""
    found = cells.str.extract(f"({HIDDEN}|\n)")
    names = {character: f"U+{ord(character):04X}" for character in found.drop_nulls().unique()}
    return found.replace_strict(names, default=None, return_dtype=pl.String)


def first_difference(left: pl.Series, right: pl.Series) -> pl.Series:
    """Place of the first character, from 1, in which two texts differ; null where one is null or they are equal."""
    letters = [
        np.asarray(side.fill_null("").str.slice(0, _MOST_COMPARED).to_list(), dtype=f"U{_MOST_COMPARED}")
        for side in (left, right)
    ]
    codes = [side.view(np.uint32).reshape(len(left), _MOST_COMPARED) for side in letters]
    differ = codes[0] != codes[1]
    place = pl.Series(differ.argmax(axis=1) + 1, dtype=pl.UInt32)
    known = pl.Series(differ.any(axis=1)) & left.is_not_null() & right.is_not_null()
    return pl.select(pl.when(pl.lit(known)).then(pl.lit(place))).to_series()
