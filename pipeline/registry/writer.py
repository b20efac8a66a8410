"""Writes the data files of the registry."""

import uuid
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.durable import sync
from pipeline.registry import log
from pipeline.registry.digests import DigestingFile
from schemas.registry import RECORD_TYPES, REGISTRY_RECORD

_OF_FEW_VALUES = ["event", "tenant_id", "partner_id", "registered_via", "run_id", "identity", "manufacturer", "model"]
"""Columns whose values repeat; a dictionary of the others would only cost time."""

ARROW_SCHEMA = pl.DataFrame(schema=RECORD_TYPES).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


class RegistryWriter:
    """Writes one data file of the registry, batch by batch; a file that is not handed over is gone at the end."""

    def __init__(self, folder: Path, version: int, schema: pa.Schema = ARROW_SCHEMA) -> None:
        """Begin a file.

        Args:
            folder: the registry's.
            version: the one that the commit of these records will make.
            schema: its columns, with those that a later version of the program has added.
        """
        self._schema = schema
        self._version = version
        self._path = folder / f"part-{uuid.uuid4()}.parquet"
        self._file: DigestingFile | None = None
        self._writer: pq.ParquetWriter | None = None
        self._rows = 0
        self._handed_over = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave nothing behind that was not handed over to a commit."""
        if not self._handed_over:
            self.discard()

    def write(self, records: pl.DataFrame) -> None:
        """Add records, one row a device, with the columns of `schemas.registry.RECORD_TYPES`, without `version`."""
        if records.is_empty():
            return
        dated = records.with_columns(version=pl.lit(self._version, pl.Int64))
        checked = REGISTRY_RECORD.validate(dated.select(list(RECORD_TYPES)))
        self._append(checked.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(ARROW_SCHEMA))

    def copy(self, batch: pa.RecordBatch) -> None:
        """Add records of another file of the registry, as they are; columns that it lacks are null."""
        columns = [
            batch.column(field.name) if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
            for field in self._schema
        ]
        self._append(pa.Table.from_arrays(columns, names=self._schema.names).cast(self._schema))

    def _append(self, records: pa.Table) -> None:
        if self._file is None or self._writer is None:
            self._file = DigestingFile(self._path)
            self._writer = pq.ParquetWriter(
                self._file, self._schema, compression="zstd", use_dictionary=_OF_FEW_VALUES
            )
        self._writer.write_table(records)
        self._rows += records.num_rows

    def hand_over(self) -> list[log.Action]:
        """Finish the file and make it durable; what the commit has to name."""
        self._handed_over = True
        if self._file is None or self._writer is None:
            return []
        self._writer.add_key_value_metadata(self._file.seal())
        self._writer.close()
        self._file.close()
        begun, self._path = self._path, self._file.named(self._path)
        begun.rename(self._path)
        sync(self._path)
        return [log.add(self._path, self._rows)]

    def files(self) -> list[Path]:
        """The files that hold the records; none where there are no records."""
        return [self._path] if self._writer else []

    def discard(self) -> None:
        """Take the file away again."""
        if self._file is not None and self._writer is not None:
            self._writer.close()
            self._file.close()
            self._path.unlink(missing_ok=True)


def fill(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with every column of a registry record; those they lack are null."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None).alias(name)).cast(dtype)
        for name, dtype in RECORD_TYPES.items()
    )
