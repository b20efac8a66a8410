"""The model that the rows of each kind of manifest are held to."""

import polars as pl

from schemas.departure import DEPARTURE_RULES
from schemas.gate import Gate
from schemas.kinds import DEPARTURE, REGISTRATION
from schemas.manifest import RULES, every, model

_RULES: dict[str, dict[str, pl.Expr]] = {REGISTRATION: RULES, DEPARTURE: DEPARTURE_RULES}

ACCEPTED_ROWS: dict[str, Gate] = {kind: model({kind: every(rules)}) for kind, rules in _RULES.items()}
"""By kind; one row is one record of a manifest that keeps all rules. They are one check, since each has its price
whatever there is to check: forty of them took forty times as long."""

ROW_MODELS: dict[str, Gate] = {kind: model(rules) for kind, rules in _RULES.items()}
"""By kind; one row is one record of a manifest, and each rule is a check of its own, which tells its code."""

RULE_CODES: tuple[str, ...] = tuple(dict.fromkeys(code for rules in _RULES.values() for code in rules))
"""The codes of all rules of any kind."""
