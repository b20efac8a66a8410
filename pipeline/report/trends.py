"""What earlier runs were like, by partner."""

from typing import Any

from schemas.run import Counts, RunManifest

MOST_NIGHTS = 30
"""Runs that a trend goes back."""

Night = dict[str, Any]
"""One point of a trend: `run_id`, `finished_at`, `read`, `registered`, `rejected`, `rejected_share`."""


def night(run: RunManifest, counts: Counts | RunManifest) -> Night:
    """What a run did, or one partner in it."""
    rows = counts["rows"]
    return {
        "run_id": run["run_id"],
        "finished_at": run["finished_at"],
        "read": rows["read"],
        "registered": rows["registered"],
        "rejected": rows["rejected"],
        "rejected_share": share(rows["rejected"], rows["read"]),
    }


def share(part: int, whole: int) -> float:
    """A part of a whole, to four places; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


def trends(past: list[RunManifest]) -> dict[str | None, list[Night]]:
    """For each partner the last runs in which it delivered rows, the latest last."""
    found: dict[str | None, list[Night]] = {}
    for run in past[-MOST_NIGHTS:]:
        for partner in run["partners"]:
            if partner["rows"]["read"]:
                found.setdefault(partner["partner_id"], []).append(night(run, partner))
    return found
