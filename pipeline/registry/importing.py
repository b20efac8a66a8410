"""Loads existing device records from CSV or Parquet into the registry."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow.parquet as pq

from pipeline.match import with_keys
from pipeline.reference.tables import manufacturer_spellings
from pipeline.registry.import_files import read_records
from pipeline.registry.import_rules import RECORD_TYPES, judged
from pipeline.registry.known_states import KnownStates
from pipeline.registry.merging import events
from pipeline.registry.recognising import recognise
from pipeline.registry.table import Registry
from pipeline.registry.writer import RegistryWriter, fill
from pipeline.storage.scratch import Scratch
from schemas.device import COMPONENT_TYPES
from schemas.registry import CHANGED, REGISTERED, RESTORED

_WRITE_ROWS = 50_000
"""Records whose hashes are in memory at once, some 100 MB of them."""

_RECOGNISED_BY = ("row", "source_line", "tenant_id", "identity", "captured_at", "registered_at", *COMPONENT_TYPES)
_STAGED_TYPES = {"row": pl.UInt32(), **RECORD_TYPES}
_STAGED_SCHEMA = pl.DataFrame(schema=_STAGED_TYPES).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did. Of the records of one device one counts; the others change nothing.

    Attributes:
        imported: records that are new registrations.
        changed: records that changed a registration.
        restored: records of removed registrations, which are live again.
        unchanged: records that changed nothing.
        refused: records without use, as line and reason.
        listed: records that are among those before, and of which something is damaged, as line and what.
    """

    imported: int
    changed: int
    restored: int
    unchanged: int
    refused: tuple[tuple[int, str], ...]
    listed: tuple[tuple[int, str], ...]


def import_records(
    registry: Registry, path: Path, spellings: pl.DataFrame | None = None, *, restore: bool = False
) -> ImportResult:
    """Bring the registry up to the records of a file, in one commit.

    A record is known again by its tenant and identity: then it changes the registration or nothing, and is never
    another one. What the file leaves empty stays as it is.

    Args:
        registry: the registry.
        path: the file.
        spellings: `pipeline.reference.tables.Reference.manufacturers`; None for the built-in ones.
        restore: removed registrations that stand in the file are live again; else their records are refused.

    Raises:
        UsageError: the file cannot be read or lacks a column.
        Fault: the registry could not be committed to.
    """
    spellings = manufacturer_spellings() if spellings is None else spellings
    known = KnownStates(registry)
    scratch = Scratch()
    try:
        with _Staged(scratch.path / "records.parquet") as staged:
            read = _Read.of(read_records(path), spellings, str(registry.version + 1), known, staged)
        decided = recognise(staged.all_rows(_RECOGNISED_BY), registry, spellings, restore=restore)
        with registry.writer() as writer:
            counts = _write(decided, staged, registry, known, writer)
            if any(counts.values()):
                registry.commit(writer)
    finally:
        scratch.close()
    refused = [*read.refused, *decided.drop_nulls("refusal").select("source_line", "refusal").iter_rows()]
    turned_down = {line for line, _ in refused}
    return ImportResult(
        imported=counts[REGISTERED],
        changed=counts[CHANGED],
        restored=counts[RESTORED],
        unchanged=read.rows - len(refused) - sum(counts.values()),
        refused=tuple(sorted(refused)),
        listed=tuple((line, damage) for line, damage in read.damaged if line not in turned_down),
    )


class _Staged:
    """Records on disk until it is known what becomes of them, so that memory holds only what they are recognised by."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = pq.ParquetWriter(path, _STAGED_SCHEMA, compression="lz4")
        self._height = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._writer.close()

    def write(self, records: pl.DataFrame) -> None:
        """Add records; they are numbered."""
        own = records.with_row_index("row", self._height).select(list(_STAGED_TYPES))
        self._height += own.height
        if own.height:
            self._writer.write_table(own.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(_STAGED_SCHEMA))

    def all_rows(self, columns: tuple[str, ...]) -> pl.DataFrame:
        """Some columns of all records, as read anew: those written hold on to the whole text that they stood in."""
        return pl.read_parquet(self._path, columns=list(columns), glob=False)

    def rows(self, wanted: pl.Series) -> pl.DataFrame:
        """Records by `row`, some numbers of which are given in order."""
        first, last = int(wanted[0]), int(wanted[-1])
        between = pl.scan_parquet(self._path, glob=False).slice(first, last - first + 1)
        return between.filter(pl.col("row").is_in(wanted.implode())).collect(engine="streaming")


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file holds.

    Attributes:
        rows: how many records.
        refused: records that are refused by themselves.
        damaged: records that are not, and of which something is damaged.
    """

    rows: int
    refused: list[tuple[int, str]]
    damaged: list[tuple[int, str]]

    @classmethod
    def of(
        cls, batches: Iterator[pl.DataFrame], spellings: pl.DataFrame, salt: str, known: KnownStates, staged: _Staged
    ) -> "_Read":
        """Read a file; the usable records that the registry does not hold as they are are staged."""
        rows = 0
        refused: list[tuple[int, str]] = []
        damaged: list[tuple[int, str]] = []
        for batch in batches:
            records = judged(batch, spellings, salt)
            rows += records.height
            refused += records.drop_nulls("refusal").select("source_line", "refusal").iter_rows()
            usable = records.filter(pl.col("refusal").is_null())
            damaged += usable.drop_nulls("damage").select("source_line", "damage").iter_rows()
            staged.write(usable.filter(~known.meet(usable)))
        return cls(rows, refused, damaged)


def _write(
    decided: pl.DataFrame, staged: _Staged, registry: Registry, known: KnownStates, writer: RegistryWriter
) -> dict[str, int]:
    """Write the events that the decided records are; how many of each."""
    counts = dict.fromkeys((REGISTERED, CHANGED, RESTORED), 0)
    counting = decided.filter(pl.col("kept") & pl.col("refusal").is_null()).select("row", "record", "ended")
    for some in counting.iter_slices(_WRITE_ROWS):
        records = staged.rows(some["row"]).join(some, on="row", how="inner", maintain_order="left", validate="1:1")
        made = events(records, registry, known)
        keyed = with_keys(made.select(list(COMPONENT_TYPES))).drop(list(COMPONENT_TYPES))
        writer.write(fill(pl.concat([made, keyed], how="horizontal")))
        for event, number in made.group_by("event").len().iter_rows():
            counts[event] += number
    return counts
