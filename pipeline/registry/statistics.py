"""Counts what the registry holds."""

from typing import Any

import polars as pl

from pipeline.registry.table import Registry


def count_records(registry: Registry) -> dict[str, Any]:
    """Number of live and removed registrations, and the live ones by way, identity and tenant."""
    removed = registry.removed_ids()
    live = registry.live()
    names = {"registered_via": "registered_via", "identity": "identity", "tenants": "tenant_id"}
    counted = pl.collect_all(
        [live.group_by(column).len().sort("len", column, descending=[True, False]) for column in names.values()],
        engine="streaming",
    )
    by_name = {name: dict(frame.iter_rows()) for name, frame in zip(names, counted, strict=True)}
    registered = sum(by_name["registered_via"].values())
    return {"version": registry.version, "registered": registered, "removed": len(removed), **by_name}
