"""Pairs to clusters: what pairs connect, however many steps apart."""

import numpy as np
import numpy.typing as npt
import polars as pl


def connected_components(size: int, left: pl.Series, right: pl.Series) -> pl.Series:
    """Label the connected components of an undirected graph.

    Args:
        size: number of nodes.
        left: one end of each edge, a position below `size`.
        right: the other end.

    Returns:
        For each node the smallest node that it is connected with, itself included.
    """
    ends = left.cast(pl.Int64).to_numpy(), right.cast(pl.Int64).to_numpy()
    label: npt.NDArray[np.int64] = np.arange(size, dtype=np.int64)
    while True:
        smaller = np.minimum(label[ends[0]], label[ends[1]])
        hooked = label.copy()
        # A root takes the smallest label that any edge of its tree offers, then every path is halved to its root.
        for end in ends:
            np.minimum.at(hooked, label[end], smaller)
        while True:
            halved = hooked[hooked]
            if np.array_equal(halved, hooked):
                break
            hooked = halved
        if np.array_equal(hooked, label):
            return pl.Series(label)
        label = hooked
