"""What a run did, in so many lines as one looks at: the counts, the reasons and the partners by rows, and what next."""

from collections.abc import Iterable

from pipeline.storage.locations import Location, below
from schemas.reasons import CATALOGUE, SERVED, Owner
from schemas.run import PartnerCounts, RowCounts, RunManifest

_MOST_REASONS = 5
_MOST_PARTNERS = 4
"""With these, the line of counts, two that say how many more there are, and three of what next: 15 at most."""

Line = tuple[str, str | None]
"""A line, and its colour on a terminal."""


def summary(run: RunManifest, folder: Location) -> list[Line]:
    """What a run did.

    Args:
        run: what its `run.json` holds.
        folder: where it is published.
    """
    rows = run["rows"]
    return [
        (_counts(run), "green" if not rows["rejected"] else None),
        *_reasons(run["reasons"]),
        *_partners(run["partners"]),
        *((f"next: {step}", "cyan") for step in _next(run, folder)),
        (f"report: {below(folder, 'report/index.html')}", None),
    ]


def _counts(run: RunManifest) -> str:
    rows, files = run["rows"], run["files"]
    outcomes = ", ".join(f"{number:,} {name}" for name, number in run["outcomes"].items() if number)
    return (
        f"run {run['run_id']}{' (dry run)' if run['dry_run'] else ''}: {files['found']:,} files, "
        f"{rows['read']:,} rows read = {rows['settled']:,} settled + {rows['registered']:,} registered + "
        f"{dict(rows).get('deregistered', 0):,} deregistered + {rows['rejected']:,} rejected"
        + (f" ({outcomes}; {rows['waiting']:,} wait)" if outcomes else "")
    )


def _by_rows(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))


def _reasons(reasons: dict[str, int]) -> Iterable[Line]:
    ordered = _by_rows(reasons)
    for code, number in ordered[:_MOST_REASONS]:
        yield f"  {number:>9,}  {code}", None if code in SERVED else "yellow"
    if len(ordered) > _MOST_REASONS:
        others = sum(number for _, number in ordered[_MOST_REASONS:])
        yield f"  {others:>9,}  for {len(ordered) - _MOST_REASONS:,} more reasons", None


def _partners(partners: list[PartnerCounts]) -> Iterable[Line]:
    """Partners with rejected rows, those with most first."""
    found = sorted(
        (one for one in partners if one["rows"]["rejected"]),
        key=lambda one: (-one["rows"]["rejected"], one["partner_id"] or ""),
    )
    for one in found[:_MOST_PARTNERS]:
        rows, (worst, _) = one["rows"], _by_rows(one["reasons"])[0]
        who = f"partner {one['partner_id']}" if one["partner_id"] is not None else "no partner"
        yield f"  {who}: {rows['rejected']:,} of {_decided(rows):,} rejected, most {worst}", None
    if len(found) > _MOST_PARTNERS:
        yield f"  and {len(found) - _MOST_PARTNERS:,} more partners with rejected rows", None


def _decided(rows: RowCounts) -> int:
    return rows["read"] - rows["settled"]


def _next(run: RunManifest, folder: Location) -> Iterable[str]:
    """What to do now, at most two steps."""
    if run["dry_run"]:
        yield "run again without --dry-run to register"
        return
    cases = dict(run["rows"]).get("to_decide", 0)
    if cases:
        yield f"decide {cases:,} review cases: `autopilot-intake review list {run['run_id']}`"
    to_do = {code: number for code, number in run["reasons"].items() if code not in SERVED}
    others = _by_rows({code: number for code, number in to_do.items() if not (CATALOGUE[code].to_decide and cases)})
    ours = [reason.code for reason in CATALOGUE.values() if reason.owner is Owner.OPERATOR and not reason.to_decide]
    mine = next((code for code, _ in others if code in ours), None)
    if mine:
        yield f"yours to mend: `autopilot-intake explain {mine}`"
    elif others:
        yield f"hand each partner its folder below {below(folder, 'report')}; `autopilot-intake explain {others[0][0]}`"
    elif not cases:
        yield "nothing to do"
