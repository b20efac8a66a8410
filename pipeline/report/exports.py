"""CSV that a partner can act on: what is wrong with each row, and the rows themselves to correct and send again."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import polars as pl

from pipeline.ingest.fields import split_lines
from pipeline.ingest.layout import Header
from pipeline.ingest.secrets import MASK, mask_product_keys
from schemas.reasons import CATALOGUE

_FORMULA = r"^[ \t\r\n\x{a0}]*[=+\-@]"
_LONGEST_FOLDER = 120
_PLAIN_NAME = re.compile(r"(?!\.)[\w .-]+(?<![. ])")
_RESERVED = frozenset({"index.html", "report.json"})
_TENANT_COLUMN = "Tenant ID"
_SHOWN = 2
"""Characters shown at each end of a masked value; shorter ones than three times that are not shown at all."""

_NOT_RESENT = ["RECORD_BEFORE_HEADER", "RECORD_REPEATED_HEADER"]
_ERROR_COLUMNS = ("source_file", "source_line", "serial_number", "reason", "reasons")
_TEXTS = ("sentence", "remedy", "owner", "microsoft")


def partner_folder(partner_id: str) -> str:
    """A safe folder name for a partner: itself where it is plain, else percent-encoded. No name becomes a path.

    No two partners share one: a name that is too long is cut, and ends as no encoded name can, in its digest.
    """
    if _PLAIN_NAME.fullmatch(partner_id) and partner_id not in _RESERVED and len(partner_id) <= _LONGEST_FOLDER:
        return partner_id
    encoded = quote(partner_id, safe="").replace(".", "%2E")
    if "%" in encoded and len(encoded) <= _LONGEST_FOLDER:
        return encoded
    return f"{encoded[:_LONGEST_FOLDER]}%~{hashlib.sha256(partner_id.encode()).hexdigest()[:32]}"


_LINE_TYPES = {"at": pl.UInt32, "line": pl.String}


@dataclass(frozen=True, slots=True)
class _Form:
    """How a partner's rejected rows are written.

    Attributes:
        columns: for what each column holds (a canonical name, or the name as written) its name in the header line.
            A tenant column is added where the rows come from several tenants' folders.
        delimiter: between the fields.
    """

    columns: dict[str, str]
    delimiter: str


class Exports:
    """Writes `errors.csv` and `resubmit.csv` of every partner, batch by batch."""

    def __init__(self, folder: Path, rejected: pl.DataFrame, files: pl.DataFrame, headers: list[list[Header]]) -> None:
        """Begin the files of every partner that delivered anything.

        Args:
            folder: the report's folder.
            rejected: one row a rejected record: `file_no`, `header_no`.
            files: one row a manifest, by position: `partner_id`, `tenant_folder`, `delimiter`.
            headers: header lines of each manifest.
        """
        self._folder = folder
        self._headers: list[Header] = []
        self._places = self._placed(rejected, files, headers)
        self._forms: dict[str, _Form] = {}
        for partner_id in files["partner_id"].drop_nulls().unique().sort():
            (folder / partner_folder(partner_id)).mkdir(parents=True, exist_ok=True)
            form = self._forms[partner_id] = self._form(self._places.filter(pl.col("partner_id") == partner_id))
            written = pl.Series([list(form.columns.values())], dtype=pl.List(pl.String))
            names = _without_danger(written.list.eval(mask_product_keys(pl.element())))
            self._append(partner_id, "errors.csv", ",".join((*_ERROR_COLUMNS, *_TEXTS)) + "\n")
            self._append(partner_id, "resubmit.csv", "".join(_lines(names, form.delimiter)) if form.columns else "")

    def _placed(self, rejected: pl.DataFrame, files: pl.DataFrame, headers: list[list[Header]]) -> pl.DataFrame:
        """One row a header of a manifest that rejected rows stand below, in order.

        Its `header` is the position in `_headers`, which has each different header once; null where there is none.
        """
        used = rejected.select("file_no", "header_no").unique().sort("file_no", "header_no")
        numbers: dict[Header, int] = {}
        for file_no, header_no in used.iter_rows():
            if header_no is not None:
                numbers.setdefault(headers[file_no][header_no], len(numbers))
        self._headers = list(numbers)
        own = [None if at is None else numbers[headers[file_no][at]] for file_no, at in used.iter_rows()]
        of_file = files[used["file_no"]].select("partner_id", "tenant_folder", file_delimiter="delimiter")
        return pl.concat([used, of_file], how="horizontal").with_columns(header=pl.Series(own, dtype=pl.UInt32))

    def _form(self, places: pl.DataFrame) -> _Form:
        """The form that all headers of a partner's rejected rows fit into; a single header stays as it is."""
        headers = [self._headers[number] for number in places["header"].drop_nulls().unique(maintain_order=True)]
        columns: dict[str, str] = {}
        for header in headers:
            for name, key in zip(header.cells, _keys(header), strict=True):
                columns.setdefault(key, name)
        if columns and places["tenant_folder"].n_unique() > 1:
            columns.setdefault("tenant", _TENANT_COLUMN)
        return _Form(columns, headers[0].delimiter if headers else ",")

    def write(self, rejected: pl.DataFrame) -> None:
        """Add rejected rows: columns of the rejected set, with `file_no` and `header_no`, in order."""
        for (partner_id,), mine in rejected.drop_nulls("partner_id").group_by("partner_id", maintain_order=True):
            partner, form = str(partner_id), self._forms[str(partner_id)]
            self._append(partner, "errors.csv", _errors(mine).write_csv(include_header=False))
            resent = mine.filter((pl.col("source_line") > 0) & ~pl.col("reason").is_in(_NOT_RESENT))
            places = self._places.drop("partner_id")
            placed = resent.join(
                places, on=["file_no", "header_no"], how="left", nulls_equal=True, maintain_order="left", validate="m:1"
            ).with_row_index("at")
            parts = placed.partition_by("header", "file_delimiter", maintain_order=True)
            lines = pl.concat([pl.DataFrame(schema=_LINE_TYPES), *(self._resubmitted(rows, form) for rows in parts)])
            self._append(partner, "resubmit.csv", "".join(lines.sort("at")["line"]))

    def _append(self, partner_id: str, name: str, text: str) -> None:
        with (self._folder / partner_folder(partner_id) / name).open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    def _resubmitted(self, rows: pl.DataFrame, form: _Form) -> pl.DataFrame:
        """The original cells of rows below one header, in the columns of the form: `at` and `line`.

        A line that does not fit its header is given as it is, and the tenant behind it where the form adds one.
        """
        number = rows["header"][0]
        if number is None:
            delimiter = rows["file_delimiter"][0] or ","
            cells = rows["raw_record"].str.split(delimiter)
        else:
            cells = _in_form(rows, self._headers[number], form)
        return pl.DataFrame({"at": rows["at"], "line": _lines(_without_danger(cells), form.delimiter)}, _LINE_TYPES)


