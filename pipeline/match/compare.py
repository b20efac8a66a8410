"""Pairs of records to evidence: which components agree, and what follows from it by the decision table.

Comparison is by component, never by text: two devices of one model have hashes that look more alike than two captures
of one device. The tables below are the whole of it; they read like those of HOW_IT_WORKS.md.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol

import polars as pl

from schemas.device import COMPONENT_TYPES
from schemas.matches import Verdict

_PAIRS_AT_ONCE = 250_000
"""Pairs compared at once: their components side by side take some hundred MB."""

_JUDGED_TYPES = {"verdict": pl.String, "score": pl.Float64, "same_disk": pl.Boolean, "evidence": pl.String}
"""What is said of a pair."""

EQUAL, UNEQUAL, ABSENT = "=", "≠", "·"

# TPM key, UUID, serial and what follows, for two records that both have a hash. The first line that fits decides.
_WITH_HASHES = (
    ("=", "=≠·", "=·", Verdict.SAME),
    ("=", "=≠·", "≠", Verdict.CONTRADICTION),
    ("≠", "=≠·", "=", Verdict.BOARD_REPLACED),
    ("≠", "=", "≠·", Verdict.COLLIDING),
    ("≠", "=≠·", "≠·", Verdict.DIFFERENT),
    ("·", "=", "=", Verdict.SAME),
    ("·", "≠", "=", Verdict.BOARD_REPLACED),
    ("·", "=", "≠·", Verdict.CONTRADICTION),
)
# Neither TPM nor UUID to compare and the same serial: a network card or a disk must agree too.
_SERIAL_ALONE = ("·", "·", "=")

# Product ID, serial and what follows, for two records of which at least one has no hash.
_WITHOUT_HASH = (
    ("=", "=·", Verdict.SAME),
    ("=", "≠", Verdict.CONTRADICTION),
    ("≠", "=", Verdict.PROBABLE),
)


def _related(absent: pl.Expr, equal: pl.Expr) -> pl.Expr:
    return pl.when(absent).then(pl.lit(ABSENT)).when(equal).then(pl.lit(EQUAL)).otherwise(pl.lit(UNEQUAL))


def _values(name: str) -> pl.Expr:
    left, right = pl.col(f"left_{name}"), pl.col(f"right_{name}")
    return _related(left.is_null() | right.is_null(), left == right)


def _serials(name: str) -> pl.Expr:
    left, right = pl.col(f"left_{name}_number"), pl.col(f"right_{name}_number")
    equal = (left == right) & (pl.col("left_manufacturer") == pl.col("right_manufacturer"))
    return _related(left.is_null() | right.is_null(), equal)


def _overlap(name: str) -> pl.Expr:
    left, right = pl.col(f"left_{name}"), pl.col(f"right_{name}")
    shared = left.list.set_intersection(right).list.len() > 0
    return _related((left.list.len() == 0) | (right.list.len() == 0), shared)


class Feature(NamedTuple):
    """A component of the comparison.

    Attributes:
        component: its column, or its name where it takes several.
        relation: how it stands on two sides, given its name: one of `EQUAL`, `UNEQUAL`, `ABSENT`.
        one_in: of so many other devices one shares the value by chance, as vendors ship duplicates of each.
        called: its name.
        change: what became of it where it differs in one and the same device.
    """

    component: str
    relation: Callable[[str], pl.Expr]
    one_in: int
    called: str
    change: str

    @property
    def weight(self) -> float:
        """What agreement is worth, in bits: the rarer, the more."""
        return math.log2(self.one_in)


FEATURES = (
    Feature("tpm_ek_id", _values, 10**12, "TPM key", "TPM key changed"),
    Feature("smbios_uuid", _values, 10**9, "UUID", "UUID rewritten"),
    Feature("serial", _serials, 10**9, "serial number", "serial number rewritten"),
    Feature("product_id", _values, 30_000_000, "product ID", "another product ID"),
    Feature("mac_addresses", _overlap, 30_000, "network card", "network card replaced"),
    Feature("disk_serials", _overlap, 1_000, "disk", "disk replaced"),
    Feature("model", _values, 30, "model", "model renamed"),
)
"""What a pair is compared by, and what it is worth. The score orders candidates and explains. It overrules no line of
the decision tables, which hold the vetoes: another TPM key, or another UUID where no TPM key agrees."""


class Records(Protocol):
    """Records by position; a frame is one."""

    def __getitem__(self, positions: pl.Series, /) -> pl.DataFrame:
        """Those at these positions, in order, with the columns of `schemas.device.COMPONENT_TYPES`."""
        ...


def compare(pairs: pl.DataFrame, left: Records, right: Records) -> pl.DataFrame:
    """Compare candidate pairs.

    Args:
        pairs: one row a pair: `left` and `right`, positions among the records of the same name; further columns are
            kept.
        left: the records.
        right: the same.

    Returns:
        One row for each pair, in order, with `verdict`, `score` (sum of the weights that agree less half of those
        that differ), `same_disk` and `evidence` (a sentence of the components that agree and that differ).
    """
    parts = [_compare(pairs[at : at + _PAIRS_AT_ONCE], left, right) for at in range(0, pairs.height, _PAIRS_AT_ONCE)]
    return pl.concat(parts) if parts else pl.concat([pairs, pl.DataFrame(schema=_JUDGED_TYPES)], how="horizontal")


def _compare(pairs: pl.DataFrame, left: Records, right: Records) -> pl.DataFrame:
    related = relations(left[pairs["left"]], right[pairs["right"]])
    judged = related.with_columns(verdict=_verdict()).select(
        "verdict",
        score=_score(),
        same_disk=pl.col("disk_serials") == EQUAL,
        evidence=_evidence(),
    )
    return pl.concat([pairs, judged], how="horizontal")


def relations(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Relate the components of records side by side.

    Args:
        left: records with the columns of `schemas.device.COMPONENT_TYPES`.
        right: for each of them, in order, the record that it is held against.

    Returns:
        One row for each: `both` (both have a hash), and for each component of `FEATURES` one of `EQUAL`, `UNEQUAL`,
        `ABSENT`.
    """
    columns = list(COMPONENT_TYPES)
    sides = pl.concat(
        [
            left.select(columns).rename({name: f"left_{name}" for name in columns}),
            right.select(columns).rename({name: f"right_{name}" for name in columns}),
        ],
        how="horizontal",
    )
    return sides.select(
        both=pl.col("left_has_hash") & pl.col("right_has_hash"),
        **{feature.component: feature.relation(feature.component) for feature in FEATURES},
    )


