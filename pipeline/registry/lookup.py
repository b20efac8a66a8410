"""Records by their position, without reading whole columns: a copy of what matching compares, mapped into memory.

A data file of the registry never changes, so a copy made from it is right for as long as the file exists. It lies
beside the table, is named after its file, and says how large that is; a copy that says otherwise is not looked at.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.durable import sync
from schemas.device import COMPONENT_TYPES
from schemas.registry import RECORD_TYPES

COLUMNS = ("event", "device_id", "tenant_id", "partner_id", "registered_via", *COMPONENT_TYPES)
"""What `records` is asked for."""

FOLDER = "_lookup"
"""Where copies lie; the table takes no notice of a folder of such a name."""

_SIZE = b"data file size"
_BATCH_ROWS = 65_536
_SCHEMA = (
    pl.DataFrame(schema={name: RECORD_TYPES[name] for name in COLUMNS})
    .to_arrow(compat_level=pl.CompatLevel.oldest())
    .schema
)


_SCHEMA_OF_IDS = pa.schema([_SCHEMA.field("device_id")])


def write_lookup(data_file: Path) -> None:
    """Copy what matching compares of a data file; nobody sees half a copy."""
    copy = place(data_file)
    copy.parent.mkdir(exist_ok=True)
    unfinished = copy.with_suffix(".part")
    schema = _SCHEMA.with_metadata({_SIZE: str(data_file.stat().st_size)})
    with pq.ParquetFile(data_file) as file, pa.ipc.new_file(unfinished, schema) as writer:
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(COLUMNS)):
            writer.write_table(pa.Table.from_batches([batch]).select(COLUMNS).cast(schema))
    sync(unfinished)
    unfinished.rename(copy)
    sync(copy)


def has_lookup(data_file: Path) -> bool:
    """Whether there is a copy of this data file."""
    return _open(data_file) is not None


def agrees(data_file: Path, ids: pa.Table) -> bool:
    """Whether the copy of a data file holds the devices that the file holds, in the same order."""
    copy = _open(data_file)
    return copy is not None and bool(copy.read_all().select(["device_id"]).equals(ids.cast(_SCHEMA_OF_IDS)))


def take(data_file: Path, rows: npt.NDArray[np.int64]) -> pl.DataFrame | None:
    """Rows of a data file by position, ascending, with the columns of `COLUMNS`; None where there is no copy."""
    copy = _open(data_file)
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


def place(data_file: Path) -> Path:
    """Where the copy of a data file lies, if there is one."""
    return data_file.parent / FOLDER / f"{data_file.stem}.arrow"


def _open(data_file: Path) -> pa.ipc.RecordBatchFileReader | None:
    path = place(data_file)
    if not path.exists():
        return None
    try:
        copy = pa.ipc.open_file(pa.memory_map(str(path)))
    except pa.ArrowException:
        return None
    says = (copy.schema.metadata or {}).get(_SIZE)
    fits = says == str(data_file.stat().st_size).encode() and copy.schema.names == list(COLUMNS)
    return copy if fits else None
