"""Rows on disk between decoding and publishing, so that memory holds only what matching needs.

One file holds the rows of one part, written once and read once, for publishing. A verified hash is kept as its bytes
alone: its text in the record follows from them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from pipeline.rows import identified
from schemas.columns import TEXT_CELLS
from schemas.device import DECODED_TYPES

_WIDE_ONLY = ("raw_record", "hash_at", "hash_blob", "hardware_hash_id")

NARROW_TYPES: dict[str, pl.DataType] = {
    "file_no": pl.UInt32(),
    "source_line": pl.UInt32(),
    "header_no": pl.UInt32(),
    "partner_id": pl.String(),
    "request_kind": pl.String(),
    "record_fault": pl.String(),
    "tenant_claim": pl.String(),
    "tenant_unread": pl.Boolean(),
    **dict.fromkeys(TEXT_CELLS, pl.String()),
    "column_ignored": pl.Boolean(),
    "encoding_mixed": pl.Boolean(),
    "field_count": pl.String(),
    "spoilt_cells": pl.String(),
    "value_trimmed": pl.Boolean(),
    "product_key_exposed": pl.Boolean(),
    "has_hash": pl.Boolean(),
    "identity_key": pl.Int64(),
    **{name: dtype for name, dtype in DECODED_TYPES.items() if name not in _WIDE_ONLY},
}
"""What rows are judged by."""

WIDE_TYPES: dict[str, pl.DataType] = {
    **NARROW_TYPES,
    "raw_record": pl.String(),
    "hash_at": pl.UInt32(),
    "hash_blob": pl.Binary(),
    "hardware_hash_id": pl.String(),
    "corrects": pl.String(),
    "unheaded": pl.String(),
    "other_names": pl.String(),
}
"""All that is kept of a row. Where `hash_at` is not null, `raw_record` lacks the hash, which stood after so many
characters."""

_SCHEMA = pl.DataFrame(schema=WIDE_TYPES).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
"""Types whose values lie one after the other: others would bring along all that they are parts of."""
_BATCH_ROWS = 32_768
"""Rows given back at once, at least where there are as many, since what is done with a batch costs nearly as much for
few rows as for many."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that were staged together.

    Attributes:
        path: the file.
        rows: how many rows it holds.
        first: the smallest `row` among them.
        last: the largest.
    """

    path: Path
    rows: int
    first: int
    last: int


class PartWriter:
    """Writes one file of rows, batch by batch."""

    def __init__(self, path: Path) -> None:
        self._writer = pa.ipc.new_file(str(path), _SCHEMA)

    def write(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add rows with the columns of `WIDE_TYPES`; those of `NARROW_TYPES`, which hold on to nothing else."""
        wide = rows.select(pl.col(name).cast(dtype) for name, dtype in WIDE_TYPES.items())
        table = wide.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(_SCHEMA)
        self._writer.write_table(table)
        return pl.DataFrame(table.select(list(NARROW_TYPES))).select(
            pl.col(name).cast(dtype) for name, dtype in NARROW_TYPES.items()
        )

    def close(self) -> None:
        """No more rows."""
        self._writer.close()


class Staging:
    """The rows of a run, in files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: list[Part] = []
        folder.mkdir()

    def part(self, *numbers: int) -> Path:
        """Where to write a file of rows; the numbers tell it from others."""
        return self.folder / ("rows-" + "-".join(map(str, numbers)) + ".arrow")

    def add(self, part: Part) -> None:
        """Let the rows of a part follow those before."""
        self._parts.append(part)

    @property
    def parts(self) -> list[Part]:
        """All parts, in order."""
        return list(self._parts)

    def bundles(self, rows: int) -> Iterator[list[Part]]:
        """All parts in order, neighbours together until they have so many rows."""
        bundle: list[Part] = []
        for part in self._parts:
            bundle.append(part)
            if sum(one.rows for one in bundle) >= rows:
                yield bundle
                bundle = []
        if bundle:
            yield bundle

    def batches(self) -> Iterator[pl.DataFrame]:
        """All rows, some at a time, with `row`."""
        return batches(self._parts)


def batches(parts: Iterable[Part]) -> Iterator[pl.DataFrame]:
    """The rows of some parts, some at a time, with `row` and the columns of `WIDE_TYPES`."""
    return identified(in_groups(_rows(parts), _BATCH_ROWS))


def _rows(parts: Iterable[Part]) -> Iterator[pl.DataFrame]:
    for part in parts:
        with pa.ipc.open_file(pa.memory_map(str(part.path))) as file:
            for number in range(file.num_record_batches):
                yield pl.DataFrame(file.get_batch(number))


def in_groups(batches: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in groups of at least so many."""
    group: list[pl.DataFrame] = []
    height = 0
    for batch in batches:
        group.append(batch)
        height += batch.height
        if height >= rows:
            yield pl.concat(group)
            group, height = [], 0
    if group:
        yield pl.concat(group)


def whole_record() -> pl.Expr:
    """The record as delivered, of rows with the columns of `WIDE_TYPES`: with its hash, if that was left out.

    Base64 of bytes that zeros follow is that of the bytes alone and a letter `A` for each six bits more.
    """
    raw, at = pl.col("raw_record"), pl.col("hash_at")
    chars = (pl.col("hash_bytes") * 4 + 2) // 3
    bare = pl.col("hash_blob").bin.encode("base64").str.strip_chars_end("=").str.pad_end(chars, "A")
    text = bare.str.pad_end((chars + 3) // 4 * 4, "=")
    return pl.when(at.is_null()).then(raw).otherwise(raw.str.slice(0, at) + text + raw.str.slice(at))
