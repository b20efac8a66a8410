"""What is open, from night to night: rejected rows are known again when they are delivered anew.

A row is known by its kind and what it names its device by, so that it may be corrected in any other cell: its serial
numbers, product IDs, hash and registration, those of the row and those inside the hash; a row that names none, by its
text. It is another row
where it names another manufacturer or another tenant. The registry keeps what is open.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline.registry import PENDING_TYPES, Requests
from pipeline.report.fragments import Fragment, Tables
from pipeline.report.row_keys import NAMED, NAMED_TYPES, exploded, keys_or_text, named_by, names_one_of, none_of, same
from pipeline.report.tables import place
from schemas.reasons import Outcome, Waits
from schemas.requests import CLOSED, OPEN, WAITING

_TO_BE_MENDED = [Outcome.INVALID, Outcome.UNAUTHORIZED, Outcome.EXCLUDED, Outcome.REVIEW, Outcome.NOT_REGISTERED]
"""Outcomes that somebody has to do something about; the device of a duplicate is registered."""

_NOBODYS = ["DUPLICATE_IN_BATCH"]
"""Reasons of rows that wait with another row, by which people will know of them."""

_STATE = ("event", "reason", "waits_on", "waits_from", "tenant_id", "source_file", "since", "is_mended")
"""What is recorded anew of a request when it differs."""

_FIRST = ("first_run", "since", "first_night")
_BROKEN_TYPES = {"row": pl.UInt64(), **PENDING_TYPES}
_CORRECTED_TYPES = {"partner_id": pl.String(), "tenant_id": pl.String(), "corrects": pl.String()}
_FINAL = pl.lit([Waits.DELIVERY.value])
"""What is final waits for, whatever would have mended it before."""

_ORDER = ("since", "partner_id", "source_file", "source_line")


@dataclass(frozen=True, slots=True)
class Tonight:
    """The run that rows are open in.

    Attributes:
        run_id: its id.
        as_of: its moment.
        wait_days: days after which nobody waits for a row any more.
        spellings: `spelling` (lower case) and `manufacturer`, as the reference data knows them.
    """

    run_id: str
    as_of: datetime
    wait_days: int
    spellings: pl.DataFrame


class OpenRows:
    """Follows rejected rows over runs.

    `tables` says of some rows of this one what it has to know of them, by what was known before; `add` takes that. The
    keys of what is carried out, several a row, stay in files, of which only those are looked at that something broken
    is known by.
    """

    def __init__(self, before: Requests, tonight: Tonight, over: pl.Series) -> None:
        """Begin with what the registry knows.

        Args:
            before: all that was asked.
            tonight: the run.
            over: ids of the requests that waited and wait no more (`pipeline.requests.docket.Docket.over`).
        """
        self.tonight, self._night, self._over = tonight, before.nights + 1, over
        self._pending = before.pending.with_columns(pl.col("is_mended").fill_null(value=False))
        self._oldest = pl.lit(tonight.as_of, PENDING_TYPES["since"]) - timedelta(days=tonight.wait_days)
        is_told = ~pl.col("reason").is_in(_NOBODYS) & ~pl.col("is_mended")
        self._before = self._pending.filter((pl.col("since") > self._oldest) & is_told)
        self._history = exploded(self._before).select(*NAMED, "first_run", "since", "first_night")
        self._broken = [pl.DataFrame(schema=_BROKEN_TYPES)]
        self._done = [pl.Series("request_id", [], pl.String)]
        self._corrected = [pl.DataFrame(schema=_CORRECTED_TYPES)]
        self._settled: list[Path] = []

    def partners(self) -> list[str]:
        """Who has rows that were open before this run."""
        return self._before["partner_id"].drop_nulls().unique().sort().to_list()

    def tables(self, registered: pl.DataFrame, rejected: pl.DataFrame) -> tuple[pl.DataFrame, Tables]:
        """Look at some rows of both sets, with their decoded fields and what becomes of their requests.

        Returns:
            The rejected rows with `first_run`, the run that rejected them first, and `nights`: in how many runs each
            has been wrong, this one included; null where nobody has to do anything about it. What one `waits_for` that
            is final is a new delivery, whatever the registry keeps of it. And what `add` takes.
        """
        refused = rejected.with_columns(self._manufacturer(), keys=keys_or_text())
        kept = registered.with_columns(self._manufacturer())
        ended = [kept, refused.filter("is_done")]
        done = pl.concat(one.select("request_id") for one in ended)
        tables = {
            "settled": pl.concat([named_by(kept), exploded(ended[1]).select(NAMED)]),
            "corrected": pl.concat(one.drop_nulls("corrects").select(list(_CORRECTED_TYPES)) for one in ended),
            "done": done.filter(pl.col("request_id").is_in(self._pending["request_id"].implode())),
        }
        named = exploded(refused.select("row", "request_kind", "partner_id", "tenant_id", "manufacturer", "keys"))
        past = same(named, self._history).sort("since").group_by("row").agg(pl.col(_FIRST).first())
        own = self._pending.filter("is_mended").select("request_id", "is_mended", *_FIRST)
        new = (self.tonight.run_id, pl.lit(self.tonight.as_of, PENDING_TYPES["since"]), self._night)
        is_broken = pl.col("outcome").is_in(_TO_BE_MENDED) | pl.col("can_wait")
        told = (
            refused.join(own, on="request_id", how="left", maintain_order="left", validate="m:1")
            .join(past, on="row", how="left", maintain_order="left", validate="1:1", suffix="_past")
            .with_columns(
                pl.coalesce(name, f"{name}_past").fill_null(value) for name, value in zip(_FIRST, new, strict=True)
            )
            .drop(f"{name}_past" for name in _FIRST)
        )
        broken = told.filter(is_broken & ~pl.col("is_done")).with_columns(
            pl.col("is_mended").fill_null(value=False),
            event=pl.when("can_wait").then(pl.lit(WAITING)).otherwise(pl.lit(OPEN)),
            line="source_line",
            version=pl.lit(None, pl.Int64),
        )
        tables["broken"] = broken.select(pl.col(name).cast(dtype) for name, dtype in _BROKEN_TYPES.items())
        nights = pl.when(is_broken & ~pl.col("is_done")).then(self._night - pl.col("first_night") + 1)
        as_delivered = rejected["manufacturer"]
        is_final = pl.col("can_wait") & ~pl.col("is_waiting")
        waits_for = pl.when(is_final).then(_FINAL).otherwise("waits_for")
        told = told.with_columns(as_delivered, waits_for=waits_for, nights=nights.cast(pl.UInt32))
        return told.drop("keys", "since", "first_night", "is_mended"), tables

    def add(self, fragment: Fragment) -> None:
        """Take what `tables` says of some rows."""
        self._broken += fragment.read("broken")
        self._corrected += fragment.read("corrected")
        self._done += [done["request_id"] for done in fragment.read("done")]
        self._settled += [file for name, file in fragment.files.items() if name == "settled"]

    def _manufacturer(self) -> pl.Expr:
        """The manufacturer that a row names, as those of a kind are compared; null where it names none."""
        spelled = pl.coalesce("hash_manufacturer", "manufacturer").str.to_lowercase()
        exact = self.tonight.spellings.select("spelling", pl.col("manufacturer").str.to_lowercase())
        return spelled.replace(exact["spelling"], exact["manufacturer"]).alias("manufacturer")

    def events(self) -> pl.DataFrame:
        """What the registry has to record of requests that wait or are open, with the columns of its events."""
        refused = self._refused.drop("row")
        before = self._pending.select("request_id", *(pl.col(name).alias(f"{name}_before") for name in _STATE))
        compared = refused.join(before, on="request_id", how="left", validate="1:1")
        is_same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_before")) for name in _STATE)
        recorded = pl.concat([compared.filter(~is_same).select(refused.columns), self._mended_elsewhere()])
        closed = self._pending.filter(self._is_over(refused)).select(
            "request_id", event=pl.lit(CLOSED), run_id=pl.lit(self.tonight.run_id)
        )
        return pl.concat([recorded.with_columns(run_id=pl.lit(self.tonight.run_id)), closed], how="diagonal")

    @cached_property
    def _refused(self) -> pl.DataFrame:
        """Rows that this run refused, but final ones whose device it registered all the same, by another row.

        Once all rows are added.
        """
        broken = pl.concat(self._broken)
        told = broken.with_columns(is_mended=broken["is_mended"] | self._mended(broken)).filter(
            ~self._is_corrected(broken)
        )
        return told.filter((pl.col("event") == WAITING) | ~pl.col("is_mended"))

    def _mended_elsewhere(self) -> pl.DataFrame:
        """Requests that wait on in files that this run did not read, and that another row has put right meanwhile."""
        is_new = self._mended(self._pending) & ~self._pending["is_mended"] & (self._pending["event"] == WAITING)
        goes_on = ~self._is_decided() & ~self._is_corrected(self._pending)
        return self._pending.filter(is_new & goes_on).with_columns(is_mended=pl.lit(value=True))

    def _is_decided(self) -> pl.Series:
        """Which requests this run has decided."""
        ids = pl.concat([*self._done, *(broken["request_id"] for broken in self._broken)])
        return self._pending["request_id"].is_in(ids.implode())

    def _is_over(self, refused: pl.DataFrame) -> pl.Series:
        """Which requests are neither waiting nor open any more: done, mended by another row, or delivered anew."""
        again = self._pending["request_id"].is_in(refused["request_id"].implode())
        anew = names_one_of(self._pending, exploded(refused).select(NAMED))
        is_settled = (self._pending["event"] == OPEN) & (anew | self._mended(self._pending))
        return ~again & (self._is_decided() | is_settled | self._is_corrected(self._pending))

    def _mended(self, rows: pl.DataFrame) -> pl.Series:
        """Which refused rows a row that was carried out has put right, so that nobody has to act on them.

        What waits for the registry is never put right by another row, since a list may name the old board of a
        repaired device beside the new one. A row that was sent to be corrected is put right by the one that names it as
        where it came from.
        """
        waits_on_registry = rows["waits_for"].list.contains(Waits.REGISTRY.value).fill_null(value=False)
        is_named = names_one_of(rows, self._settled_keys) & ~((rows["event"] == WAITING) & waits_on_registry)
        return is_named | self._is_corrected(rows)

    @cached_property
    def _settled_keys(self) -> pl.DataFrame:
        """Keys of what was carried out, once all rows are added, as far as something broken is known by them."""
        known = pl.concat(rows["keys"] for rows in (self._pending, *self._broken)).explode().drop_nulls().unique()
        is_known = pl.col("key").is_in(known.implode())
        found = [pl.scan_ipc(file, glob=False).filter(is_known).collect() for file in self._settled]
        return pl.concat([pl.DataFrame(schema=NAMED_TYPES), *found])

    def _is_corrected(self, rows: pl.DataFrame) -> pl.Series:
        """Which refused rows a row of the same partner and tenant that was carried out names as what it corrects.

        A final one may have named no tenant; what waits is named by its own tenant alone.
        """
        corrected = pl.concat(self._corrected)
        if corrected.is_empty():
            return none_of(rows)
        asked = rows.select("partner_id", "event", own="tenant_id", corrects=place(line="line")).with_row_index("at")
        pairs = asked.join(corrected, on=["partner_id", "corrects"], how="inner")
        is_own = (pl.col("own") == pl.col("tenant_id")).fill_null(pl.col("event") == OPEN)
        named = pairs.filter(is_own)["at"].unique()
        return pl.int_range(rows.height, eager=True, dtype=pl.UInt32).is_in(named.implode())

    def open(self) -> pl.DataFrame:
        """What is open after this run, the oldest first.

        One row a request: `request_kind`, `is_waiting`, `partner_id`, `tenant_id`, `source_file`, `source_line`,
        `reason`, `waits_for`, `first_run`, `since`, `nights`.
        """
        refused = self._refused.drop("row")
        gone = [
            self._pending.filter(self._is_decided() | self._is_over(refused))["request_id"],
            self._mended_elsewhere()["request_id"],
        ]
        carried = self._before.filter(~pl.col("request_id").is_in(pl.concat(gone).implode()))
        broken = refused.filter(~pl.col("is_mended") & ~pl.col("reason").is_in(_NOBODYS))
        return self._told(pl.concat([carried, broken.select(carried.columns)]))

    def fixed(self) -> pl.DataFrame:
        """What was open before this run and is carried out now, with the columns of `open`."""
        broken = exploded(self._refused.filter(~pl.col("is_mended"))).select(NAMED)
        is_named = names_one_of(self._before, self._settled_keys) & ~names_one_of(self._before, broken)
        is_fixed = is_named | self._is_corrected(self._before)
        return self._told(self._before.filter(is_fixed), nights=self._night - 1)

    def _told(self, rows: pl.DataFrame, nights: int | None = None) -> pl.DataFrame:
        last = self._night if nights is None else nights
        is_over = pl.col("request_id").is_in(self._over.implode()) | (pl.col("waits_from") <= self._oldest)
        is_waiting = (pl.col("event") == WAITING) & ~is_over
        return rows.select(
            "request_kind",
            "partner_id",
            "tenant_id",
            "source_file",
            "reason",
            is_waiting.alias("is_waiting"),
            pl.when((pl.col("event") == WAITING) & is_over).then(_FINAL).otherwise("waits_for").alias("waits_for"),
            "first_run",
            "since",
            source_line=pl.col("line").cast(pl.UInt32),
            nights=(last - pl.col("first_night") + 1).cast(pl.UInt32),
        ).sort(_ORDER, nulls_last=True)
