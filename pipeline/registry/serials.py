"""What the serial numbers of each manufacturer look like, summed up once for each data file."""

import zlib
from pathlib import Path

import polars as pl
import pyarrow as pa

from pipeline.match import serial_forms
from pipeline.registry.files import scan_columns
from pipeline.registry.sidecars import Sidecar, looked_at
from schemas.device import SERIAL_FORM_TYPES

_SCHEMA = pl.DataFrame(schema=SERIAL_FORM_TYPES).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _summary(data_file: Path) -> list[pa.RecordBatch]:
    forms = merged([_forms_of([data_file])]).to_arrow(compat_level=pl.CompatLevel.oldest())
    batches: list[pa.RecordBatch] = forms.cast(_SCHEMA).combine_chunks().to_batches()
    return batches


def _digest(batch: pa.RecordBatch) -> int:
    return zlib.crc32(batch.serialize())


SIDECAR = Sidecar("serials", _SCHEMA, _summary, _digest)


def forms_of(files: dict[Path, int], _first: int, manufacturers: pl.Series) -> pl.DataFrame:
    """One row for each of these manufacturers that has records, with the columns of `SERIAL_FORM_TYPES`.

    Files that were not summed up are read.
    """
    summed, unread = [pl.DataFrame(schema=SERIAL_FORM_TYPES)], []
    for file in files:
        summary = _summed(file)
        if summary is None:
            unread.append(file)
        else:
            summed.append(summary.filter(pl.col("manufacturer").is_in(manufacturers.implode())))
    if unread and len(manufacturers):
        summed.append(_forms_of(unread, pl.col("manufacturer").is_in(manufacturers.implode())))
    return merged(summed)


@looked_at
def _summed(file: Path) -> pl.DataFrame | None:
    sidecar = SIDECAR.open(file)
    if sidecar is None:
        return None
    batches = [SIDECAR.checked(file, sidecar, at) for at in range(sidecar.num_record_batches)]
    return pl.DataFrame(pa.Table.from_batches(batches, _SCHEMA))


def _forms_of(files: list[Path], wanted: pl.Expr | None = None) -> pl.DataFrame:
    records = scan_columns(files, "manufacturer", "serial_number")
    known = records.drop_nulls()
    return serial_forms(known if wanted is None else known.filter(wanted)).collect(engine="streaming")


def merged(forms: list[pl.DataFrame]) -> pl.DataFrame:
    """One row a manufacturer, in order, of several that may each name it."""
    lists = [pl.col(name).list.explode().drop_nulls().unique().sort() for name in ("shown", "shapes")]
    return pl.concat(forms, how="vertical_relaxed").group_by("manufacturer").agg(lists).sort("manufacturer")
