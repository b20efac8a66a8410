"""Records by their position, without reading whole columns: a sidecar of what matching compares."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.arrays import Ints, ranges
from pipeline.match import fingerprint
from pipeline.registry.sidecars import Sidecar, looked_at
from schemas.device import COMPONENT_TYPES
from schemas.registry import RECORD_TYPES

COLUMNS = ("event", "device_id", "tenant_id", "partner_id", "registered_via", *COMPONENT_TYPES)
"""What `records` is asked for."""

_BATCH_ROWS = 65_536
_CHECKED: dict[str, pl.DataType] = {**{name: RECORD_TYPES[name] for name in COLUMNS}, "check": pl.Int64()}
_SCHEMA = pl.DataFrame(schema=_CHECKED).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
"""`check` is a fingerprint of the record and its position."""

_ABSENT, _BETWEEN = "\0", "\x1e"
"""What stands in a fingerprint for a value that is null, and between those of a list."""


def _records(data_file: Path) -> Iterator[pa.RecordBatch]:
    first = 0
    with pq.ParquetFile(data_file) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(COLUMNS)):
            rows = pl.DataFrame(batch).select(pl.col(name).cast(RECORD_TYPES[name]) for name in COLUMNS)
            checked = rows.with_columns(_checks(rows, np.arange(first, first + rows.height)))
            yield from (
                checked.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(_SCHEMA).combine_chunks().to_batches()
            )
            first += rows.height


def _checks(rows: pl.DataFrame, positions: Ints) -> pl.Series:
    texts = [
        pl.col(name).list.join(_BETWEEN) if isinstance(dtype, pl.List) else pl.col(name).cast(pl.String)
        for name, dtype in _CHECKED.items()
        if name in COLUMNS
    ]
    numbered = rows.with_columns(position=pl.Series(positions).cast(pl.String))
    checks = fingerprint("record", pl.col("position"), *(text.fill_null(_ABSENT) for text in texts))
    return numbered.select(check=checks)["check"]


SIDECAR = Sidecar("records", _SCHEMA, _records, lambda _: 0)


@looked_at
def take(data_file: Path, rows: Ints) -> pl.DataFrame | None:
    """Rows of a data file by position, ascending, with the columns of `COLUMNS`; None where there is no sidecar.

    Raises:
        RegistryError: one of them is damaged.
    """
    sidecar = SIDECAR.open(data_file)
    if sidecar is None:
        return None
    ends = np.cumsum([sidecar.get_batch(at).num_rows for at in range(sidecar.num_record_batches)])
    taken = [_SCHEMA.empty_table()]
    for at in np.unique(np.searchsorted(ends, rows, side="right")):
        first = ends[at - 1] if at else 0
        own = rows[(rows >= first) & (rows < ends[at])] - first
        batch = sidecar.get_batch(at)
        if not all(_holds(column, own) for column in batch.columns):
            raise SIDECAR.damage(data_file)
        taken.append(pa.Table.from_batches([batch.take(pa.array(own))]).cast(_SCHEMA))
    frame = pl.DataFrame(pa.concat_tables(taken)).select(pl.col(name).cast(dtype) for name, dtype in _CHECKED.items())
    if frame.height != len(rows) or not frame["check"].equals(_checks(frame, rows), check_names=False):
        raise SIDECAR.damage(data_file)
    return frame.drop("check")


def _holds(column: pa.Array, rows: Ints) -> bool:
    """Whether the values of some rows lie within what a column holds: a library follows an offset wherever it leads."""
    is_list = pa.types.is_large_list(column.type)
    if not rows.size or not (is_list or pa.types.is_large_string(column.type)):
        return True
    offsets = np.frombuffer(column.buffers()[1], np.int64)
    if len(offsets) < rows.max() + 2:
        return False
    first, last = offsets[rows], offsets[rows + 1]
    size = len(column.values) if is_list else len(column.buffers()[2] or b"")
    if (first < 0).any() or (last < first).any() or (last > size).any():
        return False
    return not is_list or _holds(column.values, ranges(first, last))
