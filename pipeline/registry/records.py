"""The records of a registry: found by their keys, told by their positions, each registration as it is now."""

from collections.abc import Collection, Iterator
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl

from pipeline.listener import Listener
from pipeline.registry.files import scan_batches, scan_records
from pipeline.registry.key_set import KeySet
from pipeline.registry.looking import Look, Looking, LookingHere
from pipeline.registry.looks import Keys, Rows, counted, later_events, records_at, rows_that, who_holds
from pipeline.registry.opening import damage_told
from pipeline.registry.serials import forms_of, merged
from schemas.registry import BEGINS, ENDS, RECORD_TYPES, REGISTERED, STATES

_ENDED = (
    "device_id",
    "removal_reason",
    "tenant_id",
    "serial_number",
    "manufacturer",
    "product_id",
    "hardware_hash_id",
)


_NEXT = 1 << 62
"""Stands for the version that a run is about to make."""


class _History(NamedTuple):
    """What became of registrations since they were made.

    Attributes:
        renewed: one row a registration that has a later state: `device_id`, and the position of the latest, `record`.
        ended: ids of those that ended.
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
        self._leaving = pl.Series("device_id", [], pl.String)
        self._looking: Looking = LookingHere()

    def looked_through_by(self, looking: Looking) -> Self:
        """The same records, looked through by others."""
        view = copy(self)
        view._looking = looking  # noqa: SLF001 - of a copy of our own
        return view

    def without(self, device_ids: pl.Series) -> Self:
        """The same records, as if some live registrations had ended."""
        view = copy(self)
        view._leaving = device_ids  # noqa: SLF001 - of a copy of our own
        return view

    def records_alone(self) -> "Records":
        """The same records, with nothing else of the registry: what other processes are given."""
        alone = Records(self._records, self.folder).without(self._leaving)
        alone._history = self._history  # noqa: SLF001 - of our own kind
        return alone

    # What matching asks (`pipeline.match.ExistingRecords`).

    def holders(self, name: str, wanted: pl.Series) -> pl.DataFrame:
        """One row for each record that holds one of these keys of this name: `record` and `key`."""
        asked = Keys(name, KeySet(wanted))
        return pl.concat(self._through(who_holds, asked)) if len(asked.keys) else who_holds({}, 0, asked)

    def serial_forms(self, manufacturers: pl.Series) -> pl.DataFrame:
        """What the serial numbers of these manufacturers look like."""
        return merged(self._through(forms_of, manufacturers))

    def records(self, positions: pl.Series, *, ended: bool = False) -> pl.DataFrame:
        """The records at these positions that are the latest state of a live registration, or of one that `ended`."""
        some = positions.clear() if ended and self.removed_ids().is_empty() else positions
        wanted = np.unique(some.cast(pl.Int64).to_numpy())
        found = pl.concat(self._through(records_at, wanted)) if wanted.size else records_at({}, 0, wanted)
        return found.filter(self._is_latest(ended=ended)).drop("event").sort("record")

    def ended_records(self, positions: pl.Series) -> pl.DataFrame:
        """The same of registrations that have ended, with `ended_in`, the version that ended it or, last, the next."""
        found = self.records(positions, ended=True)
        if found.is_empty():
            return found.with_columns(ended_in=pl.lit(None, pl.Int64))
        ends = self.removals().select("device_id", ended_in=pl.col("version").fill_null(-1))
        told = found.join(ends, on="device_id", how="left", maintain_order="left", validate="m:1")
        return told.with_columns(pl.col("ended_in").fill_null(_NEXT))

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
        has_ended = pl.col("device_id").is_in(self.removed_ids().implode())
        return is_latest & (has_ended if ended else ~has_ended)

    @cached_property
    def _history(self) -> "_History":
        """What became of registrations: few of them, so all of it is held."""
        events = self._of_later_events("device_id")
        latest = events.sort(pl.col("version").fill_null(-1), maintain_order=True).group_by("device_id").last()
        states = events.filter(pl.col("event").is_in(list(STATES)))
        renewed = states.sort(pl.col("version").fill_null(-1), maintain_order=True).group_by("device_id").last()
        return _History(
            renewed=renewed.select("device_id", "record"),
            ended=latest.filter(pl.col("event").is_in(list(ENDS)))["device_id"],
        )

    def _of_later_events(self, *names: str) -> pl.DataFrame:
        """Events but `registered`: `record`, `event`, `version`, these columns."""
        return pl.concat(self._through(later_events, names))

    def states(self, device_ids: pl.Series, columns: Collection[str] = tuple(RECORD_TYPES)) -> pl.DataFrame:
        """The live registrations of these ids, with some or all of the columns of `schemas.registry.RECORD_TYPES`."""
        if device_ids.is_empty():
            return pl.DataFrame(schema={name: RECORD_TYPES[name] for name in columns})
        asked = self._is_latest() & pl.col("device_id").is_in(device_ids.implode())
        return pl.concat(self._through(rows_that, Rows(asked, tuple(map(pl.col, columns)))))

    def named(self, column: str, values: pl.Series) -> pl.DataFrame:
        """Records whose value in a column is one of these, in any case; all of the column is read.

        Returns:
            One row for each: `record` and `value`, in lower case.
        """
        if values.is_empty():
            return pl.DataFrame(schema={"record": pl.UInt32, "value": pl.String})
        value = pl.col(column).str.to_lowercase().alias("value")
        wanted = values.str.to_lowercase().unique()
        asked = Rows(value.is_in(wanted.implode()), (pl.col("record"), value))
        return pl.concat(self._through(rows_that, asked))

    def manufacturers(self) -> pl.Series:
        """All manufacturers, as records name them."""
        named = Rows(pl.col("manufacturer").is_not_null(), (pl.col("manufacturer"),))
        return pl.concat(self._through(counted, named))["manufacturer"].unique().sort()

    def began(self, device_ids: pl.Series) -> pl.DataFrame:
        """Since which version registrations are live: `device_id`, and `began`, -1 where it is not known."""
        begins = pl.col("device_id").is_in(device_ids.implode()) & pl.col("event").is_in(list(BEGINS))
        found = pl.concat(self._through(rows_that, Rows(begins, (pl.col("device_id"), pl.col("version")))))
        return found.group_by("device_id").agg(began=pl.col("version").fill_null(-1).max())

    def live_by_tenant(self, tenant_ids: pl.Series) -> pl.DataFrame:
        """How many live registrations tenants have: `tenant_id` and `live`."""
        asked = self._is_latest() & pl.col("tenant_id").is_in(tenant_ids.implode())
        found = pl.concat(self._through(counted, Rows(asked, (pl.col("tenant_id"),))))
        return found.group_by("tenant_id").agg(live=pl.col("records").sum())

    def removals(self) -> pl.DataFrame:
        """One row a registration that has ended, by its last end.

        `device_id`, `version`, `removal_reason`, `tenant_id`, and what it was: `serial_number`, `manufacturer`,
        `product_id`, `hardware_hash_id`; null where an earlier program removed it.
        """
        ends = self._of_later_events(*_ENDED).filter(pl.col("event").is_in(list(ENDS)))
        last = ends.sort("version", maintain_order=True).unique("device_id", keep="last")
        ended = last.filter(pl.col("device_id").is_in(self.removed_ids().implode()))
        return ended.select("version", *_ENDED)

    def removed_ids(self) -> pl.Series:
        """Ids of the devices whose registration has ended, and was not restored since."""
        return pl.concat([self._history.ended, self._leaving])

    def _through(self, look: Look, question: object) -> list[pl.DataFrame]:
        with damage_told(self.folder):
            return self._looking.through(self._records, look, question)

    def scan(self) -> pl.LazyFrame:
        """Every event, by the columns of `schemas.registry.RECORD_TYPES`."""
        return scan_records(self._records)
