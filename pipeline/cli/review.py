"""`review`: cases that only people can decide."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json
from pipeline.errors import UsageError
from pipeline.storage.locations import Location

if TYPE_CHECKING:
    from pipeline.registry import Registry

_TOLD = (
    "run_id",
    "source_file",
    "source_line",
    "partner_id",
    "tenant_id",
    "serial_number",
    "reason",
    "reasons",
    "evidence",
    "is_open",
    "decision",
    "decided_by",
    "decided_at",
)


@click.group()
def review() -> None:
    """Decide review cases: rows of which nobody but a person can say which device they are."""


@review.command("list")
@click.argument("run_id", metavar="[RUN]", required=False)
@options.of("review list")
def list_(run_id: str | None, output: Location, registry: Location, cache: Path | None, form: str) -> None:
    """List the undecided cases of RUN, or of the newest published one."""
    from pipeline.requests.reviewing import cases_of, only_refusable, run_of, undecided  # noqa: PLC0415 - heavy
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy

    opened = _opened(registry, cache)
    with output_at(output, cache) as at_hand:
        run = run_of(at_hand, run_id)
        cases = undecided(cases_of(run, opened)).to_dicts()
    name = run.folder.name
    if form == "json":
        tell_json([_told(case, name) for case in cases])
        return
    for case in cases:
        why = only_refusable(case)
        only = f" (--reject alone: {why})" if why else ""
        tell(f"{case['source_file']}:{case['source_line']}: {case['reason']}: {case['evidence'] or ''}{only}")
    tell(f"run {name}: {len(cases):,} undecided" + ("; `review show` and `review decide` take one" if cases else ""))


@review.command()
@click.argument("run_id", metavar="RUN")
@click.argument("place", metavar="FILE:LINE")
@options.of("review show")
def show(run_id: str, place: str, output: Location, registry: Location, cache: Path | None, form: str) -> None:
    """Show the case at FILE:LINE of RUN component by component, and what was decided."""
    from pipeline.requests.reviewing import case_at, cases_of, components, registrations_met, run_of  # noqa: PLC0415 - heavy
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy
    from schemas.kinds import KINDS, REGISTRATION  # noqa: PLC0415 - heavy

    opened = _opened(registry, cache)
    with output_at(output, cache) as at_hand:
        run = run_of(at_hand, run_id)
        case = case_at(cases_of(run, opened, place), run_id, place)
        parts = components(run, case)
    if form == "json":
        tell_json({**_told(case, run_id), "registrations": registrations_met(case), "components": parts})
        return
    kind = KINDS[case["request_kind"] or REGISTRATION]
    tell(f"{place}: {case['reason']}: {kind.reason_of(case['reason']).sentence}")
    tell(f"  partner {case['partner_id']}, tenant {case['tenant_id']}, serial number {case['serial_number']}")
    tell(*(f"  {part}" for part in str(case["evidence"] or "").split(" | ") if part))
    for part in parts:
        tell(f"  {part['component']:<14} {part['relation']}  {part['here'] or '·'}  |  {part['there'] or '·'}")
    tell(f"  {_state(case)}")


@review.command()
@click.argument("run_id", metavar="RUN")
@click.argument("place", metavar="FILE:LINE")
@options.of("review decide")
def decide(  # noqa: PLR0913, PLR0917 - the command's options
    run_id: str,
    place: str,
    by: str,
    device: str | None,
    output: Location,
    registry: Location,
    cache: Path | None,
    form: str,
    **said: bool,
) -> None:
    """Decide the case at FILE:LINE of RUN. The next run heeds it; no other reason is ever overruled.

    Deciding again, while the row is open, replaces what was said before.
    """
    from pipeline.requests.reviewing import Word, case_at, cases_of, decide_case, run_of  # noqa: PLC0415 - heavy
    from pipeline.runs.outputs import output_at  # noqa: PLC0415 - heavy

    chosen = [name for name, is_set in said.items() if is_set]
    if len(chosen) != 1:
        message = "say one of --same, --different and --reject"
        raise UsageError(message)
    if device and chosen != ["same"]:
        message = "--device: says which registration a row is, with --same alone"
        raise UsageError(message)
    opened = _opened(registry, cache)
    word = Word(chosen[0], by, device.strip().lower() if device else None, datetime.now(UTC))
    with output_at(output, cache) as at_hand:
        case = case_at(cases_of(run_of(at_hand, run_id), opened, place), run_id, place)
    done = decide_case(opened, case, run_id, word)
    if form == "json":
        tell_json({"run_id": run_id, "source_file": case["source_file"], "source_line": case["source_line"], **done})
        return
    about = f" ({', '.join(done['decided_on'])})" if done["decided_on"] else ""
    then = "it is final" if chosen == ["reject"] else "the next run decides it by that"
    tell(f"{place}: {chosen[0]}{about}: recorded; {then}")


def _opened(registry: Location, cache: Path | None) -> "Registry":
    from pipeline.registry import Registry  # noqa: PLC0415 - heavy

    return Registry.open(registry, create=False, cache=cache)


def _told(case: dict[str, Any], run_id: str) -> dict[str, Any]:
    """What JSON tells of a case; nothing that only this program knows it by."""
    own = {**case, "run_id": run_id, "is_open": case["request_id"] is not None}
    return {name: own[name] for name in _TOLD}


def _state(case: dict[str, Any]) -> str:
    if case["decision"]:
        return f"decided {case['decision']} by {case['decided_by']}, {case['decided_at']:%Y-%m-%d %H:%M} UTC"
    return "undecided" if case["request_id"] else "settled: it was carried out, mended, or delivered anew"
