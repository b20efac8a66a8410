"""The models that the rows of each kind of manifest are held to."""

from dataclasses import dataclass

import polars as pl

from schemas.departure import DEPARTURE_RULES
from schemas.gate import Gate
from schemas.kinds import DEPARTURE, REGISTRATION
from schemas.manifest import RULES, WARNING_RULES, every, model

ALL = "all"
"""The name of the check that is all of some rules."""

_RULES: dict[str, dict[str, pl.Expr]] = {REGISTRATION: RULES, DEPARTURE: DEPARTURE_RULES}


@dataclass(frozen=True, slots=True)
class RowModels:
    """What rows are held to; one row is one record of a manifest.

    Attributes:
        codes: of what is looked for.
        whole: all rules as one check, since each has its price whatever there is to check: forty of them took forty
            times as long.
        each: each rule as a check of its own, which tells its code.
    """

    codes: tuple[str, ...]
    whole: Gate
    each: Gate


def _models(rules: dict[str, pl.Expr], codes: tuple[str, ...]) -> RowModels:
    return RowModels(codes, model({ALL: every(rules)}), model(rules))


RULE_CODES: tuple[str, ...] = tuple(dict.fromkeys(code for rules in _RULES.values() for code in rules))
"""The codes of all rules of any kind."""

ROW_MODELS: dict[str, RowModels] = {kind: _models(rules, RULE_CODES) for kind, rules in _RULES.items()}
"""By kind what its rows are rejected for."""

WARNING_MODELS = _models(WARNING_RULES, tuple(WARNING_RULES))
"""What is told of rows of any kind."""
