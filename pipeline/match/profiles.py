"""The distinct contents of a batch: rows whose components are all equal are compared once for all of them."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash as plh

from pipeline import arrays
from pipeline.match.keys import BLOCKING_TYPES, STRONG_KEYS
from schemas.device import COMPONENT_TYPES

_FACTORS = {name: 2 * number + 1 for number, name in enumerate(STRONG_KEYS)}
"""Odd and different, so that the sum of a row's keys tells it from nearly every other."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """The distinct contents of a batch, which stay where they lie: only those that are compared are looked at.

    Attributes:
        keys: one row a profile, whose position is its name: `has_hash` and the columns of `BLOCKING_TYPES`.
        first: where among the devices each has its first row, ascending.
        devices: one row a row of the batch, with the columns of `COMPONENT_TYPES`.
    """

    keys: pl.DataFrame
    first: arrays.Ints
    devices: pl.DataFrame

    def __getitem__(self, profiles: pl.Series) -> pl.DataFrame:
        """The components of some profiles, in order; each may be asked for again."""
        asked = arrays.distinct(profiles.to_numpy())
        return self.components(asked)[np.searchsorted(asked, profiles.to_numpy())]

    def components(self, profiles: arrays.Ints) -> pl.DataFrame:
        """The components of some profiles, each asked for once, in order."""
        wanted = np.zeros(self.devices.height, bool)
        wanted[self.first[profiles]] = True
        return self.devices.select(list(COMPONENT_TYPES)).filter(pl.Series(wanted))


def numbered(devices: pl.DataFrame, eligible: pl.Series | None) -> tuple[pl.DataFrame, Profiles]:
    """Number the distinct contents: `row` and `profile` of each eligible row, and what the profiles are."""
    keys = devices.select("row", "has_hash", *BLOCKING_TYPES)
    places = np.arange(keys.height)
    if eligible is not None and not eligible.all():
        keys, places = keys.filter(eligible), eligible.arg_true().to_numpy()
    first = _first_alike(keys, places, devices)
    is_first = first == np.arange(keys.height)
    rows = keys.select("row", profile=pl.Series((np.cumsum(is_first) - 1)[first], dtype=pl.UInt32))
    own = keys.drop("row") if is_first.all() else keys.drop("row").filter(pl.Series(is_first))
    return rows, Profiles(own, places[is_first], devices)


def _first_alike(keys: pl.DataFrame, places: arrays.Ints, devices: pl.DataFrame) -> arrays.Ints:
    """For each row the position of the first one whose components are all equal; `places` are theirs in `devices`."""
    # Rows of one content share all keys, so only those that do are compared in full.
    mixed = keys.select(pl.sum_horizontal(pl.col(name).fill_null(0) * by for name, by in _FACTORS.items())).to_series()
    alike = mixed.is_in(arrays.repeated(mixed).implode()).arg_true().to_numpy()
    content = Profiles(keys, places, devices).components(alike).select(plh.hash_rows([*map(pl.col, COMPONENT_TYPES)]))
    first = np.arange(keys.height)
    found = pl.DataFrame({"at": alike, "content": content.to_series()})
    first[alike] = found.select(pl.col("at").first().over("content")).to_series()
    return first
