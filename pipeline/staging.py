"""The wide part of rows, on disk between decoding and publishing, so that memory holds only what matching needs."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

WIDE_TYPES: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "file_no": pl.UInt32(),
    "source_line": pl.UInt32(),
    "header_no": pl.UInt32(),
    "raw_record": pl.String(),
    "serial_number": pl.String(),
    "windows_product_id": pl.String(),
    "manufacturer": pl.String(),
    "model": pl.String(),
    "group_tag": pl.String(),
    "assigned_user": pl.String(),
    "hash_blob": pl.Binary(),
    "hardware_hash_id": pl.String(),
    "captured_at": pl.Datetime("us", "UTC"),
    "hash_serial_number": pl.String(),
    "hash_manufacturer": pl.String(),
    "hash_model": pl.String(),
    "hash_product_id": pl.String(),
    "smbios_uuid": pl.String(),
    "tpm_ek_id": pl.String(),
    "mac_addresses": pl.List(pl.String),
    "disk_serials": pl.List(pl.String),
}
_SCHEMA = pl.DataFrame(schema=WIDE_TYPES).to_arrow(compat_level=pl.CompatLevel.oldest()).schema

_BATCH_ROWS = 4_096
"""Rows read back at once, about 25 MB; with four times as many a run took 115 MB more and no less time."""


class Staging:
    """One file of wide rows, written once and read once or twice.

    With a path of None nothing is kept, for checks that publish nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="lz4") if path else None

    def write(self, rows: pl.DataFrame) -> None:
        """Add rows, in the order of `row`."""
        if self._writer:
            wide = rows.select(pl.col(name).cast(dtype) for name, dtype in WIDE_TYPES.items())
            self._writer.write_table(wide.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(_SCHEMA))

    def close(self) -> None:
        """No more rows."""
        if self._writer:
            self._writer.close()

    def batches(self) -> Iterator[pl.DataFrame]:
        """The rows in order, some at a time."""
        if self._path is None:
            return
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(_BATCH_ROWS):
                frame = pl.DataFrame(pa.Table.from_batches([batch]))
                yield frame.select(pl.col(name).cast(dtype) for name, dtype in WIDE_TYPES.items())
