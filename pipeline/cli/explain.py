"""`explain`: what a reason means and what to do about it."""

import dataclasses
import difflib
import json

import click

from pipeline.cli import options
from pipeline.errors import UsageError
from schemas.reasons import CATALOGUE, Reason


@click.command()
@click.argument("code", required=False)
@options.output_format
@options.config
def explain(code: str | None, form: str) -> None:
    """Explain a reason CODE, or list all of them."""
    if code is None:
        shown = list(CATALOGUE.values())
        listing = "\n".join(f"{reason.code:<26} {reason.sentence}" for reason in shown)
        click.echo(
            json.dumps([dataclasses.asdict(reason) for reason in shown], indent=2) if form == "json" else listing
        )
        return
    reason = CATALOGUE.get(code.upper())
    if reason is None:
        close = difflib.get_close_matches(code.upper(), CATALOGUE, n=1)
        hint = f"did you mean {close[0]}?" if close else "`explain` alone lists them all"
        message = f"{code}: no such reason; {hint}"
        raise UsageError(message)
    click.echo(json.dumps(dataclasses.asdict(reason), indent=2) if form == "json" else _told(reason))


def _told(reason: Reason) -> str:
    outcome = f"outcome: {reason.outcome}" if reason.outcome else "a warning: the row is registered all the same"
    lines = [f"{reason.code} ({reason.family})", reason.sentence, f"what to do: {reason.remedy}"]
    lines += [f"who must act: {reason.owner}", outcome]
    return "\n".join([*lines, *([f"Microsoft: {reason.microsoft}"] if reason.microsoft else [])])
