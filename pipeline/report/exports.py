"""CSV that a partner can act on: what is wrong with each row, and the rows themselves to correct and send again."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import polars as pl

from pipeline.ingest.fields import split_lines
from pipeline.ingest.layout import CELLS as MANIFEST_CELLS
from pipeline.ingest.layout import Header
from pipeline.ingest.records import MOST_COLUMNS
from pipeline.ingest.secrets import MASK, mask_product_keys
from schemas.kinds import REGISTRATION
from schemas.reasons import CATALOGUE

_FORMULA = r"(?s)(^|[;\t\r\n])[ \t\r\n\x{a0}\"']*[=+\-@]."
"""Text that a spreadsheet takes for a formula, also one that separates fields by another character than we do: to it
our quotation marks in the middle of what it takes for a field protect nothing."""

_BYTE_ORDER_MARK, _LINE_END = "\ufeff", "\r\n"
_LONGEST_FOLDER = 120
_PLAIN_NAME = re.compile(r"(?!\.)[\w .-]+(?<![. ])")
_RESERVED = frozenset({"index.html", "report.json"})
_TENANT_COLUMN = "Tenant ID"
_SHOWN = 2
"""Characters shown at each end of a masked value; shorter ones than three times that are not shown at all."""

_NOT_RESENT = ["RECORD_BEFORE_HEADER", "RECORD_REPEATED_HEADER"]
_ERROR_COLUMNS = ("source_file", "source_line", "serial_number", "reason", "reasons", "in_resubmit")
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
    """

    columns: dict[str, str]


class Exports:
    """Writes `errors.csv` and `resubmit.csv` of every partner, batch by batch."""

    def __init__(self, folder: Path, rejected: pl.DataFrame, files: pl.DataFrame, headers: list[list[Header]]) -> None:
        """Begin the files of every partner that delivered anything.

        Args:
            folder: the report's folder.
            rejected: one row a rejected record: `request_kind`, `file_no`, `header_no`.
            files: one row a manifest, by position: `partner_id`, `tenant_folder`, `delimiter`.
            headers: header lines of each manifest.
        """
        self._folder = folder
        self._headers: list[Header] = []
        self._places = self._placed(rejected.filter(request_kind=REGISTRATION), files, headers)
        self._forms: dict[str, _Form] = {}
        for partner_id in files["partner_id"].drop_nulls().unique().sort():
            (folder / partner_folder(partner_id)).mkdir(parents=True, exist_ok=True)
            form = self._forms[partner_id] = self._form(self._places.filter(pl.col("partner_id") == partner_id))
            written = pl.Series([list(form.columns.values())], dtype=pl.List(pl.String))
            names = _without_danger(written.list.eval(mask_product_keys(pl.element())))
            titles = pl.Series([[*_ERROR_COLUMNS, *_TEXTS]], dtype=pl.List(pl.String))
            self._append(partner_id, "errors.csv", _BYTE_ORDER_MARK + _lines(titles)[0])
            self._append(partner_id, "resubmit.csv", _BYTE_ORDER_MARK + _lines(names)[0] if form.columns else "")

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
                if key in MANIFEST_CELLS or len(columns) < MOST_COLUMNS:
                    columns.setdefault(key, name)
        if columns and places["tenant_folder"].n_unique() > 1:
            columns.setdefault("tenant", _TENANT_COLUMN)
        return _Form(columns)

    def write(self, rejected: pl.DataFrame) -> None:
        """Add rejected rows: columns of the rejected set, with `file_no` and `header_no`, in order."""
        for (partner_id,), mine in rejected.drop_nulls("partner_id").group_by("partner_id", maintain_order=True):
            partner, form = str(partner_id), self._forms[str(partner_id)]
            # What shall leave must never come back among what shall be registered.
            registers = pl.col("request_kind") == REGISTRATION
            resent = mine.filter(registers & (pl.col("source_line") > 0) & ~pl.col("reason").is_in(_NOT_RESENT))
            places = self._places.drop("partner_id")
            placed = resent.join(
                places, on=["file_no", "header_no"], how="left", nulls_equal=True, maintain_order="left", validate="m:1"
            ).with_row_index("at")
            parts = placed.partition_by("header", "file_delimiter", maintain_order=True)
            lines = pl.concat([pl.DataFrame(schema=_LINE_TYPES), *(self._resubmitted(rows, form) for rows in parts)])
            lines = lines.sort("at")
            self._append(partner, "resubmit.csv", "".join(lines["line"].drop_nulls()))
            back = resent.select("source_file", "source_line", in_resubmit=lines["line"].is_not_null())
            self._append(partner, "errors.csv", "".join(_errors(mine, back)))

    def _append(self, partner_id: str, name: str, text: str) -> None:
        with (self._folder / partner_folder(partner_id) / name).open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    def _resubmitted(self, rows: pl.DataFrame, form: _Form) -> pl.DataFrame:
        """The original cells of rows below one header, in the columns of the form: `at` and `line`.

        A line that does not fit its header is given as it is, and the tenant behind it where the form adds one. One
        with a cell that could do harm is left out, its `line` null: nothing of it is changed on the way back.
        """
        number = rows["header"][0]
        if number is None:
            delimiter = rows["file_delimiter"][0] or ","
            cells = rows["raw_record"].str.split(delimiter)
        else:
            cells = _in_form(rows, self._headers[number], form)
        lines = pl.DataFrame({"at": rows["at"], "line": _lines(cells)}, _LINE_TYPES)
        harm = cells.list.eval(_is_danger(pl.element()).any()).list.first()
        return lines.with_columns(line=pl.when(~harm.fill_null(value=False)).then("line"))


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
    seen: Counter[str] = Counter()
    keys = []
    for name, column in zip(header.cells, header.columns, strict=True):
        keys.append(column or f"as written, {seen[name]}: {name}")
        seen[name] += 1
    return tuple(keys)


