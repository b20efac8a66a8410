"""Words of the pages: who must act, what a partner does first, and the catalogue's sentences said to a partner."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from schemas.reasons import MEANINGS, Owner
from schemas.run import Counts, RowCounts

WHO = ("partner", "customer", "operator", "nobody")
"""Who must act on a rejected row, in the order of the pages."""

OURS = "Nothing for you to do: this is ours to look into, and you need not send the rows again."
"""What a partner is told to do about what an operator has to look into."""

_TO_PARTNER = {
    "a folder named as a partner of partners.csv": "the folder of a known partner",
    "at most as many characters as --group-tag-limit allows": "a shorter group tag",
    "departures of a share of the customer's devices within --departure-limit": "fewer departures at once",
    "an operator has to look at the devices named in the evidence": "we look into it",
}
"""What pages of a partner say in place of a text that is about our side."""
_YOU = {
    "this partner's": "your",
    "This partner's": "Your",
    "the partner's": "your",
    "this partner": "you",
    "the partner": "you",
    "the customer": "your customer",
    "The customer": "Your customer",
    "<partner_id>/<tenant_id>/": "a folder that is named as your customer's tenant ID",
}


def who(meaning: str) -> str:
    """Who must act on a row whose primary reason says this, one of `WHO`."""
    reason = MEANINGS[meaning]
    return "nobody" if reason.nothing_to_do else reason.owner.value


_TO_SETTLE = [
    key
    for key, reason in MEANINGS.items()
    if who(key) == "partner" and not (reason.is_correctable or reason.sent_whole)
]
"""Reasons for which a partner has to do something else than to send the row, which waits for it, or its file anew."""


def owners(reasons: Mapping[str, int]) -> dict[str, int]:
    """Rejected rows by who must act; what their reasons say, and how many rows."""
    found = dict.fromkeys(WHO, 0)
    for meaning, rows in reasons.items():
        found[who(meaning)] += rows
    return found


def verdict(counts: Counts) -> str:
    """What to think of a night, in one line; its reasons are counted by what they say."""
    rows = counts["rows"]
    decided = rows["registered"] + rows["deregistered"] + rows["rejected"]
    if not decided:
        return "No file held a row that had to be decided."
    if not rows["rejected"] and not rows["deregistered"]:
        return f"All {decided:,} rows that had to be decided were registered."
    if not rows["rejected"]:
        return f"All {decided:,} rows that had to be decided were carried out: {_done(rows)}."
    by_who = owners(counts["reasons"])
    told = {
        "partner": "for the partner to mend",
        "customer": "for the customer to act on",
        "operator": "for an operator to decide",
        "nobody": "with nothing to do",
    }
    parts = ", ".join(f"{by_who[name]:,} {text}" for name, text in told.items() if by_who[name])
    done = f"{rows['registered']:,} of {decided:,} rows were registered{_left(rows)}"
    return f"{done}; the others are {parts}."


def first_step(counts: Counts, again: Mapping[str, int], files: Iterable[str], unfixed: int) -> str:
    """What a partner does first, in one line. What it was told before, and waits, is no work of tonight.

    Args:
        counts: what became of its rows; its reasons are counted by what they say.
        again: of those with a reason how many wait since an earlier run.
        files: names of the files beside its page that have rows.
        unfixed: rows that are open, those of earlier runs included.
    """
    to_correct, it = _to_correct(files)
    new = {code: rows - again.get(code, 0) for code, rows in counts["reasons"].items()}
    by_who = owners(new)
    to_settle = sum(rows for code, rows in new.items() if code in _TO_SETTLE)
    to_mend, waits = by_who["partner"] - to_settle, sum(again.values())
    if to_mend:
        more = f" For {to_settle:,} more do what is said with {_them(to_settle)}."
        first = f"First: put {_rows(to_mend)} right; correct those in {to_correct or 'your file'} and send {it} back."
        return first + more * (to_settle > 0)
    if to_settle:
        return f"First: do what is said with {_rows(to_settle)}; there is nothing to correct in {_them(to_settle)}."
    if by_who["customer"]:
        return f"First: ask your customer to act on {_rows(by_who['customer'])}; there is nothing to send."
    if waits:
        told = f"Nothing new to do: {_rows(waits)} told before {'waits' if waits == 1 else 'wait'}."
        return told + f" What {to_correct} holds can also be corrected." * (to_correct is not None)
    return _nothing_to_do(counts["rows"], by_who["operator"], unfixed)


def _to_correct(files: Iterable[str]) -> tuple[str | None, str]:
    """The files with rows to correct, of registrations and of departures, and the word for them."""
    names = sorted((name for name in files if "resubmit" in name), reverse=True)  # the workbook before CSV
    found = [next((name for name in names if name.startswith(stem)), None) for stem in ("resubmit", "departures")]
    named = [name for name in found if name is not None]
    return " and ".join(named) or None, "it" if len(named) < len(found) else "them"


def _nothing_to_do(rows: RowCounts, ours: int, unfixed: int) -> str:
    if ours:
        return f"Nothing for you to do: {_rows(ours)} {_be(ours)} with us."
    if unfixed:
        return f"Nothing new to do: {_rows(unfixed)} of earlier deliveries {_be(unfixed)} still open."
    return f"Nothing to do: {_done(rows)}."


def said_to_partner(reason: dict[str, Any]) -> dict[str, Any]:
    """A reason of `report.json` as a partner's page says it: to "you", and what is ours to mend said so."""
    remedy = OURS if is_ours(meaning_of(reason)) else to_you(reason["remedy"])
    return {**reason, "sentence": to_you(reason["sentence"]), "remedy": remedy}


def meaning_of(reason: Mapping[str, Any]) -> str:
    """What a reason or row of `report.json` says; earlier programs wrote its code alone."""
    return str(reason.get("meaning", reason["code"]))


def is_ours(meaning: str) -> bool:
    """Whether a row whose reason says this is the operator's to look into, and others have nothing to do."""
    reason = MEANINGS[meaning]
    return reason.owner is Owner.OPERATOR and reason.outcome is not None


def said_to_operator(reason: dict[str, Any], run_id: str) -> dict[str, Any]:
    """The same as an operator is told, who may decide what matching left open."""
    if not MEANINGS[meaning_of(reason)].to_decide:
        return reason
    command = f"autopilot-intake review decide {run_id} FILE:LINE"
    return {**reason, "remedy": f"{reason['remedy']} Where you know which device it is: {command}."}


@lru_cache(maxsize=1_000)
def to_you(text: str) -> str:
    """A text of the catalogue, said to the partner."""
    for ours, theirs in (_TO_PARTNER | _YOU).items():
        text = text.replace(ours, theirs)
    return text


def _done(rows: RowCounts) -> str:
    registered = rows["registered"]
    return f"{_rows(registered)} {'was' if registered == 1 else 'were'} registered{_left(rows)}"


def _left(rows: RowCounts) -> str:
    return f", {rows['deregistered']:,} deregistered" if rows["deregistered"] else ""


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _be(number: int) -> str:
    return "is" if number == 1 else "are"
