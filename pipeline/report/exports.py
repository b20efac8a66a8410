"""CSV that a partner can act on: what is wrong with each row, and the rows themselves to correct and send again."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

import polars as pl

from pipeline.ingest.fields import split_line, split_lines
from pipeline.ingest.layout import Header
from pipeline.ingest.secrets import MASK
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
    """A safe folder name for a partner: itself where it is plain, else percent-encoded. No name becomes a path."""
    if _PLAIN_NAME.fullmatch(partner_id) and partner_id not in _RESERVED and len(partner_id) <= _LONGEST_FOLDER:
        return partner_id
    return quote(partner_id, safe="").replace(".", "%2E")[:_LONGEST_FOLDER]


@dataclass(frozen=True, slots=True)
class _Resubmission:
    """How a partner's rejected rows are written.

    Attributes:
        columns: names of the header line.
        keys: for each column what it holds: a canonical name, or the name as written.
        delimiter: between the fields.
        with_tenant: a last column names the tenant, since the rows come from several tenants' folders.
    """

    columns: tuple[str, ...]
    keys: tuple[str, ...]
    delimiter: str
    with_tenant: bool


class Exports:
    """Writes `errors.csv` and `resubmit.csv` of every partner, batch by batch."""

    def __init__(self, folder: Path, rejected: pl.DataFrame, files: pl.DataFrame, headers: list[list[Header]]) -> None:
        """Plan the files.

        Args:
            folder: the report's folder.
            rejected: one row a rejected record: `file_no`, `header_no`.
            files: one row a manifest, by position: `partner_id`, `tenant_folder`, `delimiter`.
            headers: header lines of each manifest.
        """
        self._folder, self._files, self._headers = folder, files, headers
        used = rejected.select("file_no", "header_no").unique(maintain_order=True).sort("file_no", "header_no")
        places = pl.concat([used, files[used["file_no"]].select("partner_id", "tenant_folder")], how="horizontal")
        self._plans: dict[str, _Resubmission] = {}
        self._open: dict[str, tuple[TextIO, TextIO]] = {}
        for (partner_id,), mine in places.drop_nulls("partner_id").group_by("partner_id", maintain_order=True):
            self._plans[str(partner_id)] = self._plan(mine)
        for partner_id in files["partner_id"].drop_nulls().unique().sort():
            (folder / partner_folder(partner_id)).mkdir(parents=True, exist_ok=True)

    def _plan(self, places: pl.DataFrame) -> _Resubmission:
        headers = [
            self._headers[file_no][no]
            for file_no, no in places.select("file_no", "header_no").iter_rows()
            if no is not None
        ]
        columns: dict[str, str] = {}
        for header in headers:
            for name, key in zip(header.cells, _keys(header), strict=True):
                columns.setdefault(key, name)
        several = places["tenant_folder"].n_unique() > 1
        return _Resubmission(
            columns=tuple(columns.values()),
            keys=tuple(columns),
            delimiter=headers[0].delimiter if headers else ",",
            with_tenant=several and "tenant" not in columns,
        )

    def write(self, rejected: pl.DataFrame) -> None:
        """Add rejected rows: columns of the rejected set, with `file_no` and `header_no`, in order."""
        for (partner_id,), mine in rejected.drop_nulls("partner_id").group_by("partner_id", maintain_order=True):
            errors, resubmit = self._files_of(str(partner_id))
            errors.write(_errors(mine).write_csv(include_header=False))
            resent = mine.filter((pl.col("source_line") > 0) & ~pl.col("reason").is_in(_NOT_RESENT))
            for (file_no, header_no), rows in resent.group_by("file_no", "header_no", maintain_order=True):
                resubmit.write(self._resubmitted(rows, int(str(file_no)), header_no, self._plans[str(partner_id)]))

    def _files_of(self, partner_id: str) -> tuple[TextIO, TextIO]:
        if partner_id not in self._open:
            folder, plan = self._folder / partner_folder(partner_id), self._plans[partner_id]
            errors = (folder / "errors.csv").open("w", encoding="utf-8", newline="")
            resubmit = (folder / "resubmit.csv").open("w", encoding="utf-8", newline="")
            errors.write(",".join((*_ERROR_COLUMNS, *_TEXTS)) + "\n")
            if plan.columns:
                names = [*plan.columns, *([_TENANT_COLUMN] if plan.with_tenant else [])]
                resubmit.write(_lines(pl.Series([names], dtype=pl.List(pl.String)), plan.delimiter))
            self._open[partner_id] = errors, resubmit
        return self._open[partner_id]

    def _resubmitted(self, rows: pl.DataFrame, file_no: int, header_no: object, plan: _Resubmission) -> str:
        """The rows' original cells in the plan's columns; a line that does not fit its header is given as it is."""
        manifest = self._files.row(file_no, named=True)
        if isinstance(header_no, int):
            header = self._headers[file_no][header_no]
            fields = split_lines(rows["raw_record"], header.delimiter, len(header.cells))
            own = {key: at for at, key in enumerate(_keys(header))}
            moved = (
                fields.to_frame("fields")
                .select(
                    pl.when(pl.col("fields").is_not_null()).then(
                        pl.concat_list(
                            pl.col("fields").list.get(own[key]) if key in own else pl.lit("") for key in plan.keys
                        )
                    )
                )
                .to_series()
            )
            delimiter = header.delimiter
        else:
            moved = pl.Series([None] * rows.height, dtype=pl.List(pl.String))
            delimiter = manifest["delimiter"] or ","
        whole = (
            [
                cells if cells is not None else (split_line(raw, delimiter) or raw.split(delimiter))
                for cells, raw in zip(moved, rows["raw_record"], strict=True)
            ]
            if moved.null_count()
            else moved
        )
        cells = pl.Series(whole, dtype=pl.List(pl.String))
        if plan.with_tenant:
            cells = (
                cells.to_frame("cells")
                .select(pl.concat_list("cells", pl.lit(manifest["tenant_folder"] or "")))
                .to_series()
            )
        return _lines(_without_danger(cells), plan.delimiter)

    def close(self) -> None:
        """Finish all files; a partner without rejected rows gets none."""
        for files in self._open.values():
            for file in files:
                file.close()


def _keys(header: Header) -> tuple[str, ...]:
    return tuple(column or f"as written: {name}" for name, column in zip(header.cells, header.columns, strict=True))


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
