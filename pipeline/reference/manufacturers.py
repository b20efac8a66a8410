"""Manufacturers' names that are nearly those of known ones."""

import numpy as np
import polars as pl
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from schemas.manufacturers import ALIASES

_NO_LETTERS = r"[^\p{L}\p{N}]"
_NEAR_FROM, _LONG_FROM = 5, 12
"""Letters and digits from which a name is near another by one edit, and by two."""
_MOST_EDITS = 2
_AT_ONCE = 10_000
"""Names compared at once, so that the table of distances stays small."""


def meant_makers(unknown: pl.Series, spellings: pl.DataFrame) -> dict[str, str]:
    """Find which known manufacturers are meant by names that are nearly theirs.

    Args:
        unknown: names as written, none of them a known spelling.
        spellings: one row a spelling: `spelling` (lower case) and the exact `manufacturer`.

    Returns:
        For each name that is one or two edits from a known spelling, apart from case, blanks and punctuation, the
        exact spelling of the nearest. A short name is near nothing.
    """
    if spellings.is_empty():
        return {}
    names = unknown.drop_nulls().unique()
    parts = (names.slice(at, _AT_ONCE) for at in range(0, len(names), _AT_ONCE))
    return {name: maker for part in parts for name, maker in _nearest(part, spellings).items()}


def _nearest(names: pl.Series, spellings: pl.DataFrame) -> dict[str, str]:
    folded, known = _folded(names), _folded(spellings["spelling"])
    distances = cdist(folded.to_list(), known.to_list(), scorer=OSA.distance, score_cutoff=_MOST_EDITS, dtype=np.uint8)
    nearest, edits = distances.argmin(axis=1), distances.min(axis=1)
    lengths = folded.str.len_chars().to_numpy()
    allowed = (lengths >= _NEAR_FROM).astype(np.uint8) + (lengths >= _LONG_FROM)
    makers = spellings["manufacturer"]
    return {names[int(at)]: makers[int(nearest[at])] for at in np.flatnonzero((lengths > 0) & (edits <= allowed))}


def _folded(names: pl.Series) -> pl.Series:
    return names.str.to_lowercase().str.replace_all(_NO_LETTERS, "")


def known_spellings(given: pl.DataFrame) -> pl.DataFrame:
    """Every spelling, the exact one included, folded to lower case, with the exact one.

    Args:
        given: one row an alias: `manufacturer` (exact) and `alias`.
    """
    exact = given.select("manufacturer", alias="manufacturer")
    return (
        pl.concat([exact, given.select("manufacturer", "alias")])
        .select(pl.col("alias").str.to_lowercase().alias("spelling"), "manufacturer")
        .unique("spelling", keep="first", maintain_order=True)
    )


BUILT_IN_SPELLINGS = known_spellings(
    pl.DataFrame(
        [(name, alias) for name, aliases in ALIASES.items() for alias in aliases],
        {"manufacturer": pl.String, "alias": pl.String},
        orient="row",
    )
)
"""Those of the built-in list."""


def did_you_mean(written: pl.Series, spellings: pl.DataFrame) -> pl.Series:
    """The exact spelling of the manufacturer that each name is one of, or nearly; null for others."""
    exact = dict(spellings.select("spelling", "manufacturer").iter_rows())
    names = written.drop_nulls().unique()
    unknown = names.filter(~names.str.to_lowercase().is_in(list(exact)))
    meant = {name: exact[name.lower()] for name in names if name.lower() in exact} | meant_makers(unknown, spellings)
    return written.replace_strict(meant, default=None, return_dtype=pl.String)
