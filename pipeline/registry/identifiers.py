"""Ids of devices: derived from where a record comes from, so that the same delivery gives the same id."""

import polars as pl
import polars_hash as plh

_SEPARATOR = "\x1f"


def device_id(*parts: pl.Expr) -> pl.Expr:
    """A UUID (version 8, made from SHA-256) that stands for these parts; null where one of them is."""
    digest = plh.concat_str(list(parts), separator=_SEPARATOR).chash.sha2_256()
    return pl.concat_str(
        digest.str.slice(0, 8),
        pl.lit("-"),
        digest.str.slice(8, 4),
        pl.lit("-8"),
        digest.str.slice(13, 3),
        pl.lit("-a"),
        digest.str.slice(17, 3),
        pl.lit("-"),
        digest.str.slice(20, 12),
    )