# Building these expressions takes longer than a few pairs, so each is built once.
@cache
def _verdict() -> pl.Expr:
    return pl.when("both").then(_verdict_with_hashes()).otherwise(_verdict_without_hash())


def _fits(name: str, allowed: str) -> pl.Expr:
    return pl.col(name).is_in(list(allowed))


def _verdict_with_hashes() -> pl.Expr:
    lines = [
        (_fits("tpm_ek_id", tpm) & _fits("smbios_uuid", uuid) & _fits("serial", serial), verdict)
        for tpm, uuid, serial, verdict in _WITH_HASHES
    ]
    tpm, uuid, serial = _SERIAL_ALONE
    alone = _fits("tpm_ek_id", tpm) & _fits("smbios_uuid", uuid) & _fits("serial", serial)
    supported = _fits("mac_addresses", EQUAL) | _fits("disk_serials", EQUAL)
    return _first_that_fits([*lines, (alone & supported, Verdict.SAME), (alone, Verdict.CONTRADICTION)])


def _verdict_without_hash() -> pl.Expr:
    lines = [
        (_fits("product_id", product_id) & _fits("serial", serial), verdict)
        for product_id, serial, verdict in _WITHOUT_HASH
    ]
    # An unknown model confirms nothing, so the same serial with it is looked at and not passed over.
    by_tuple = _fits("serial", EQUAL)
    same_model = _fits("model", EQUAL)
    return _first_that_fits([*lines, (by_tuple & same_model, Verdict.SAME), (by_tuple, Verdict.PROBABLE)])


def _first_that_fits(lines: list[tuple[pl.Expr, Verdict]]) -> pl.Expr:
    verdicts = [pl.when(fits).then(pl.lit(verdict.value)) for fits, verdict in lines]
    return pl.coalesce(*verdicts, pl.lit(Verdict.DIFFERENT.value))


@cache
def _score() -> pl.Expr:
    return pl.sum_horizontal(
        pl.when(pl.col(feature.component) == EQUAL)
        .then(feature.weight)
        .when(pl.col(feature.component) == UNEQUAL)
        .then(-feature.weight / 2)
        .otherwise(0.0)
        for feature in FEATURES
    )


@cache
def _evidence() -> pl.Expr:
    called = [feature.called for feature in FEATURES]
    changes = [feature.change for feature in FEATURES]
    is_same = pl.col("verdict") == Verdict.SAME
    return pl.concat_str(
        _listed("same ", EQUAL, called, "nothing in common"),
        pl.when(is_same).then(_listed("; ", UNEQUAL, changes)).otherwise(_listed("; different ", UNEQUAL, called)),
        _listed("; not known on one side: ", ABSENT, called),
    )


def _listed(intro: str, relation: str, names: list[str], none: str = "") -> pl.Expr:
    """The components of one relation, by such names."""
    named = pl.concat_list(
        pl.when(pl.col(feature.component) == relation).then(pl.lit(name))
        for feature, name in zip(FEATURES, names, strict=True)
    ).list.drop_nulls()
    told = pl.lit(intro) + named.list.join(", ").str.replace(r", ([^,]*)$", " and $1")
    return pl.when(named.list.len() > 0).then(told).otherwise(pl.lit(none))
