"""Keys to the records that hold them, without a pass over the table: each data file's keys, sorted."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.arrays import Ints
from pipeline.registry.key_set import KeySet
from pipeline.registry.sidecars import Sidecar, looked_at
from schemas.device import KEY_TYPES

_SCHEMA = pa.schema(
    [("key", pa.int64()), ("record", pa.uint32()), ("check", pa.uint32())], metadata={"keys": ",".join(KEY_TYPES)}
)
"""Names the kinds of keys, so that an index of others is not looked at. `check` is of a key, its record, and the key
that follows: who finds two neighbours whole knows what is between them, which is nothing."""

_ODD = np.asarray([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
"""Factors that carry each bit of a number into the upper half of the product."""


def _sorted_keys(data_file: Path) -> Iterator[pa.RecordBatch]:
    for name in KEY_TYPES:
        record, key = flat_keys(pl.Series(pq.read_table(data_file, columns=[name])[name], dtype=KEY_TYPES[name]))
        order = np.argsort(key, kind="stable")
        key, of = key[order], record[order].astype(np.uint32)
        check = _checks(key, of, np.append(key[1:], 0)[: len(key)])
        yield pa.record_batch([pa.array(key), pa.array(of), pa.array(check)], schema=_SCHEMA)


def _checks(key: Ints, record: npt.NDArray[np.uint32], following: Ints) -> npt.NDArray[np.uint32]:
    parts = (key.view(np.uint64), following.view(np.uint64), record.astype(np.uint64))
    products = [part * factor for part, factor in zip(parts, _ODD, strict=True)]
    mixed = products[0] ^ products[1] ^ products[2]
    return np.asarray(mixed >> np.uint64(32), np.uint32)


def _folded(batch: pa.RecordBatch) -> int:
    """All keys in one number, which a flipped bit of any of them changes: quicker than any other look at all."""
    return int(np.bitwise_xor.reduce(batch.column(0).to_numpy().view(np.uint64), initial=0))


SIDECAR = Sidecar("keys", _SCHEMA, _sorted_keys, _folded)
"""A batch for each column of `KEY_TYPES`, in their order; one row a record and key, ascending by key, then record."""


@looked_at
def find(data_file: Path, name: str, wanted: KeySet) -> pl.DataFrame | None:
    """Find records by their keys.

    Returns:
        One row a record of the file (its position there) and wanted key of this name: `record` and `key`. None where
        the file has no index.

    Raises:
        RegistryError: the index is damaged where it was looked at.
    """
    index = SIDECAR.open(data_file)
    if index is None:
        return None
    at = list(KEY_TYPES).index(name)
    keys = index.get_batch(at).column(0).to_numpy()
    if wanted.are_few_among(len(keys)):
        begins, hits = wanted.searched(keys)
        looked_at = np.concatenate([np.maximum(begins - 1, 0), hits])
        batch = index.get_batch(at)
    else:
        batch = SIDECAR.checked(data_file, index, at)
        looked_at = hits = wanted.among(keys)
    records, checks = batch.column(1).to_numpy(), batch.column(2).to_numpy()
    after = looked_at + 1
    following = np.where(after < len(keys), keys[np.minimum(after, len(keys) - 1)], 0)
    if not np.array_equal(_checks(keys[looked_at], records[looked_at], following), checks[looked_at]):
        raise SIDECAR.damage(data_file)
    return pl.DataFrame(
        {"record": pl.Series(records[hits], dtype=pl.UInt32), "key": pl.Series(keys[hits], dtype=pl.Int64)}
    )


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
