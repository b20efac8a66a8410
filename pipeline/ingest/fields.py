"""Lines to fields. A quotation mark may protect a delimiter, and a line end where nothing else can be meant."""

import re
from functools import lru_cache

import polars as pl

TRIMMED = " \t\u00a0"
"""What blank lines are made of, beside delimiters: blanks, tabs and no-break spaces."""

LINE_BREAKS = "\r\n"

UNPAIRED, TOO_MANY, TOO_FEW, BROKEN_VALUE = (
    "a quotation mark without its pair",
    "more fields than the header has",
    "fewer fields than the header has",
    "a line break inside a value",
)
"""Why a line has not the header's number of fields."""

_VALUE = re.compile(r'(?:[^"]|"")*+')
"""What stands between quotation marks."""


@lru_cache
def _opening(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf'[{TRIMMED.replace(delimiter, "")}]*"')


def split_line(line: str, delimiter: str) -> list[str] | None:
    """Fields of one line, quote-aware; None where a quotation mark has no pair.

    A field that begins with a quotation mark is unquoted; one inside a field stands for itself. What follows a
    closing mark is kept, as it was delivered.
    """
    if '"' not in line:
        return line.split(delimiter)
    if line.count('"') % 2:
        return None
    opening = _opening(delimiter)
    fields: list[str] = []
    at = 0
    while True:
        opened = opening.match(line, at)
        value = _VALUE.match(line, opened.end()) if opened else None
        if value and value.end() == len(line):
            return None
        text_at = value.end() + 1 if value else at
        end = line.find(delimiter, text_at)
        rest = line[text_at:] if end < 0 else line[text_at:end]
        fields.append(value[0].replace('""', '"') + rest.rstrip(TRIMMED) if value else rest)
        if end < 0:
            return fields
        at = end + len(delimiter)


def goes_on(line: str, delimiter: str, *, inside: bool) -> bool | None:
    """Whether a value goes on in the next line; None where one that stands in several lines holds a delimiter.

    Args:
        line: one line of a record.
        delimiter: between its fields.
        inside: whether it begins inside a value.
    """
    at = 0
    while at >= 0:
        opened = None if inside else _opening(delimiter).match(line, at)
        if inside or opened:
            value = _VALUE.match(line, opened.end() if opened else 0)
            ends = value.end() if value else 0
            is_broken = inside or ends == len(line)
            if value and is_broken and delimiter in value[0]:
                return None
            if ends == len(line):
                return True
            at, inside = ends, False
        at = line.find(delimiter, at)
        at += len(delimiter) if at >= 0 else 0
    return False


def split_lines(lines: pl.Series, delimiter: str, width: int, least: int | None = None) -> pl.Series:
    """Fields of many lines that shall have `width` fields.

    Surplus empty fields at the end are dropped, and up to `least` missing ones are empty.

    Returns:
        A list of `width` strings for each line; null where the number of fields is another.
    """
    frame = lines.to_frame("line").with_columns(
        plain=~pl.col("line").str.contains('"', literal=True)
        & (pl.col("line").str.count_matches(delimiter, literal=True) == width - 1)
    )
    plain = pl.when("plain").then(pl.col("line").str.split(delimiter))
    if frame["plain"].all():
        return frame.select(fields=plain)["fields"]
    suspects = frame.filter(~pl.col("plain"))["line"]
    fitted = [_fit(split_line(line, delimiter), width, least or width) for line in suspects]
    parsed = pl.Series(fitted, dtype=pl.List(pl.String))
    frame = frame.with_columns(suspect=(~pl.col("plain")).cum_sum().cast(pl.Int64) - 1)
    return frame.select(
        fields=pl.when("plain").then(plain).otherwise(pl.lit(parsed).gather(pl.col("suspect").clip(0)))
    )["fields"]


def _fit(fields: list[str] | None, width: int, least: int) -> list[str] | None:
    if fields is None:
        return None
    while len(fields) > width and not fields[-1].strip(TRIMMED):
        fields.pop()
    if least <= len(fields) < width:
        fields += [""] * (width - len(fields))
    return fields if len(fields) == width else None


def misfit(line: str, delimiter: str, width: int) -> str:
    """Why a line has not so many fields, by itself."""
    fields = split_line(line, delimiter)
    if fields is None:
        return UNPAIRED
    return TOO_MANY if len(fields) > width else TOO_FEW
