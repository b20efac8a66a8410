"""Candidates to deals: all that matching and deciding look at of a row lies in what it is connected with."""

import numpy as np
import polars as pl

from pipeline import arrays
from pipeline.errors import Fault
from pipeline.match import Candidates, connected_components


def deals_of(candidates: Candidates, lookalikes: pl.DataFrame, pairs: int) -> arrays.Ints:
    """Deal out components, neighbours in the registry together.

    Args:
        candidates: of a whole batch.
        lookalikes: of its profiles (`pipeline.match.find_lookalikes`).
        pairs: so many are enough for a deal.

    Returns:
        The number of the deal of each profile, from zero on; -1 where nothing is to be compared.
    """
    profiles = len(candidates.has_hash)
    within, against = candidates.within, _against(candidates, lookalikes)
    records = arrays.distinct(against["right"].to_numpy())
    record = np.searchsorted(records, against["right"].to_numpy())
    component = connected_components(
        profiles + len(records),
        pl.concat([within["left"], against["left"]]),
        pl.concat([within["right"].cast(pl.Int64), pl.Series(profiles + record)]),
    ).to_numpy()[:profiles]
    compared = [within["left"], against["left"], candidates.crowded["profile"]]
    weight = np.bincount(component[pl.concat(compared).to_numpy()], minlength=profiles)
    roots = np.flatnonzero(weight)  # a component is called by its first profile
    first = np.full(profiles, len(records))
    np.minimum.at(first, component[against["left"].to_numpy()], record)
    roots = roots[np.argsort(first[roots], kind="stable")]
    before = np.cumsum(weight[roots]) - weight[roots]
    deal = np.full(profiles, -1)
    deal[roots] = np.unique(before // pairs, return_inverse=True)[1]
    return np.asarray(deal[component], np.int64)


def require_uncut(deal: arrays.Ints, candidates: Candidates, lookalikes: pl.DataFrame) -> None:
    """Nothing is compared that a deal would hide from it, whatever went wrong before.

    Args:
        deal: the number of the deal of each profile.
        candidates: as for `deals_of`.
        lookalikes: the same.

    Raises:
        Fault: two of a pair, or two that share a registration, are in different deals or in none.
    """
    within, against = candidates.within, _against(candidates, lookalikes).sort("right")
    left, right = (deal[within[side].to_numpy()] for side in ("left", "right"))
    own, record = deal[against["left"].to_numpy()], against["right"].to_numpy()
    parted = (record[1:] == record[:-1]) & (own[1:] != own[:-1])
    alone = deal[candidates.crowded["profile"].to_numpy()] < 0
    if (left != right).any() or (left < 0).any() or (own < 0).any() or parted.any() or alone.any():
        message = "rows that are to be compared were parted; nothing was published, please report this"
        raise Fault(message)


def _against(candidates: Candidates, lookalikes: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([candidates.against, lookalikes.select(left="profile", right="record")])
