"""Workbooks to text: each sheet becomes lines of tab-separated cells, one a row of it, so that lines are its rows."""

import posixpath
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from pipeline.errors import is_panic
from pipeline.ingest.stored import NO_TEXT, TEXT, Cell, as_field, value_as_field

UNREADABLE = (OSError, EOFError, ValueError, KeyError, ExpatError, CalamineError, zipfile.BadZipFile, zlib.error)
"""What reading a workbook raises when the file is at fault."""


class TooLargeError(ValueError):
    """A workbook has more text or rows than is read of one file."""


_ENDING = ".xlsx"
_MOST_SHEETS = 100
_MOST_ENTRIES = 2_000
_MOST_CELLS = 20_000_000
"""Cells of the box that a sheet's cells span, which the reader holds at 32 bytes each: two million rows of ten."""

_MOST_PACKED = 200
"""Times that an entry may have been packed, from a MiB on; cells that are all alike are packed to a hundredth."""

_LONGEST_ERROR = 20
_SMALL_ENTRY = 1 << 20
_CHUNK = 1 << 16
_SHARED, _BOOK, _LINKS = "xl/sharedStrings.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
SEPARATED = b"sep=\t\n"
"""Stands before a header of one column, as no row of the sheet."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet.

    Attributes:
        text: a line for each row from the first on, UTF-8.
        stored: by line, how its cells are stored, a letter each; rows of text alone are left out.
    """

    text: bytes
    stored: dict[int, str]

    @property
    def is_one_column(self) -> bool:
        """Whether a line says first what separates cells, since no cell would show it."""
        return self.text.startswith(SEPARATED)


@dataclass(slots=True)
class _Shape:
    """What is known of a sheet before its cells are read: their box, how often texts are used, errors by place."""

    rows: int = 0
    columns: int = 0
    shared: Counter[str] = field(default_factory=Counter)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)


def is_workbook(path: Path) -> bool:
    """Whether a file is a workbook by its name."""
    return path.suffix.lower() == _ENDING


def sheet_names(opened: Callable[[], BinaryIO]) -> tuple[str, ...]:
    """Names of a workbook's sheets, in order; none where it cannot be read."""
    try:
        with opened() as file, zipfile.ZipFile(file) as packed:
            _require_bounded([packed.getinfo(name) for name in (_LINKS, _BOOK)], _SMALL_ENTRY * 64)
            names = tuple(name for name, _ in _parts(packed))
    except UNREADABLE:
        return ()
    return names if len(set(names)) == len(names) <= _MOST_SHEETS else ()


def read_workbook(file: BinaryIO, limit: int, most_rows: int) -> dict[str, Sheet]:
    """All sheets of a workbook, by name.

    Args:
        file: the workbook, open.
        limit: most bytes of what is packed in it.
        most_rows: most rows of a sheet below its first.

    Raises:
        TooLargeError: it has more text or rows than it may.
        ValueError: (or another of `UNREADABLE`) it is broken, encrypted, or packed as nobody would.
    """
    with zipfile.ZipFile(file) as packed:
        _require_bounded(packed.infolist(), limit)
        shapes = {name: _shape(packed, part) for name, part in _parts(packed)}
        # A sheet that no list names is read by nobody, and one that two names share is read twice.
        if sum(shape.rows * shape.columns for shape in shapes.values()) > _MOST_CELLS:
            message = "its cells span more than may be read"
            raise ValueError(message)
        if any(shape.rows > most_rows + 1 for shape in shapes.values()):
            message = "a sheet has more rows than may be read"
            raise TooLargeError(message)
        _require_short(packed, shapes.values(), limit)
    file.seek(0)
    try:
        with CalamineWorkbook.from_filelike(file) as book:
            return {name: _sheet(book.get_sheet_by_name(name), shape) for name, shape in shapes.items()}
    except BaseException as error:
        if not is_panic(error):
            raise
        message = "its reader gave up"
        raise ValueError(message) from error


def _require_bounded(entries: list[zipfile.ZipInfo], limit: int) -> None:
    odd = any(
        one.file_size > max(_SMALL_ENTRY, one.compress_size * _MOST_PACKED) or one.flag_bits & 1 for one in entries
    )
    if odd or len(entries) > _MOST_ENTRIES:
        message = "it is packed as nobody would, or encrypted"
        raise ValueError(message)
    if sum(one.file_size for one in entries) > limit:
        message = "it holds more than may be read"
        raise TooLargeError(message)


