"""Copies of what matching reads of a data file, uncompressed and mapped into memory, in an order that it is found by.

A data file of the registry never changes, so a copy made from it is right for as long as the file exists. It lies
beside the table, is named after its file, and says how large that is; a copy that says otherwise is not looked at.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.durable import sync

FOLDER = "_lookup"
"""Where copies lie; the table takes no notice of a folder of such a name."""

_SIZE = b"data file size"


@dataclass(frozen=True, slots=True)
class Copy:
    """A kind of copy.

    Attributes:
        name: of the kind, part of the names of its files.
        schema: its columns.
    """

    name: str
    schema: pa.Schema

    def place(self, data_file: Path) -> Path:
        """Where the copy of a data file lies, if there is one."""
        return data_file.parent / FOLDER / f"{data_file.stem}.{self.name}.arrow"

    def write(self, data_file: Path, batches: Iterable[pa.RecordBatch]) -> None:
        """Make the copy of a data file; nobody sees half of one."""
        copy = self.place(data_file)
        copy.parent.mkdir(exist_ok=True)
        unfinished = copy.with_suffix(".part")
        schema = self.schema.with_metadata({_SIZE: str(data_file.stat().st_size)})
        with pa.ipc.new_file(unfinished, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        sync(unfinished)
        unfinished.rename(copy)
        sync(copy)

    def open(self, data_file: Path) -> pa.ipc.RecordBatchFileReader | None:
        """The copy of a data file; None where there is none that fits."""
        path = self.place(data_file)
        if not path.exists():
            return None
        try:
            copy = pa.ipc.open_file(pa.memory_map(str(path)))
        except pa.ArrowException:
            return None
        says = (copy.schema.metadata or {}).get(_SIZE)
        fits = says == str(data_file.stat().st_size).encode() and copy.schema.names == self.schema.names
        return copy if fits else None
