"""The list of devices in the forms that people and programs read."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from pipeline.devices.listing import COLUMNS, LISTED_TYPES
from pipeline.errors import Fault, UsageError
from pipeline.report.tables import lines as csv_lines
from pipeline.report.tables import safe
from pipeline.storage.durable import sync

_BYTE_ORDER_MARK = "\ufeff"
_AT_ONCE = 20_000
"""Devices whose text is in memory at once."""

_IN_TEXT = {
    "serial_number": "SERIAL NUMBER",
    "manufacturer": "MANUFACTURER",
    "model": "MODEL",
    "group_tag": "GROUP TAG",
    "profile": "PROFILE",
    "registered": "REGISTERED",
    "partner_id": "PARTNER",
    "tenant_id": "TENANT",
    "device_id": "DEVICE ID",
}
_GAP = "  "
_LEAST_PLACES = 12
"""Of a column that is cut; with fewer, nothing of it could be told from others."""

_WIDE = (
    r"[\x{1100}-\x{115f}\x{2e80}-\x{a4cf}\x{ac00}-\x{d7a3}\x{f900}-\x{faff}\x{fe30}-\x{fe6f}\x{ff00}-\x{ff60}"
    r"\x{ffe0}-\x{ffe6}\x{1f300}-\x{1faff}]"
)
"""Characters that take two places of a terminal."""

_PARQUET = pl.DataFrame(schema=LISTED_TYPES).to_arrow().schema

_CONTROL = r"[[\p{Cc}\p{Cf}]]"


def fitting(devices: Iterable[pl.DataFrame], width: int | None) -> dict[str, int]:
    """The columns that people are shown, and the places that each has.

    Args:
        devices: as `pipeline.devices.listing.listed` gives them, some at a time.
        width: of the terminal: the widest columns are cut, and where that would leave too little of them the last
            ones are not shown. None leaves everything whole.
    """
    own = _widths(devices)
    names = list(own)
    limit = max(own.values())
    while width is not None and sum(min(own[name], limit) + len(_GAP) for name in names) - len(_GAP) > width:
        if limit > _LEAST_PLACES or len(names) == 1:
            limit -= 1
        else:
            names.pop()
            limit = max(own.values())
    return {name: min(own[name], limit) for name in names}


def missing(fits: dict[str, int]) -> list[str]:
    """Titles of the columns that are not shown."""
    return [title.lower() for name, title in _IN_TEXT.items() if name not in fits]


def texts(devices: Iterable[pl.DataFrame], fits: dict[str, int]) -> Iterator[str]:
    """Lines for people, titles first, some at a time."""
    yield _GAP.join(_IN_TEXT[name][:places].ljust(places) for name, places in fits.items()).rstrip() + "\n"
    cells = [_fitted(cell, fits[name]) for name, cell in _cells().items() if name in fits]
    for part in _slices(devices):
        lines = part.select(line=pl.concat_str(cells, separator=_GAP).str.strip_chars_end(" ") + "\n")
        yield "".join(lines["line"])


def _cells() -> dict[str, pl.Expr]:
    shown = {name: pl.col(name).cast(pl.String).fill_null("-") for name in _IN_TEXT if name != "registered"}
    day = pl.col("registered_at").dt.strftime("%Y-%m-%d").fill_null("-")
    return {
        name: (day if name == "registered" else shown[name]).str.replace_all(_CONTROL, "\N{REPLACEMENT CHARACTER}")
        for name in _IN_TEXT
    }


def _places(cell: pl.Expr) -> pl.Expr:
    return cell.str.len_chars() + cell.str.count_matches(_WIDE)


def _widths(devices: Iterable[pl.DataFrame]) -> dict[str, int]:
    """Places that the widest cell of each column needs, its title among them."""
    widest = {name: len(title) for name, title in _IN_TEXT.items()}
    for part in _slices(devices):
        found = part.select(_places(cell).max().alias(name) for name, cell in _cells().items()).row(0, named=True)
        widest = {name: max(places, found[name] or 0) for name, places in widest.items()}
    return widest


def _fitted(cell: pl.Expr, places: int) -> pl.Expr:
    """A cell in so many places: one that is longer ends in a dot for what is missing."""
    shortest = pl.when(cell.str.contains(_WIDE)).then((places - 1) // 2).otherwise(places - 1)
    cut = pl.when(_places(cell) > places).then(cell.str.head(shortest) + "\N{HORIZONTAL ELLIPSIS}").otherwise(cell)
    return cut.str.pad_end(places - cut.str.count_matches(_WIDE).cast(pl.Int64))


def json_lines(devices: Iterable[pl.DataFrame]) -> Iterator[str]:
    """One object a line, some lines at a time."""
    for part in _slices(devices):
        yield _in_words(part).write_ndjson()


def csv(devices: Iterable[pl.DataFrame]) -> Iterator[str]:
    """CSV for people, its titles first, some lines at a time."""
    yield _BYTE_ORDER_MARK + pl.select(csv_lines([pl.lit(name) for name in COLUMNS])).item()
    for part in _slices(devices):
        yield "".join(_in_words(part).select(csv_lines([safe(pl.col(name)) for name in COLUMNS])).to_series())


def _slices(devices: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for part in devices:
        yield from part.iter_slices(_AT_ONCE)


def _in_words(devices: pl.DataFrame) -> pl.DataFrame:
    moment = pl.col("registered_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return devices.with_columns(moment).select(pl.col(name).cast(pl.String) for name in COLUMNS)


def write_file(devices: Iterable[pl.DataFrame], path: Path, form: str) -> None:
    """Write CSV or Parquet; the file is there once it is whole, and replaces none.

    Raises:
        UsageError: there is something already.
        Fault: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        if form == "parquet":
            with pq.ParquetWriter(unfinished, _PARQUET, compression="zstd") as table:
                for part in devices:
                    table.write_table(part.to_arrow().cast(_PARQUET))
        else:
            with unfinished.open("w", encoding="utf-8", newline="") as file:
                file.writelines(csv(devices))
        sync(unfinished)
        path.hardlink_to(unfinished)
    except FileExistsError as error:
        message = f"file {path}: is there already; name a new one, nothing is ever overwritten"
        raise UsageError(message) from error
    except OSError as error:
        message = f"file {path}: cannot be written ({error.strerror}); name another place"
        raise Fault(message) from error
    finally:
        unfinished.unlink(missing_ok=True)
    sync(path)