def _require_short(packed: zipfile.ZipFile, shapes: Iterable[_Shape], limit: int) -> None:
    """A text that many cells share is packed once, and given to each of them."""
    if _SHARED not in packed.namelist():
        return
    sizes: list[int] = []
    parser = _parser()

    def start(name: str, _: dict[str, str]) -> None:
        if _local(name) == "si":
            sizes.append(0)

    def count(text: str) -> None:
        if sizes:
            sizes[-1] += len(text)

    parser.StartElementHandler, parser.CharacterDataHandler = start, count
    _feed(packed, _SHARED, parser)
    used: Counter[str] = sum((shape.shared for shape in shapes), Counter())
    if sum(size * used[str(number)] for number, size in enumerate(sizes)) > limit:
        message = "its texts are longer than may be read"
        raise TooLargeError(message)


def _parts(packed: zipfile.ZipFile) -> list[tuple[str, str]]:
    """Names of the sheets with the entries that hold them."""
    targets: dict[str, str] = {}
    sheets: list[tuple[str, str]] = []

    def relation(name: str, own: dict[str, str]) -> None:
        if _local(name) == "Relationship" and own["Type"].endswith("/worksheet"):
            targets[own["Id"]] = posixpath.normpath(posixpath.join("/xl", own["Target"])).lstrip("/")

    def sheet(name: str, own: dict[str, str]) -> None:
        if _local(name) == "sheet":
            sheets.append((own["name"], next(value for key, value in own.items() if _local(key) == "id")))

    _parse(packed, _LINKS, relation)
    _parse(packed, _BOOK, sheet)
    return [(name, targets[number]) for name, number in sheets if number in targets]


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _parse(packed: zipfile.ZipFile, entry: str, start: Callable[[str, dict[str, str]], None]) -> None:
    parser = _parser()
    parser.StartElementHandler = start
    _feed(packed, entry, parser)


def _parser() -> XMLParserType:
    def refuse(*_: object) -> None:
        message = "it has a document type"
        raise ValueError(message)

    parser = ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    return parser


def _feed(packed: zipfile.ZipFile, entry: str, parser: XMLParserType) -> None:
    with packed.open(entry) as part:
        while chunk := part.read(_CHUNK):
            parser.Parse(chunk, False)  # noqa: FBT003 - it takes no name
    parser.Parse(b"", True)  # noqa: FBT003


def _shape(packed: zipfile.ZipFile, entry: str) -> _Shape:
    """Look through a sheet: the reader gives a box, however few cells are in it, and nothing for errors."""
    shape, parser = _Shape(), _parser()
    row = column = 0
    is_error = False
    text: list[str] = []

    def start(name: str, own: dict[str, str]) -> None:
        nonlocal row, column, is_error
        kind = _local(name)
        if kind == "row":
            row, column = int(own.get("r", row + 1)), 0
            shape.rows = max(shape.rows, row)
        elif kind == "c":
            column += 1
            place = _PLACE.fullmatch(own.get("r", ""))
            if place:
                row, column = int(place[2]), _column(place[1])
            shape.rows, shape.columns = max(shape.rows, row), max(shape.columns, column)
            kind_of_cell = own.get("t")
            if kind_of_cell in {"e", "s"}:
                is_error = kind_of_cell == "e"
                text.clear()
                parser.CharacterDataHandler, parser.EndElementHandler = text.append, end
        elif kind == "v":
            text.clear()

    def end(name: str) -> None:
        if _local(name) != "c":
            return
        value = "".join(text)
        if is_error:
            shape.errors[row, column] = value[-_LONGEST_ERROR:]
        else:
            shape.shared[value.strip()] += 1
        parser.CharacterDataHandler = parser.EndElementHandler = None

    parser.StartElementHandler = start
    _feed(packed, entry, parser)
    return shape


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _sheet(sheet: CalamineSheet, shape: _Shape) -> Sheet:
    lines: list[str] = []
    stored: dict[int, str] = {}
    errors: dict[int, dict[int, str]] = {}
    empty = sheet.start[1] if sheet.start else 0  # columns before the first cell, which the reader leaves out
    for (row, column), error in shape.errors.items():
        errors.setdefault(row, {})[column - empty] = error
    rows: Iterator[list[Cell]] = sheet.iter_rows()
    for number, cells in enumerate(rows, 1):
        texts, kinds = [], []
        for cell in cells:
            text, kind = (as_field(cell), TEXT) if isinstance(cell, str) else value_as_field(cell)
            texts.append(text)
            kinds.append(kind)
        for column, error in errors.get(number, {}).items():
            if column <= len(texts):
                texts[column - 1], kinds[column - 1] = as_field(error or "#N/A"), NO_TEXT
        lines.append("\t".join(texts))
        how = "".join(kinds)
        if how.strip(TEXT):
            stored[number] = how
    return Sheet("".join(f"{line}\n" for line in lines).encode(), stored)
