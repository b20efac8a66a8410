"""Keys to the records that hold them, without a pass over the table: each data file's keys, sorted."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.arrays import Ints
from pipeline.registry.copies import Copy
from pipeline.registry.wanted import Wanted
from schemas.device import KEY_TYPES

_SCHEMA = pa.schema([("key", pa.int64()), ("record", pa.uint32())], metadata={"keys": ",".join(KEY_TYPES)})
"""Names the kinds of keys, so that an index of others is not looked at."""


def _sorted_keys(data_file: Path) -> Iterator[pa.RecordBatch]:
    for name in KEY_TYPES:
        record, key = flat_keys(pl.Series(pq.read_table(data_file, columns=[name])[name], dtype=KEY_TYPES[name]))
        order = np.argsort(key, kind="stable")
        yield pa.record_batch([pa.array(key[order]), pa.array(record[order].astype(np.uint32))], schema=_SCHEMA)


COPY = Copy("keys", _SCHEMA, _sorted_keys)
"""A batch for each column of `KEY_TYPES`, in their order; one row a record and key, ascending by key, then record."""


def find(data_file: Path, name: str, wanted: Wanted) -> pl.DataFrame | None:
    """Find records by their keys.

    Returns:
        One row a record of the file (its position there) and wanted key of this name: `record` and `key`. None where
        the file has no index.
    """
    index = COPY.open(data_file)
    if index is None:
        return None
    batch = index.get_batch(list(KEY_TYPES).index(name))
    keys = batch.column(0).to_numpy()
    hits = wanted.within(keys)
    records = batch.column(1).to_numpy()[hits]
    return pl.DataFrame({"record": pl.Series(records, dtype=pl.UInt32), "key": pl.Series(keys[hits], dtype=pl.Int64)})


def flat_keys(column: pl.Series) -> tuple[Ints, Ints]:
    """Position and key of each record of a column of keys that has one; a record with a list of them has several."""
    if isinstance(column.dtype, pl.List):
        array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
        sizes = array.value_lengths().fill_null(0).to_numpy()
        at = np.repeat(np.arange(len(column)), sizes)
        column = pl.Series(array.flatten(), dtype=pl.Int64)
    else:
        at = np.arange(len(column))
    if column.null_count():
        at = at[column.is_not_null().to_numpy()]
        column = column.drop_nulls()
    return at, column.to_numpy()
