"""What a file holds that has no header: what it is where it is no table, else the line that was meant as one."""

import re
from collections.abc import Iterable

from pipeline.ingest.headings import nearest_column
from pipeline.ingest.secrets import mask_in_name

ARCHIVE = "an Excel workbook, or another archive, under a wrong name"
OLD_WORKBOOK = "an old or encrypted Excel workbook under a wrong name"
WEB_PAGE = "a web page under a wrong name"
XML = "an XML document under a wrong name"
ENCRYPTED = "a workbook with a password"
OLD_FORMAT = "a workbook of the old form, .xls"

KINDS = frozenset({ARCHIVE, OLD_WORKBOOK, WEB_PAGE, XML, ENCRYPTED, OLD_FORMAT})
"""What a file is told to be, in place of a line of it."""

_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What Office's files begin with that are no archives: old ones, and those with a password."""

_PACKAGE = "EncryptedPackage".encode("utf-16-le")

_BEGINNINGS = {
    ARCHIVE: rb"PK\x03\x04",
    OLD_WORKBOOK: b"|".join(map(re.escape, (_COMPOUND, _COMPOUND.decode("cp1252").encode()))),
    WEB_PAGE: rb"\s*<(?:!doctype\s+html|html|head|body|table)[\s>]",
    XML: rb"\s*<\?xml\s",
}
_MISNAMED = {what: re.compile(begin, re.IGNORECASE) for what, begin in _BEGINNINGS.items()}
_MOST_CELLS = 50
_LONGEST_LINE = 1_000
_SEPARATES = re.compile(r"[,;\t]")


def misnamed(text: bytes) -> str | None:
    """What begins so and is no table, whatever it is called; None for anything else."""
    return next((what for what, begin in _MISNAMED.items() if begin.match(text)), None)


def compound_kind(content: bytes) -> str | None:
    """What an Office file is that is no archive; None for anything else."""
    if not content.startswith(_COMPOUND):
        return None
    return ENCRYPTED if _PACKAGE in content else OLD_FORMAT


def likeliest_header(lines: Iterable[str]) -> str:
    """Of some lines the first of those that have most cells alike to a known name; no longer than need be shown.

    Product keys are masked, one that the end would cut too.
    """
    return mask_in_name(max(lines, key=_known)[: 2 * _LONGEST_LINE])[:_LONGEST_LINE]


def cells_of(line: str) -> list[str]:
    """The cells that a line may have had, without blanks and quotation marks at their ends."""
    return [cell.strip(' \u00a0\r"') for cell in _SEPARATES.split(line)]


def _known(line: str) -> int:
    return sum(nearest_column(cell) is not None for cell in cells_of(line[:_LONGEST_LINE])[:_MOST_CELLS])
