"""What is open, from night to night: rejected rows are known again when they are delivered anew.

A row is known by what it names its device by, so that it may be corrected in any other cell: its serial numbers,
product IDs and hash, those of the row and those inside the hash; a row that names none, by its text. It is another row
where it names another manufacturer or another tenant. The registry keeps what is open.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from pipeline.match.keys import fingerprint, named_key
from pipeline.registry.requests import PENDING_TYPES, Requests
from schemas.reasons import Outcome, Waits
from schemas.requests import CLOSED, OPEN, WAITING

_TO_BE_MENDED = [Outcome.INVALID, Outcome.UNAUTHORIZED, Outcome.EXCLUDED, Outcome.REVIEW]
"""Outcomes that somebody has to do something about; the device of a duplicate is registered."""

_NOBODYS = ["DUPLICATE_IN_BATCH"]
"""Reasons of rows that wait with another row, by which people will know of them."""

_STATE = ("event", "reason", "waits_on", "waits_from", "tenant_id", "source_file", "since")
"""What is recorded anew of a request when it differs."""

_BROKEN_TYPES = {"row": pl.UInt64(), **PENDING_TYPES}
_NAMED_TYPES = {"partner_id": pl.String(), "tenant_id": pl.String(), "manufacturer": pl.String(), "key": pl.Int64()}
_NAMED = list(_NAMED_TYPES)
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
    """Follows rejected rows over runs, while the rows of this one pass by."""

    def __init__(self, before: Requests, tonight: Tonight) -> None:
        """Begin with what the registry knows."""
        self._tonight, self._night = tonight, before.nights + 1
        self._pending = before.pending
        since = pl.lit(tonight.as_of, PENDING_TYPES["since"]) - timedelta(days=tonight.wait_days)
        self._before = before.pending.filter((pl.col("since") > since) & ~pl.col("reason").is_in(_NOBODYS))
        self._history = _exploded(self._before).select(*_NAMED, "first_run", "since", "first_night")
        self._broken = [pl.DataFrame(schema=_BROKEN_TYPES)]
        self._settled = [pl.DataFrame(schema=_NAMED_TYPES)]
        self._done = [pl.Series("request_id", [], pl.String)]

    def write(self, registered: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
        """Take some rows of both sets, with their decoded fields and what becomes of their requests.

        Returns:
            The rejected rows with `first_run`, the run that rejected them first, and `nights`: in how many runs each
            has been wrong, this one included; null where nobody has to do anything about it.
        """
        refused = rejected.with_columns(self._manufacturer(), keys=_keys_or_text())
        for done in (
            registered.with_columns(self._manufacturer(), keys=_keys()),
            refused.filter(pl.col("is_done")),
        ):
            self._settled.append(_exploded(done).select(_NAMED))
            self._done.append(
                done["request_id"].filter(done["request_id"].is_in(self._pending["request_id"].implode()))
            )
        named = _exploded(refused.select("row", "partner_id", "tenant_id", "manufacturer", "keys"))
        past = (
            _same(named, self._history)
            .sort("since")
            .group_by("row")
            .agg(pl.col("first_run", "since", "first_night").first())
        )
        is_broken = pl.col("outcome").is_in(_TO_BE_MENDED) | pl.col("is_waiting")
        told = refused.join(past, on="row", how="left", maintain_order="left", validate="1:1").with_columns(
            pl.col("first_run").fill_null(self._tonight.run_id),
            pl.col("since").fill_null(pl.lit(self._tonight.as_of, PENDING_TYPES["since"])),
            pl.col("first_night").fill_null(self._night),
        )
        broken = told.filter(is_broken & ~pl.col("is_done")).with_columns(
            event=pl.when("is_waiting").then(pl.lit(WAITING)).otherwise(pl.lit(OPEN)),
            line="source_line",
            version=pl.lit(None, pl.Int64),
        )
        self._broken.append(broken.select(pl.col(name).cast(dtype) for name, dtype in _BROKEN_TYPES.items()))
        nights = pl.when(is_broken & ~pl.col("is_done")).then(self._night - pl.col("first_night") + 1)
        as_delivered = rejected["manufacturer"]
        return told.with_columns(as_delivered, nights=nights.cast(pl.UInt32)).drop("keys", "since", "first_night")

    def _manufacturer(self) -> pl.Expr:
        """The manufacturer that a row names, as those of a kind are compared; null where it names none."""
        spelled = pl.coalesce("hash_manufacturer", "manufacturer").str.to_lowercase()
        exact = self._tonight.spellings.select("spelling", pl.col("manufacturer").str.to_lowercase())
        return spelled.replace(exact["spelling"], exact["manufacturer"]).alias("manufacturer")

    def events(self) -> pl.DataFrame:
        """What the registry has to record of requests that wait or are open, with the columns of its events."""
        broken = self._broken_now().drop("row")
        before = self._pending.select("request_id", *(pl.col(name).alias(f"{name}_before") for name in _STATE))
        compared = broken.join(before, on="request_id", how="left", validate="1:1")
        is_same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_before")) for name in _STATE)
        recorded = compared.filter(~is_same).select(broken.columns)
        closed = self._pending.filter(self._is_over(broken)).select(
            "request_id", event=pl.lit(CLOSED), run_id=pl.lit(self._tonight.run_id)
        )
        return pl.concat([recorded.with_columns(run_id=pl.lit(self._tonight.run_id)), closed], how="diagonal")

    def _is_over(self, broken: pl.DataFrame) -> pl.Series:
        """Which requests are neither waiting nor open any more: done, mended by another row, or delivered anew."""
        again = self._pending["request_id"].is_in(broken["request_id"].implode())
        done = self._pending["request_id"].is_in(pl.concat(self._done).implode())
        mended = self._mended(self._pending)
        anew = _names_one_of(self._pending, _exploded(broken).select(_NAMED)) & (self._pending["event"] == OPEN)
        return done | (~again & (mended | anew))

    def _mended(self, rows: pl.DataFrame) -> pl.Series:
        """Which refused rows a row that was carried out has put right.

        What waits must surely be the same device; what waits for the registry is never put right by another row, since
        a list may name the old board of a repaired device beside the new one.
        """
        settled = pl.concat(self._settled)
        is_waiting = rows["event"] == WAITING
        waits_on_registry = is_waiting & rows["waits_for"].list.contains(Waits.REGISTRY.value).fill_null(value=False)
        surely = ~is_waiting | _names_one_of(rows, settled, surely=True)
        return _names_one_of(rows, settled) & surely & ~waits_on_registry

    def open(self) -> pl.DataFrame:
        """What is open after this run, the oldest first.

        One row a request: `partner_id`, `source_file`, `source_line`, `reason`, `first_run`, `since`, `nights`.
        """
        broken = self._broken_now().drop("row").filter(~pl.col("reason").is_in(_NOBODYS))
        carried = self._before.filter(
            ~self._before["request_id"].is_in(broken["request_id"].implode())
            & ~self._before["request_id"].is_in(self._pending.filter(self._is_over(broken))["request_id"].implode())
        )
        return self._told(pl.concat([carried, broken.select(carried.columns)]))

    def fixed(self) -> pl.DataFrame:
        """What was open before this run and is carried out now, with the columns of `open`."""
        broken = _exploded(self._broken_now()).select(_NAMED)
        is_fixed = _names_one_of(self._before, pl.concat(self._settled)) & ~_names_one_of(self._before, broken)
        return self._told(self._before.filter(is_fixed), nights=self._night - 1)

    def _told(self, rows: pl.DataFrame, nights: int | None = None) -> pl.DataFrame:
        last = self._night if nights is None else nights
        return rows.select(
            "partner_id",
            "source_file",
            "reason",
            "first_run",
            "since",
            source_line=pl.col("line").cast(pl.UInt32),
            nights=(last - pl.col("first_night") + 1).cast(pl.UInt32),
        ).sort(_ORDER, nulls_last=True)

    def _broken_now(self) -> pl.DataFrame:
        """Rows that this run refused, but those whose device it registered all the same, by another row."""
        broken = pl.concat(self._broken)
        return broken.filter(~self._mended(broken))


def _exploded(named: pl.DataFrame) -> pl.DataFrame:
    """The same rows with one `key` each, once for each of their keys."""
    return named.rename({"keys": "key"}).explode("key").drop_nulls("key")


def _same(rows: pl.DataFrame, others: pl.DataFrame, *, surely: bool = False) -> pl.DataFrame:
    """Pairs of rows of one partner that share a key, and name neither two tenants nor two manufacturers.

    Where it has to be sure, both are named.
    """
    pairs = rows.join(others, on=["partner_id", "key"], how="inner", nulls_equal=True, suffix="_other")
    differs = [
        (pl.col(name) != pl.col(f"{name}_other")).fill_null(value=surely) for name in ("tenant_id", "manufacturer")
    ]
    return pairs.filter(~pl.any_horizontal(differs))


def _names_one_of(named: pl.DataFrame, keys: pl.DataFrame, *, surely: bool = False) -> pl.Series:
    """Which rows are known by one of the keys."""
    numbered = _exploded(named.select("partner_id", "tenant_id", "manufacturer", "keys").with_row_index("at"))
    found = _same(numbered, keys.unique(), surely=surely)["at"].unique()
    return pl.int_range(named.height, eager=True, dtype=pl.UInt32).is_in(found.implode())


def _keys() -> pl.Expr:
    """Fingerprints of all that a row names its device by."""
    named = (
        named_key("serial", "serial_number"),
        named_key("serial", "hash_serial_number"),
        named_key("product_id", "windows_product_id"),
        named_key("product_id", "hash_product_id"),
        named_key("hash", "hardware_hash_id"),
    )
    return pl.concat_list(named).list.drop_nulls().list.unique(maintain_order=True)


def _keys_or_text() -> pl.Expr:
    """The same; of a row that names none, its text, and of one that could not be read, its file."""
    text = pl.concat_list(fingerprint("record", pl.coalesce("raw_record", "source_file")))
    return pl.when(_keys().list.len() > 0).then(_keys()).otherwise(text)
