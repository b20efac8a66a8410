"""Keys to candidate pairs, counted before they are made: a value that a crowd shares cannot flood the comparison."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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

_PAIR = {"left": pl.UInt32, "right": pl.UInt32}


def pairs_within(records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs of records of one batch that share a strong key.

    Records with a hash are counted among themselves, so that no crowd of others hides one of them from another. That
    two of them share a product ID alone says nothing.

    Args:
        records: one row a record, with `has_hash` and the columns of `KEY_TYPES`; its position is its name.

    Returns:
        Pairs `left` < `right`, each once, and the records in a crowd: `left`, `key`, `holders`.
    """
    pairs, crowds = [], []
    for key in STRONG_KEYS:
        holders = _holders(records, key, "has_hash")
        holders = holders.filter(pl.col("key").is_in(arrays.repeated(holders["key"]).implode()))
        hashed, bare = holders.filter("has_hash"), holders.filter(~pl.col("has_hash"))
        for ours, theirs in ((hashed.clear() if key == "product_id_key" else hashed, hashed), (bare, holders)):
            made, crowd = _pairs(ours, theirs)
            pairs.append(made)
            crowds.append(crowd.select("left", pl.lit(key).alias("key"), pl.col("holders").cast(pl.UInt32)))
    return _distinct(pairs), pl.concat(crowds)


def _pairs(ours: pl.DataFrame, theirs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs of some holders of a key with others, and those of ours that stand in a crowd."""
    if ours.is_empty():  # as of most keys of most nights: joins of nothing would take most of the time of a small one
        return ours.select("left", right="left"), ours.with_columns(holders=pl.lit(0, pl.UInt32))
    counted = ours.group_by("key").len("ours").join(theirs.group_by("key").len("holders"), on="key", how="inner")
    counted = counted.with_columns(pairs=pl.col("ours").cast(pl.UInt64) * pl.col("holders"))
    crowded = counted.filter(pl.col("pairs") > _most_of_one(counted["pairs"])).select("key", "holders")
    crowd = ours.join(crowded, on="key", how="inner")
    few = ours.join(crowded, on="key", how="anti").select("left", "key")
    made = few.join(theirs.select("key", right="left"), on="key", how="inner")
    pair = made.select(left=pl.min_horizontal("left", "right"), right=pl.max_horizontal("left", "right"))
    return pair.filter(pl.col("left") < pl.col("right")), crowd


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
    pairs, crowds = [], []
    for name, own, found in zip(names, keyed, theirs, strict=True):
        ours = own.join(found, on="key", how="semi")
        counted = ours.group_by("key").len("ours").join(found.group_by("key").len("holders"), on="key", how="inner")
        is_disk = name == "disk_keys"
        counted = counted.with_columns(pairs=pl.col("ours").cast(pl.UInt64) * pl.col("holders"))
        too_many = pl.col("holders") > JUNK if is_disk else pl.col("pairs") > _most_of_one(counted["pairs"])
        crowded = counted.filter(too_many).select("key", "holders")
        few = ours.join(crowded, on="key", how="anti").join(found, on="key", how="inner")
        pairs.append(few.select("left", right="record"))
        if not is_disk:
            crowd = ours.join(crowded, on="key", how="inner")
            crowds.append(crowd.select("left", pl.lit(name).alias("key"), pl.col("holders").cast(pl.UInt32)))
    return _distinct(pairs), pl.concat(crowds)


def _most_of_one(pairs: pl.Series) -> int:
    """Most pairs that one value may give, so that all those with as many or fewer have room."""
    sizes = pairs.rename("pairs").to_frame().group_by("pairs").len().sort("pairs")
    fitting = sizes.filter((pl.col("pairs") * pl.col("len")).cum_sum() <= MOST_PAIRS)
    return int(fitting["pairs"][-1]) if fitting.height else 0


def _holders(records: pl.DataFrame, name: str, *kept: str) -> pl.DataFrame:
    """`left` and `key` of the records that have the key, and the columns kept."""
    named = records.select(pl.col(name).alias("key"), *kept).with_row_index("left")
    exploded = named.explode("key") if named.schema["key"] == pl.List else named
    return exploded.drop_nulls("key")


def _distinct(pairs: list[pl.DataFrame]) -> pl.DataFrame:
    cast = [frame.select(pl.col(name).cast(dtype) for name, dtype in _PAIR.items()) for frame in pairs]
    return pl.concat(cast).unique().sort("left", "right")
