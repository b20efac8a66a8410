"""The records of a registry: found by their keys, told by their positions, each registration as it is now."""

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.listener import Listener
from pipeline.registry import lookup
from pipeline.registry.digests import holds_only
from pipeline.registry.files import scan_batches, scan_columns, scan_records
from pipeline.registry.holders import holders
from pipeline.registry.opening import damage_told
from pipeline.registry.serials import forms_of
from schemas.registry import RECORD_TYPES, REGISTERED, REMOVED, STATES

_FOUND_TYPES = {"record": pl.UInt32(), **{name: RECORD_TYPES[name] for name in lookup.COLUMNS}}


_ENDED = (
    "device_id",
    "removal_reason",
    "tenant_id",
    "serial_number",
    "manufacturer",
    "product_id",
    "hardware_hash_id",
)


class _History(NamedTuple):
    """What became of registrations since they were made.

    Attributes:
        renewed: one row a registration that has a later state: `device_id`, and the position of the latest, `record`.
        ended: ids of those that were removed.
    """

    renewed: pl.DataFrame
    ended: pl.Series


class Records:
    """The records of some data files, taken as one, in order.

    Attributes:
        folder: where the files are.
    """

    def __init__(self, files: dict[Path, int], folder: Path) -> None:
        """Take files.

        Args:
            files: the data files, and how many records each holds.
            folder: of the registry that they belong to.
        """
        self._records, self.folder = files, folder

    # What matching asks (`pipeline.match.ExistingRecords`).

    def holders(self, name: str, wanted: pl.Series) -> pl.DataFrame:
        """One row for each record that holds one of these keys of this name: `record` and `key`."""
        with damage_told(self.folder):
            return holders(self._records, name, wanted)

    def serial_forms(self, manufacturers: pl.Series) -> pl.DataFrame:
        """What the serial numbers of these manufacturers look like."""
        with damage_told(self.folder):
            return forms_of(self._records, manufacturers)

    def records(self, positions: pl.Series, *, ended: bool = False) -> pl.DataFrame:
        """The records at these positions that are the latest state of a live registration, or of one that `ended`."""
        with damage_told(self.folder):
            return self._records_at(positions, ended=ended)

    def _records_at(self, positions: pl.Series, *, ended: bool) -> pl.DataFrame:
        wanted = np.unique(positions.cast(pl.Int64).to_numpy())
        found: list[pl.DataFrame] = [pl.DataFrame(schema=_FOUND_TYPES)]
        to_read: list[Path] = []
        places: list[pl.DataFrame] = []
        first = height = 0
        for file, records in self._records.items():
            own = wanted[(wanted >= first) & (wanted < first + records)]
            record = pl.Series("record", own, dtype=pl.UInt32)
            taken = lookup.take(file, own - first) if own.size else None
            if taken is not None:
                found.append(taken.with_columns(record))
            elif own.size:
                places.append(pl.DataFrame([record, pl.Series("at", own - first + height, dtype=pl.UInt32)]))
                to_read.append(file)
                height += records
            first += records
        if to_read:
            found.append(_read(to_read, pl.concat(places)))
        together = pl.concat(frame.select(list(_FOUND_TYPES)) for frame in found)
        return together.filter(self._is_latest(ended=ended)).drop("event").sort("record")

    def live(self) -> pl.LazyFrame:
        """Every registration that was not removed, as it is now."""
        return self.scan().with_row_index("record").filter(self._is_latest()).drop("record")

    def live_batches(self, columns: Collection[str], listener: Listener) -> Iterator[pl.DataFrame]:
        """The same, some at a time in the registry's order, with some columns, in memory that does not grow with them.

        Args:
            columns: some of `schemas.registry.RECORD_TYPES`; the others are not read.
            listener: hears how much of the registry was read.

        Raises:
            RegistryError: a data file is damaged.
        """
        read = list(dict.fromkeys(["event", "device_id", *columns]))
        listener.reading(len(self._records), sum(file.stat().st_size for file in self._records))
        first = 0
        for file, records in self._records.items():
            size = file.stat().st_size
            with damage_told(self.folder):
                for rows in scan_batches(file, read):
                    numbered = rows.with_columns(pl.int_range(first, first + rows.height).alias("record"))
                    live = numbered.filter(self._is_latest()).select(columns)
                    yield live
                    first += rows.height
                    listener.read(0, round(size * rows.height / records), live.height)
            listener.read(1, 0, 0)

    def _is_latest(self, *, ended: bool = False) -> pl.Expr:
        """Whether a record, by `record`, `event` and `device_id`, is the latest state of a live registration.

        Or, where asked for, of one that has `ended`.
        """
        ids, latest = self._history.renewed["device_id"], self._history.renewed["record"]
        original = (pl.col("event") == REGISTERED) & ~pl.col("device_id").is_in(ids.implode())
        is_latest = original | pl.col("record").is_in(latest.implode())
        has_ended = pl.col("device_id").is_in(self._history.ended.implode())
        return is_latest & (has_ended if ended else ~has_ended)

    @cached_property
    def _history(self) -> "_History":
        """What became of registrations: few of them, so all of it is held."""
        events = self._of_later_events("device_id")
        latest = events.sort(pl.col("version").fill_null(-1), maintain_order=True).group_by("device_id").last()
        states = events.filter(pl.col("event").is_in(list(STATES)))
        renewed = states.sort(pl.col("version").fill_null(-1), maintain_order=True).group_by("device_id").last()
        return _History(
            renewed=renewed.select("device_id", "record"), ended=latest.filter(pl.col("event") == REMOVED)["device_id"]
        )

    def _of_later_events(self, *names: str) -> pl.DataFrame:
        """Events but `registered`: `record`, `event`, `version`, these columns. Most files say that they have none."""
        columns = ("event", "version", *names)
        found = [pl.LazyFrame(schema={"record": pl.UInt32, **{name: RECORD_TYPES[name] for name in columns}})]
        first = 0
        for file, records in self._records.items():
            if not holds_only(file, "event", REGISTERED):
                own = scan_columns([file], *columns).with_row_index("record", first)
                found.append(own.filter(pl.col("event") != REGISTERED))
            first += records
        return pl.concat(found).collect(engine="streaming")

    def states(self, device_ids: pl.Series) -> pl.DataFrame:
        """The live registrations of these ids, with the columns of `schemas.registry.RECORD_TYPES`."""
        if device_ids.is_empty():
            return pl.DataFrame(schema=RECORD_TYPES)
        return self.live().filter(pl.col("device_id").is_in(device_ids.implode())).collect(engine="streaming")

    def removals(self) -> pl.DataFrame:
        """One row a registration that has ended, by its last end.

        `device_id`, `version`, `removal_reason`, `tenant_id`, and what it was: `serial_number`, `manufacturer`,
        `product_id`, `hardware_hash_id`; null where an earlier program removed it.
        """
        ends = self._of_later_events(*_ENDED).filter(pl.col("event") == REMOVED)
        last = ends.sort("version", maintain_order=True).unique("device_id", keep="last")
        ended = last.filter(pl.col("device_id").is_in(self.removed_ids().implode()))
        return ended.select("version", *_ENDED)

    def removed_ids(self) -> pl.Series:
        """Ids of the devices whose registration was removed, and not restored since."""
        return self._history.ended

    def scan(self) -> pl.LazyFrame:
        """Every event, by the columns of `schemas.registry.RECORD_TYPES`."""
        return scan_records(self._records)


def _read(files: list[Path], places: pl.DataFrame) -> pl.DataFrame:
    """Records of files, taken as one, `at` given places; whole columns are read."""
    rows = scan_columns(files, *lookup.COLUMNS).with_row_index("at")
    return rows.join(places.lazy(), on="at", how="inner").collect(engine="streaming")
