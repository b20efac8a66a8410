"""Records by their position, without reading whole columns: a copy of what matching compares."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.arrays import Ints
from pipeline.registry.copies import Copy
from schemas.device import COMPONENT_TYPES
from schemas.registry import RECORD_TYPES

COLUMNS = ("event", "device_id", "tenant_id", "partner_id", "registered_via", *COMPONENT_TYPES)
"""What `records` is asked for."""

_BATCH_ROWS = 65_536
_SCHEMA = (
    pl.DataFrame(schema={name: RECORD_TYPES[name] for name in COLUMNS})
    .to_arrow(compat_level=pl.CompatLevel.oldest())
    .schema
)


def _records(data_file: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(data_file) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(COLUMNS)):
            yield batch.select(COLUMNS).cast(_SCHEMA)


COPY = Copy("records", _SCHEMA, _records)


def take(data_file: Path, rows: Ints) -> pl.DataFrame | None:
    """Rows of a data file by position, ascending, with the columns of `COLUMNS`; None where there is no copy."""
    copy = COPY.open(data_file)
    if copy is None:
        return None
    ends = np.cumsum([copy.get_batch(at).num_rows for at in range(copy.num_record_batches)])
    taken = [_SCHEMA.empty_table()]
    for at in np.unique(np.searchsorted(ends, rows, side="right")):
        first = ends[at - 1] if at else 0
        own = rows[(rows >= first) & (rows < ends[at])] - first
        taken.append(pa.Table.from_batches([copy.get_batch(at).take(pa.array(own))]).cast(_SCHEMA))
    frame = pl.DataFrame(pa.concat_tables(taken))
    return frame.select(pl.col(name).cast(RECORD_TYPES[name]) for name in COLUMNS)
