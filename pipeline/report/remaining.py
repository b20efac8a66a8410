"""What pages show of the steps that remain once devices have left: what each is, and how far some devices are."""

from typing import Any

import polars as pl

from pipeline.report.masking import masked
from schemas.steps import OPEN, STEPS, SYSTEMS

MOST_DEVICES = 100
"""Devices listed; departures.csv and steps.parquet have all."""


def remaining_content(steps: pl.DataFrame) -> dict[str, Any]:
    """What a page shows.

    Args:
        steps: one row a registration that ended and step, in order, with the columns of `schemas.steps.STEP_TYPES`.

    Returns:
        `of`, how many registrations ended, and `open`, how many of their steps; `steps`, each kind that there is, in
        order; and `listed`, some registrations with their steps in order.
    """
    if steps.is_empty():
        return {"of": 0, "open": 0, "steps": [], "listed": []}
    is_open = pl.col("state") == OPEN
    told = {
        name: (rows, left)
        for name, rows, left in steps.group_by("step").agg(rows=pl.len(), left=is_open.sum()).iter_rows()
    }
    first = steps["device_id"].unique(maintain_order=True).head(MOST_DEVICES)
    shown = steps.filter(pl.col("device_id").is_in(first.implode()))
    listed = shown.group_by("device_id", maintain_order=True).agg(
        pl.col("tenant_id").first(),
        serial=masked(pl.col("serial_number").first()),
        steps=pl.struct("step", "owner", "state"),
    )
    return {
        "of": steps["device_id"].n_unique(),
        "open": int(steps.select(is_open.sum()).item()),
        "steps": [
            {
                "step": step.name,
                "title": step.title,
                "system": SYSTEMS[step.system],
                "text": step.text,
                "devices": told[step.name][0],
                "open": told[step.name][1],
            }
            for step in STEPS
            if step.name in told
        ],
        "listed": listed.to_dicts(),
    }