def _without_danger(cells: pl.Series) -> pl.Series:
    """Cells that could do harm are left empty."""
    cell = pl.element()
    return cells.list.eval(pl.when(~_is_danger(cell)).then(cell).otherwise(pl.lit("")))


def _is_danger(cell: pl.Expr) -> pl.Expr:
    """Whether a spreadsheet would run a cell, or it held a product key."""
    return cell.str.contains(_FORMULA) | cell.str.contains(MASK, literal=True)


def _lines(cells: pl.Series) -> pl.Series:
    """CSV lines, each with its end; every field is quoted."""
    cell = pl.element().fill_null("")
    quoted = pl.lit('"') + cell.str.replace_all('"', '""', literal=True) + pl.lit('"')
    return cells.list.eval(quoted).list.join(",") + _LINE_END


def _errors(rows: pl.DataFrame, resent: pl.DataFrame) -> pl.Series:
    """Lines of `errors.csv`; `resent` tells of the rows that could be sent again whether they are in `resubmit.csv`."""
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
    keys = ["source_file", "source_line"]
    known = rows.join(resent, on=keys, how="left", maintain_order="left", validate="1:1")
    shown = known.select(
        "source_file",
        "reason",
        source_line=pl.col("source_line").cast(pl.String),
        serial_number=masked,
        reasons=pl.col("reasons").list.join(" "),
        in_resubmit=pl.when(pl.col("in_resubmit").fill_null(value=False)).then(pl.lit("yes")).otherwise(pl.lit("no")),
        **texts,
    )
    cells = pl.concat_list(pl.col(name).fill_null("").pipe(_safe) for name in (*_ERROR_COLUMNS, *_TEXTS))
    return _lines(shown.select(cells).to_series())


def _safe(value: pl.Expr) -> pl.Expr:
    """Text that no spreadsheet takes for a formula: an apostrophe stands before what would begin one."""
    return value.str.replace_all(r"""(^|[;\t\r\n])([ \t\r\n\x{a0}"']*[=+\-@])""", "${1}'${2}")
