"""The files of the reference folder: which there are, and their rows as text."""

import csv
import os
from pathlib import Path

import polars as pl
from rapidfuzz.distance import OSA

from pipeline.errors import ReferenceDataError
from schemas.reference import ReferenceTable

FILES = (
    "partners.csv",
    "authorizations.csv",
    "tenants.csv",
    "exclusions.csv",
    "profiles.csv",
    "manufacturers.csv",
)
_OTHER_ENDINGS = ("", ".txt", ".csv.txt", ".csv.csv", ".tsv", ".csv.gz", ".csv.zst", ".xls", ".xlsx")
_TRIMMED = " \t\u00a0"
_HIDDEN = r"[[\p{Cc}\p{Cf}\x{2028}\x{2029}]--[\t]]"
_LONG_FROM = 12
"""Letters of a name from which two edits are a slip, and not another name; of a shorter one a single edit is."""


def is_reference_name(name: str) -> bool:
    """Whether a file of this name is one of those that are read, or is nearly called so."""
    return name in FILES or _meant(name) is not None


def check_names(folder: Path) -> None:
    """See that no file is passed over because its name is nearly right.

    Raises:
        ReferenceDataError: there is one.
    """
    names = {path.name for path in folder.iterdir()}
    for name in sorted(names - set(FILES)):
        meant = _meant(name)
        if meant and not (meant in names and _has_other_ending(name)):
            message = f"{folder / name}: is not read, since its name is not {meant}; rename it, or remove it"
            raise ReferenceDataError(message)


def _meant(name: str) -> str | None:
    """The file that a name is nearly that of."""
    if name in FILES:
        return None
    folded = name.casefold()
    near = (file for file in FILES if OSA.distance(folded, file) <= 1 + (len(file) > _LONG_FROM))
    other = (file for file in FILES if folded in {file.removesuffix(".csv") + ending for ending in _OTHER_ENDINGS})
    return next(near, None) or next(other, None)


def _has_other_ending(name: str) -> bool:
    """Whether it is a table in another form, which may well lie beside the one that is read."""
    folded = name.casefold()
    return not folded.endswith(".csv") or folded.endswith(".csv.csv")


def is_there(path: Path) -> bool:
    """Whether there is anything of that name, a link to nowhere included."""
    return os.path.lexists(path)


def read_table(path: Path, table: ReferenceTable) -> pl.DataFrame:
    """Read a file.

    Returns:
        Its rows that are not blank, with the `line` each begins on; all columns of the table as text, trimmed.

    Raises:
        ReferenceDataError: it cannot be read, lacks a column or has one twice, or holds what nobody can see.
    """
    columns = list(table.schema.columns)
    if path.is_symlink() and not path.exists():
        message = f"{path}: is a link to {path.readlink()}, which is not there; put the file there, or remove the link"
        raise ReferenceDataError(message)
    if path.exists() and not path.is_file():
        message = f"{path}: is no file; expected UTF-8 CSV with the header {','.join(columns)}"
        raise ReferenceDataError(message)
    try:
        rows = _rows(path, columns)
    except FileNotFoundError as error:
        message = f"{path}: not found; create it with the header {','.join(columns)}"
        raise ReferenceDataError(message) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: {error}; expected readable UTF-8 CSV"
        raise ReferenceDataError(message) from error
    hidden = rows.unpivot(columns, index="line").with_columns(found=pl.col("value").str.extract(f"({_HIDDEN})"))
    for line, name, _, found in hidden.drop_nulls("found").sort("line").head(1).iter_rows():
        message = f"{path}:{line}: {name}: found the character U+{ord(found):04X}; expected visible ones only"
        raise ReferenceDataError(message)
    return rows


def _rows(path: Path, columns: list[str]) -> pl.DataFrame:
    values: list[list[str | int]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = [name.strip(_TRIMMED) for name in next(reader, [])]
        positions = _positions(path, header, columns)
        begun = reader.line_num
        for fields in reader:
            line, begun = begun + 1, reader.line_num
            if not any(field.strip() for field in fields):
                continue
            if len(fields) != len(header):
                message = f"{path}:{line}: found {len(fields)} fields; expected {len(header)}"
                raise ReferenceDataError(message)
            values.append([line, *(fields[at].strip(_TRIMMED) for at in positions)])
    return pl.DataFrame(values, {"line": pl.Int64, **dict.fromkeys(columns, pl.String)}, orient="row")


def _positions(path: Path, header: list[str], columns: list[str]) -> list[int]:
    """Where each column stands."""
    folded = [name.casefold() for name in header]
    twice = next((name for name in folded if name and folded.count(name) > 1), None)
    if twice:
        message = f"{path}:1: column {twice}: found {folded.count(twice)} times; expected it once"
        raise ReferenceDataError(message)
    missing = [name for name in columns if name not in header]
    if missing:
        message = f"{path}:1: column {missing[0]}: not found; expected the header {','.join(columns)}"
        raise ReferenceDataError(message)
    return [header.index(name) for name in columns]