def _in_form(rows: pl.DataFrame, header: Header, form: _Form) -> pl.Series:
    own = {key: at for at, key in enumerate(_keys(header))}
    tenant = pl.col("tenant_folder").fill_null("")
    cells = [
        pl.col("fields").list.get(own[key]) if key in own else tenant if key == "tenant" else pl.lit("")
        for key in form.columns
    ]
    behind = [] if "tenant" in own or "tenant" not in form.columns else [tenant]
    ragged = pl.col("fields").is_null()
    split = {
        "fields": split_lines(rows["raw_record"], header.delimiter, len(own), header.least),
        "raw": rows["raw_record"].str.split(header.delimiter),
    }
    lines = pl.DataFrame(split).with_columns(rows["tenant_folder"])
    return lines.select(
        pl.when(ragged).then(pl.concat_list("raw", *behind)).otherwise(pl.concat_list(cells))
    ).to_series()


def _keys(header: Header) -> tuple[str, ...]:
    """What each column holds; of unknown columns of one name each has a key of its own."""
    return tuple(
        column or f"as written, {header.cells[:at].count(name)}: {name}"
        for at, (name, column) in enumerate(zip(header.cells, header.columns, strict=True))
    )


def _without_danger(cells: pl.Series) -> pl.Series:
    """Cells that a spreadsheet would run, or that held a product key, are left empty."""
    cell = pl.element()
    bad = cell.str.contains(_FORMULA) | cell.str.contains(MASK, literal=True)
    return cells.list.eval(pl.when(~bad).then(cell).otherwise(pl.lit("")))


def _lines(cells: pl.Series, delimiter: str) -> pl.Series:
    """CSV lines, each with its end; a field is quoted where it has to be."""
    cell = pl.element()
    special = pl.any_horizontal(cell.str.contains(mark, literal=True) for mark in (delimiter, '"', "\n"))
    quoted = pl.lit('"') + cell.str.replace_all('"', '""', literal=True) + pl.lit('"')
    return cells.list.eval(pl.when(special).then(quoted).otherwise(cell)).list.join(delimiter) + "\n"


def _errors(rows: pl.DataFrame) -> pl.DataFrame:
    serial = pl.col("serial_number")
    long_enough = serial.str.len_chars() > 3 * _SHOWN
    masked = (
        pl.when(long_enough)
        .then(pl.concat_str(serial.str.head(_SHOWN), pl.lit("***"), serial.str.tail(_SHOWN)))
        .when(serial.is_not_null())
        .then(pl.lit("***"))
    )
    texts = {
        name: pl.col("reason").replace_strict({code: str(getattr(reason, name)) for code, reason in CATALOGUE.items()})
        for name in _TEXTS
    }
    shown = rows.select(
        "source_file", "source_line", "reason", serial_number=masked, reasons=pl.col("reasons").list.join(" "), **texts
    )
    return shown.select(_safe(name) if shown.schema[name] == pl.String else name for name in (*_ERROR_COLUMNS, *_TEXTS))


def _safe(name: str) -> pl.Expr:
    """Text that no spreadsheet takes for a formula."""
    value = pl.col(name)
    return pl.when(value.str.contains(_FORMULA)).then(pl.lit("'") + value).otherwise(value).alias(name)
