"""What is wrong still, from night to night: rejected rows are known again when they are delivered anew.

A row is known by what it names its device by, so that it may be corrected in any other cell: its serial numbers,
product IDs and hash, those of the row and those inside the hash; a row that names none, by its text.
"""

from datetime import datetime

import polars as pl

from pipeline.hardware_hash.components import known
from pipeline.match.keys import fingerprint
from schemas.identities import is_placeholder
from schemas.outcome import UNFIXED_TYPES
from schemas.reasons import Outcome

_UNFIXED = [Outcome.INVALID, Outcome.UNAUTHORIZED, Outcome.EXCLUDED, Outcome.REVIEW]
"""Outcomes that somebody has to do something about; a duplicate's device is registered."""

_SETTLED = ["ALREADY_REGISTERED"]
"""Reasons that say that the device itself is registered. That of a duplicate is what its other row is."""

_MOST_NIGHTS = 30
"""Nights for which a row that is not delivered again is remembered: then nobody waits for it any more."""

_BROKEN_TYPES = {name: UNFIXED_TYPES[name] for name in UNFIXED_TYPES if name != "unseen"}
_KEY_TYPES = {"partner_id": pl.String(), "key": pl.Int64()}
_PER_KEY = list(_KEY_TYPES)


class Unfixed:
    """Follows rejected rows over runs, while the rows of this one pass by."""

    def __init__(self, before: pl.DataFrame) -> None:
        """Begin with what the last run left.

        Args:
            before: one row an unfixed row, with the columns of `schemas.outcome.UNFIXED_TYPES`.
        """
        self._before = before
        self._history = (
            _exploded(before)
            .group_by(_PER_KEY)
            .agg(pl.col("nights").max(), pl.col("first_run", "since").sort_by("since").first())
        )
        self._broken = [pl.DataFrame(schema=_BROKEN_TYPES)]
        self._settled = [pl.DataFrame(schema=_KEY_TYPES)]

    def write(self, registered: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
        """Take some rows of both sets, with their decoded fields.

        Returns:
            The rejected rows with `nights`: for how many runs each has been wrong, this one included; null where
            nobody has to do anything about it.
        """
        keyed = rejected.with_columns(keys=_keys_or_text())
        for settled in (registered.select("partner_id", keys=_keys()), keyed.filter(pl.col("reason").is_in(_SETTLED))):
            self._settled.append(_exploded(settled).select(_PER_KEY))
        past = (
            _exploded(keyed.select("row", "partner_id", "keys"))
            .join(self._history, on=_PER_KEY, how="inner", validate="m:1")
            .group_by("row")
            .agg(pl.col("nights").max(), pl.col("first_run", "since").sort_by("since").first())
        )
        is_broken = pl.col("outcome").is_in(_UNFIXED)
        told = keyed.join(past, on="row", how="left", maintain_order="left", validate="1:1").with_columns(
            nights=pl.when(is_broken).then(pl.col("nights").fill_null(0) + 1)
        )
        broken = told.filter(is_broken)
        self._broken.append(broken.select(pl.col(name).cast(dtype) for name, dtype in _BROKEN_TYPES.items()))
        return told.drop("keys", "first_run", "since")

    def after(self, run_id: str, moment: datetime) -> pl.DataFrame:
        """What is wrong still after this run, with the columns of `UNFIXED_TYPES`: the oldest first.

        A row that was not delivered again counts on, for some nights.
        """
        broken = self._broken_now()
        seen = _has_key(self._before, pl.concat([*self._settled, _exploded(broken).select(_PER_KEY)]))
        carried = self._before.filter(~seen & (self._before["unseen"] < _MOST_NIGHTS))
        return pl.concat(
            [
                carried.with_columns(pl.col("nights", "unseen") + 1),
                broken.with_columns(
                    pl.col("first_run").fill_null(run_id),
                    pl.col("since").fill_null(pl.lit(moment, UNFIXED_TYPES["since"])),
                    unseen=pl.lit(0, UNFIXED_TYPES["unseen"]),
                ),
            ]
        ).sort("since", "partner_id", "source_file", "source_line", nulls_last=True)

    def fixed(self) -> pl.DataFrame:
        """What was wrong after the last run and is registered now, with the columns of `UNFIXED_TYPES`."""
        broken = _exploded(self._broken_now()).select(_PER_KEY)
        is_fixed = _has_key(self._before, pl.concat(self._settled)) & ~_has_key(self._before, broken)
        return self._before.filter(is_fixed)

    def _broken_now(self) -> pl.DataFrame:
        """Rows that this run rejected, but those whose device it registered all the same, by another row."""
        broken = pl.concat(self._broken)
        return broken.filter(~_has_key(broken, pl.concat(self._settled)))


def _has_key(keyed: pl.DataFrame, keys: pl.DataFrame) -> pl.Series:
    """Which rows have one of the keys."""
    numbered = _exploded(keyed.select("partner_id", "keys").with_row_index("at"))
    found = numbered.join(keys.unique(), on=_PER_KEY, how="semi", nulls_equal=True)["at"].unique()
    return pl.int_range(keyed.height, eager=True, dtype=pl.UInt32).is_in(found.implode())


def _exploded(keyed: pl.DataFrame) -> pl.DataFrame:
    """The same rows with one `key` each, once for each of their keys."""
    return keyed.rename({"keys": "key"}).explode("key").drop_nulls("key")


def _device_key(kind: str, column: str) -> pl.Expr:
    value = pl.col(column).str.to_lowercase()
    return fingerprint(kind, known(value, is_placeholder(value)))


def _keys() -> pl.Expr:
    """Fingerprints of all that a row names its device by."""
    named = (
        _device_key("serial", "serial_number"),
        _device_key("serial", "hash_serial_number"),
        _device_key("product_id", "windows_product_id"),
        _device_key("product_id", "hash_product_id"),
        _device_key("hash", "hardware_hash_id"),
    )
    return pl.concat_list(named).list.drop_nulls().list.unique(maintain_order=True)


def _keys_or_text() -> pl.Expr:
    """The same; of a row that names none, its text, and of one that could not be read, its file."""
    text = pl.concat_list(fingerprint("record", pl.coalesce("raw_record", "source_file")))
    return pl.when(_keys().list.len() > 0).then(_keys()).otherwise(text)
