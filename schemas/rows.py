"""The model that the rows of each kind of manifest are held to."""

import pandera.polars as pa
import polars as pl

from schemas.departure import DEPARTURE_RULES
from schemas.kinds import DEPARTURE, REGISTRATION
from schemas.manifest import RULES, model

_RULES: dict[str, dict[str, pl.Expr]] = {REGISTRATION: RULES, DEPARTURE: DEPARTURE_RULES}

ROW_MODELS: dict[str, pa.DataFrameSchema] = {kind: model(rules) for kind, rules in _RULES.items()}
"""By kind; one row is one record of a manifest."""

RULE_CODES: tuple[str, ...] = tuple(dict.fromkeys(code for rules in _RULES.values() for code in rules))
"""The codes of all rules of any kind."""
