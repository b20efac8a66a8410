"""What earlier runs were like, by partner."""

from collections.abc import Mapping
from typing import Any

from schemas.run import Counts, RunManifest

MOST_NIGHTS = 30
"""Runs that a trend goes back."""

Night = dict[str, Any]
"""One point of a trend: `run_id`, `as_of`, `finished_at`, `read`, `registered`, `deregistered`, `rejected`, `outcomes`,
`rejected_share`."""


def night(run: RunManifest, counts: Counts | RunManifest) -> Night:
    """What a run did, or one partner in it. The share is that of rows decided for the first time."""
    rows = counts["rows"]
    return {
        "run_id": run["run_id"],
        "as_of": run["as_of"],
        "finished_at": run["finished_at"],
        "read": rows["read"],
        "registered": rows["registered"],
        "deregistered": dict(rows).get("deregistered", 0),  # runs of earlier versions knew of no departures
        "rejected": rows["rejected"],
        "outcomes": {name: number for name, number in counts["outcomes"].items() if number},
        "rejected_share": rejected_share(dict(rows)),
    }


def rejected_share(rows: Mapping[str, Any]) -> float:
    """Share of the rows of data that were rejected, of those decided for the first time: others were counted before.

    Runs of earlier versions did not tell those apart.
    """
    if "first_time" not in rows:
        return share(rows["rejected"], rows["read"])
    return share(rows["first_time_rejected"], rows["first_time"] - rows["first_time_structure"])


def share(part: int, whole: int) -> float:
    """A part of a whole, to four places; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


def trends(past: list[RunManifest]) -> dict[str | None, list[Night]]:
    """For each partner the last runs in which it delivered rows, the latest last."""
    found: dict[str | None, list[Night]] = {}
    for run in past[-MOST_NIGHTS:]:
        for partner in run["partners"]:
            if partner["rows"].get("first_time", partner["rows"]["read"]):
                found.setdefault(partner["partner_id"], []).append(night(run, partner))
    return found
