"""`explain`: what a reason means and what to do about it."""

import dataclasses
import json
from collections import Counter
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json
from pipeline.errors import UsageError
from pipeline.storage.locations import Location, below
from pipeline.storage.near import at_hand
from schemas.reasons import CATALOGUE, MEANINGS, Reason

_NOT_TOLD = ("of_file", "sent_whole", "nothing_to_do", "to_decide", "only_of")
"""What only the program goes by."""

_ONLY_OF = {"departure": "of a departure", "final": "of a row that is final"}
"""What is said of some rows alone, and of which."""

_MOST_MEANT = 5
"""Codes named of those that hold what was typed."""


@click.command()
@click.argument("code", required=False)
@options.of("explain")
def explain(code: str | None, run_id: str | None, output: Location, form: str) -> None:
    """Explain a reason CODE, or those of a run, or list all of them."""
    if code is not None:
        reason = _found(code)
        if form == "json":
            tell_json(_listed(reason))
        else:
            tell(*_told(reason))
        return
    counted = _of_run(output, run_id) if run_id else {}
    shown = [CATALOGUE[name] for name in counted] if run_id else list(CATALOGUE.values())
    if form == "json":
        counts = {name: {"rows": rows} for name, rows in counted.items()}
        tell_json([_listed(one) | counts.get(one.code, {}) for one in shown])
    elif run_id:
        for at, one in enumerate(shown):
            first, *lines = _told(one)
            tell(*[""][:at], f"{counted[one.code]:,} rows: {first}", *lines)
    else:
        tell(*(f"{one.code:<26} {one.sentence}" for one in shown))


def _listed(reason: Reason) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(reason).items() if name not in _NOT_TOLD}


def _found(code: str) -> Reason:
    reason = CATALOGUE.get(code.upper())
    if reason is None:
        import difflib  # noqa: PLC0415 - help answers sooner without it

        named = [name for name in CATALOGUE if code.upper() in name]
        close = named[:_MOST_MEANT] or difflib.get_close_matches(code.upper(), CATALOGUE, n=1)
        hint = f"did you mean {', '.join(close)}?" if close else "`explain` alone lists them all"
        message = f"{code}: no such reason; {hint}"
        raise UsageError(message)
    return reason


def _of_run(output: Location, run_id: str) -> dict[str, int]:
    """Rows with each primary reason, and with each warning, of a published run."""
    try:
        with at_hand(below(output, f"{run_id}/report"), lambda name: name == "report.json") as folder:
            report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        counted: Counter[str] = Counter()
        for told in (*report["reasons"], *report["warnings"]):
            counted[told["code"]] += told["rows"]
        return dict(counted)
    except (OSError, ValueError, LookupError) as error:
        message = f"run {run_id}: not published in {output}; `runs list` names those that are"
        raise UsageError(message) from error


def _told(reason: Reason) -> list[str]:
    outcome = f"outcome: {reason.outcome}" if reason.outcome else "a warning: the row is registered all the same"
    lines = [f"{reason.code} ({reason.family})", reason.sentence, f"expected: {reason.expected}"]
    lines += [f"what to do: {reason.remedy}", f"who must act: {reason.owner}", outcome]
    if reason.to_decide:
        lines.append("or an operator decides: autopilot-intake review decide RUN FILE:LINE")
    for other in (one for one in MEANINGS.values() if one.code == reason.code and one.only_of):
        lines += [f"{_ONLY_OF[other.only_of]}: {other.sentence}", f"what to do then: {other.remedy}"]
        lines.append(f"who must act then: {other.owner}")
    return [*lines, *([f"Microsoft: {reason.microsoft}"] if reason.microsoft else [])]
