"""Lines to fields. A quotation mark may protect a delimiter, never a line end."""

import re

import polars as pl

TRIMMED = " \t\u00a0"
"""What is trimmed from values: blanks, tabs and no-break spaces."""

_OPENING = r'[{blanks}]*"'
_QUOTED = _OPENING + r'([^"]*(?:""[^"]*)*)"'


def split_line(line: str, delimiter: str) -> list[str] | None:
    """Fields of one line, quote-aware; None where a quotation mark has no pair.

    A field that begins with a quotation mark is unquoted; one inside a field stands for itself. What follows a
    closing mark is kept, as it was delivered.
    """
    if '"' not in line:
        return line.split(delimiter)
    if line.count('"') % 2:
        return None
    blanks = TRIMMED.replace(delimiter, "")
    opening, whole = re.compile(_OPENING.format(blanks=blanks)), re.compile(_QUOTED.format(blanks=blanks))
    fields: list[str] = []
    at = 0
    while True:
        quoted = whole.match(line, at)
        text_at = quoted.end() if quoted else at
        if not quoted and opening.match(line, at):
            return None
        end = line.find(delimiter, text_at)
        rest = line[text_at:] if end < 0 else line[text_at:end]
        fields.append(quoted[1].replace('""', '"') + rest.rstrip(TRIMMED) if quoted else rest)
        if end < 0:
            return fields
        at = end + len(delimiter)


def split_lines(lines: pl.Series, delimiter: str, width: int) -> pl.Series:
    """Fields of many lines that shall have `width` fields.

    Surplus empty fields at the end are dropped.

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
    parsed = pl.Series([_fit(split_line(line, delimiter), width) for line in suspects], dtype=pl.List(pl.String))
    frame = frame.with_columns(suspect=(~pl.col("plain")).cum_sum().cast(pl.Int64) - 1)
    return frame.select(
        fields=pl.when("plain").then(plain).otherwise(pl.lit(parsed).gather(pl.col("suspect").clip(0)))
    )["fields"]


def _fit(fields: list[str] | None, width: int) -> list[str] | None:
    if fields is None:
        return None
    while len(fields) > width and not fields[-1].strip(TRIMMED):
        fields.pop()
    return fields if len(fields) == width else None
