"""Frames in files that are mapped, not read: what is looked at costs memory, and such as the system can take back."""

import os
from pathlib import Path

import polars as pl
import pyarrow as pa


def write_mapped(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as `mapped` takes it."""
    frame.write_ipc(path, compression="uncompressed")


def mapped(path: Path) -> pl.DataFrame:
    """The frame that was written to a file, which may be removed meanwhile, and is never written again."""
    if os.name == "nt":  # where no file is removed that is mapped
        return pl.read_ipc(path)
    with pa.ipc.open_file(pa.memory_map(str(path))) as file:
        return pl.DataFrame(file.read_all())
