"""Keys to candidate pairs, counted before they are made: a value that a crowd shares cannot flood the comparison."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.match.keys import STRONG_KEYS

MOST_PAIRS = 4_000_000
"""Most pairs that a strong key may give in all: a million devices delivered twice give half of that. Values that few
records share come first; what more of them share than there is room for is a crowd, which is no evidence of identity,
and its rows are told from each other by other keys or not at all."""

JUNK = 24
"""Most records that share a real component; what more of them share is a placeholder nobody has listed yet."""

_AT_ONCE = 2
"""Columns of keys that are looked through at the same time; each takes some hundred MB."""

_BITS = 32
"""Of a position in a number that stands for a pair of them."""


def pairs_within(records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs of records of one batch that share a strong key.

    Records with a hash are counted among themselves, so that no crowd of others hides one of them from another. That
    two of them share a product ID alone says nothing.

    Args:
        records: one row a record, with `has_hash` and the columns of `KEY_TYPES`; its position is its name.

    Returns:
        Pairs `left` < `right`, each once, and the records in a crowd: `left`, `key`, `holders`.
    """
    found = []
    for name in STRONG_KEYS:
        own = _holders(records, name, "has_hash")
        own = own.filter(pl.col("key").is_in(arrays.repeated(own["key"]).implode()))
        hashed, bare = own.filter("has_hash"), own.filter(~pl.col("has_hash"))
        if name != "product_id_key":
            found.append(_shared(name, _by_key(hashed, "left"), _by_key(hashed, "left"), _give_too_many))
        found.append(_shared(name, _by_key(bare, "left"), _by_key(own, "left"), _give_too_many))
    pairs = [(np.minimum(shared.left, shared.right), np.maximum(shared.left, shared.right)) for shared in found]
    apart = _distinct(pairs).filter(pl.col("left") < pl.col("right"))
    return apart, pl.concat(shared.crowd for shared in found)


def pairs_against(
    records: pl.DataFrame, holders: Callable[[str, pl.Series], pl.DataFrame]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs of a batch's record and an existing one that share a strong key or a disk.

    Args:
        records: one row a record, with the columns of `KEY_TYPES`; its position is its name.
        holders: gives for the name of a key and some keys, which may repeat, the `record` positions of the registry
            that hold one, with the `key`.

    Returns:
        Pairs of `left` (batch) and `right` (registry), each once, and the records in a crowd as in `pairs_within`.
    """
    names = (*STRONG_KEYS, "disk_keys")
    keyed = [_holders(records, name) for name in names]
    with ThreadPoolExecutor(_AT_ONCE) as readers:
        theirs = list(readers.map(holders, names, (own["key"] for own in keyed)))
    found = [
        _shared(
            name, _by_key(own, "left"), _by_key(other, "record"), _are_junk if name == "disk_keys" else _give_too_many
        )
        for name, own, other in zip(names, keyed, theirs, strict=True)
    ]
    crowds = [shared.crowd for shared in found if shared.name != "disk_keys"]
    return _distinct([(shared.left, shared.right) for shared in found]), pl.concat(crowds)


class _Keyed(NamedTuple):
    """Records and the keys that they hold, in the order of the keys."""

    record: arrays.Ints
    key: arrays.Ints


class _Shared(NamedTuple):
    """What shares keys of one name.

    Attributes:
        name: of the keys.
        left: one of ours of each pair, which may come more than once.
        right: who shares a key with it.
        crowd: those of ours of which too many hold a key to pair them: `left`, `key`, `holders`.
    """

    name: str
    left: arrays.Ints
    right: arrays.Ints
    crowd: pl.DataFrame


def _by_key(holders: pl.DataFrame, record: str) -> _Keyed:
    keys = holders["key"].to_numpy()
    order = np.argsort(keys)
    return _Keyed(holders[record].to_numpy().astype(np.int64)[order], keys[order])


def _shared(
    name: str, ours: _Keyed, theirs: _Keyed, are_crowds: Callable[[arrays.Ints, arrays.Ints], arrays.Mask]
) -> _Shared:
    """Pair who shares keys, but where there are crowds, by how many of ours and how many of theirs hold each key."""
    first, last = (np.searchsorted(theirs.key, ours.key, side) for side in ("left", "right"))
    held = np.flatnonzero(last > first)
    left, key, first, holders = ours.record[held], ours.key[held], first[held], (last - first)[held]
    begins = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
    sharing = np.diff(np.append(begins, len(key)))
    crowded = np.repeat(are_crowds(sharing, holders[begins]), sharing)
    few = ~crowded
    right = theirs.record[arrays.ranges(first[few], (first + holders)[few])]
    crowd = {
        "left": pl.Series(left[crowded], dtype=pl.UInt32),
        "key": pl.repeat(name, int(crowded.sum()), dtype=pl.String, eager=True),
        "holders": pl.Series(holders[crowded], dtype=pl.UInt32),
    }
    return _Shared(name, np.repeat(left[few], holders[few]), right, pl.DataFrame(crowd))


def _are_junk(_ours: arrays.Ints, holders: arrays.Ints) -> arrays.Mask:
    return np.asarray(holders > JUNK, bool)


def _give_too_many(ours: arrays.Ints, holders: arrays.Ints) -> arrays.Mask:
    """Which values give more pairs than there is room for, once all those that give fewer have theirs."""
    pairs = ours.astype(np.uint64) * holders.astype(np.uint64)
    sizes, values = np.unique(pairs, return_counts=True)
    fitting = sizes[np.cumsum(sizes * values.astype(np.uint64)) <= MOST_PAIRS]
    return np.asarray(pairs > (fitting[-1] if len(fitting) else 0), bool)


def _holders(records: pl.DataFrame, name: str, *kept: str) -> pl.DataFrame:
    """`left` and `key` of the records that have the key, and the columns kept."""
    named = records.select(pl.col(name).alias("key"), *kept).with_row_index("left")
    exploded = named.explode("key") if named.schema["key"] == pl.List else named
    return exploded.drop_nulls("key")


def _distinct(pairs: list[tuple[arrays.Ints, arrays.Ints]]) -> pl.DataFrame:
    """Pairs of positions below 2**31, each once, in order."""
    one = arrays.distinct(np.concatenate([left << _BITS | right for left, right in pairs]))
    return pl.DataFrame(
        {"left": pl.Series(one >> _BITS, dtype=pl.UInt32), "right": pl.Series(one & (1 << _BITS) - 1, dtype=pl.UInt32)}
    )
