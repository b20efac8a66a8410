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


def request_id() -> pl.Expr:
    """The id of a request, and of the device that it registers, so that no request ever registers twice.

    Of rows with the columns of `schemas.requests.DELIVERY`, `source_file` and `line`. What stands in a file that cannot
    be read to its end is known by its path.
    """
    content = pl.coalesce("sha256", pl.concat_str(pl.lit("unread "), "source_file"))
    parts = (pl.col("request_kind"), pl.col("partner_id"), pl.col("tenant_folder"), content, pl.col("line"))
    return device_id(*(part.cast(pl.String).fill_null("") for part in parts)).alias("request_id")
