"""Small tables that charts are drawn from, and round numbers for their axes."""

import math
from collections import Counter
from datetime import date
from typing import Any

from schemas.reasons import Outcome

MOST_TICKS = 5
"""Steps of an axis: enough to read a value by."""
_MOST_REASONS = 15
"""Reasons of a heat map, the most frequent first; the groups of the page have all."""
_MOST_LABELS = 10
"""Dates below a chart."""

_DONE = ("registered", "deregistered")

Night = dict[str, Any]


def round_ticks(most: float, *, whole: bool = False) -> list[float]:
    """Round numbers from 0 to at least the largest value, in steps of 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return [0, 1]
    power = 10.0 ** math.floor(math.log10(most / MOST_TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10) if most / (power * factor) <= MOST_TICKS + 1e-9)
    if whole:
        step = max(1, round(step))
    return [round(at * step, 10) for at in range(math.ceil(most / step - 1e-9) + 1)]


def labels(trend: list[Night]) -> list[str]:
    """A date for each night, empty for those between: at most so many, the last night among them."""
    gap = math.ceil(len(trend) / _MOST_LABELS)
    return ["" if (len(trend) - 1 - at) % gap else _day(night) for at, night in enumerate(trend)]


def _day(night: Night) -> str:
    day = date.fromisoformat(night["as_of"][:10])
    return f"{day.day} {day:%b}"


def stack(trend: list[Night]) -> dict[str, Any]:
    """Rows by outcome and night: `names` of the outcomes that any night has, and for each night its `values`."""
    order = (*_DONE, *(outcome.value for outcome in Outcome))
    each = [{**{done: night[done] for done in _DONE}, **night["outcomes"]} for night in trend]
    known = [*order, *sorted({name for counts in each for name in counts} - set(order))]
    names = [name for name in known if any(counts.get(name) for counts in each)]
    values = [[counts.get(name, 0) for name in names] for counts in each]
    return {"names": names, "values": values, "ticks": round_ticks(max(map(sum, values), default=0), whole=True)}


def heat_map(trend: list[Night]) -> dict[str, Any]:
    """Rows by reason and night: `codes`, the most frequent first, and for each its `rows` night by night."""
    total: Counter[str] = Counter()
    for night in trend:
        total.update(night["reasons"])
    codes = [code for code, _ in total.most_common(_MOST_REASONS)]
    rows = [[night["reasons"].get(code, 0) for night in trend] for code in codes]
    return {"codes": codes, "rows": rows, "most": max(map(max, rows), default=0), "of": len(total)}
