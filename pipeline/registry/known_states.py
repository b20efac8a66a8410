"""Tells records that stand in the registry just as they are from the others, without looking anything up."""

from typing import TypeAlias

import numpy as np
import polars as pl

from pipeline.arrays import Ints, Mask
from pipeline.match import fingerprint
from pipeline.registry.table import Registry

COMPARED = (
    "tenant_id",
    "partner_id",
    "registered_via",
    "registered_at",
    "identity",
    "hardware_hash_id",
    "serial_number",
    "manufacturer",
    "model",
    "product_id",
    "group_tag",
)
"""What a file can say of a registration; where all of it is equal, importing changes nothing."""

_Digests: TypeAlias = tuple[Ints, Ints]


class KnownStates:
    """Digests of the live registrations: 16 bytes for each, whatever it holds."""

    def __init__(self, registry: Registry) -> None:
        first, second = _columns(registry.live().select(_digests()).collect(engine="streaming"))
        order = np.argsort(first, kind="stable")
        self._first, self._second = first[order], second[order]
        self._met = np.zeros(len(order), bool)

    def meet(self, states: pl.DataFrame) -> pl.Series:
        """Which rows, with the columns of `COMPARED`, are a live registration's state; it is remembered."""
        at, known = self._find(states)
        self._met[at[known]] = True
        return pl.Series(known)

    def were_met(self, states: pl.DataFrame) -> pl.Series:
        """Which rows were met."""
        at, known = self._find(states)
        known[known] = self._met[at[known]]
        return pl.Series(known)

    def _find(self, states: pl.DataFrame) -> tuple[Ints, Mask]:
        first, second = _columns(states.select(_digests()))
        if not len(self._first):
            return np.zeros(len(first), np.int64), np.zeros(len(first), bool)
        at = np.minimum(np.searchsorted(self._first, first), len(self._first) - 1)
        return at, np.asarray((self._first[at] == first) & (self._second[at] == second), bool)


def _digests() -> list[pl.Expr]:
    moment = pl.col("registered_at").dt.epoch("us").cast(pl.String)
    values = [(moment if name == "registered_at" else pl.col(name)).fill_null("") for name in COMPARED]
    # Two of 64 bits: one alone would once in a while take a changed record for an unchanged one.
    return [fingerprint(f"state {number}", *values).alias(f"digest_{number}") for number in (1, 2)]


def _columns(digests: pl.DataFrame) -> _Digests:
    return digests["digest_1"].to_numpy(), digests["digest_2"].to_numpy()
