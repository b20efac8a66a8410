"""Which deployment profile a device gets."""

import polars as pl

DEFAULT_PROFILE = "default"
"""A device without an assigned profile gets this one."""

_BETWEEN = "\x1f"


def profile(assigned: pl.DataFrame) -> pl.Expr:
    """The profile of a device, of its `tenant_id` and `group_tag`.

    Args:
        assigned: one row a tenant and group tag: `tenant_id`, `group_tag`, `profile`. An empty tag stands for any
            device of the tenant that has no better line.
    """
    of_tag = pl.concat_str("tenant_id", pl.col("group_tag").fill_null(""), separator=_BETWEEN)
    of_any = pl.concat_str("tenant_id", pl.lit(""), separator=_BETWEEN)
    keys, names = assigned.select(of_tag).to_series(), assigned["profile"]
    found = [key.replace_strict(keys, names, default=None, return_dtype=pl.String) for key in (of_tag, of_any)]
    return pl.coalesce(*found, pl.lit(DEFAULT_PROFILE))
