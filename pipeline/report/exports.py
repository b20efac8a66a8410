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

_NOT_RESENT = ["RECORD_REPEATED_HEADER"]
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
        self._folder, self._files, self._headers = folder, files, headers
        used = rejected.select("file_no", "header_no").unique(maintain_order=True).sort("file_no", "header_no")
        places = pl.concat([used, files[used["file_no"]].select("partner_id", "tenant_folder")], how="horizontal")
        self._forms: dict[str, _Form] = {}
        for partner_id in files["partner_id"].drop_nulls().unique().sort():
            (folder / partner_folder(partner_id)).mkdir(parents=True, exist_ok=True)
            form = self._forms[partner_id] = self._form(places.filter(pl.col("partner_id") == partner_id))
            written = pl.Series([list(form.columns.values())], dtype=pl.List(pl.String))
            names = _without_danger(written.list.eval(mask_product_keys(pl.element())))
            self._append(partner_id, "errors.csv", ",".join((*_ERROR_COLUMNS, *_TEXTS)) + "\n")
            self._append(partner_id, "resubmit.csv", _lines(names, form.delimiter) if form.columns else "")

    def _form(self, places: pl.DataFrame) -> _Form:
        """The form that all headers of a partner's rejected rows fit into; a single header stays as it is."""
        known = places.drop_nulls("header_no").select("file_no", "header_no").iter_rows()
        headers = [self._headers[file_no][header_no] for file_no, header_no in known]
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
            parts = resent.partition_by("file_no", "header_no", maintain_order=True)
            self._append(partner, "resubmit.csv", "".join(self._resubmitted(rows, form) for rows in parts))

    def _append(self, partner_id: str, name: str, text: str) -> None:
        with (self._folder / partner_folder(partner_id) / name).open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    def _resubmitted(self, rows: pl.DataFrame, form: _Form) -> str:
        """The original cells of rows below one header, in the columns of the form.

        A line that does not fit its header is given as it is, and the tenant behind it where the form adds one.
        """
        manifest = self._files.row(rows["file_no"][0], named=True)
        tenant, header_no = manifest["tenant_folder"] or "", rows["header_no"][0]
        if header_no is None:
            delimiter = manifest["delimiter"] or ","
            return _lines(_without_danger(rows["raw_record"].str.split(delimiter)), form.delimiter)
        header = self._headers[rows["file_no"][0]][header_no]
        own = {key: at for at, key in enumerate(_keys(header))}
        fields = split_lines(rows["raw_record"], header.delimiter, len(own))
        cells = [
            pl.col("fields").list.get(own[key]) if key in own else pl.lit(tenant if key == "tenant" else "")
            for key in form.columns
        ]
        behind = [] if "tenant" in own or "tenant" not in form.columns else [pl.lit(tenant)]
        ragged = pl.col("fields").is_null()
        lines = pl.DataFrame({"fields": fields, "raw": rows["raw_record"].str.split(header.delimiter)}).select(
            pl.when(ragged).then(pl.concat_list("raw", *behind)).otherwise(pl.concat_list(cells))
        )
        return _lines(_without_danger(lines.to_series()), form.delimiter)


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


def _lines(cells: pl.Series, delimiter: str) -> str:
    """CSV lines; a field is quoted where it has to be."""
    cell = pl.element()
    special = cell.str.contains(delimiter, literal=True) | cell.str.contains('"', literal=True)
    quoted = pl.lit('"') + cell.str.replace_all('"', '""', literal=True) + pl.lit('"')
    lines = cells.list.eval(pl.when(special).then(quoted).otherwise(cell)).list.join(delimiter)
    return "".join(f"{line}\n" for line in lines)


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
