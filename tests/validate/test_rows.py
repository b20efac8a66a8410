"""Rows are held to every rule of their kind: what is found is what each rule says by itself."""

import random

import polars as pl
import pytest

from pipeline.errors import Fault
from pipeline.validate import rows as validating
from pipeline.validate.rows import validate
from schemas.departure import DEPARTURE_RULES
from schemas.device import HASH_FAULTS
from schemas.kinds import DEPARTURE, KINDS, REGISTRATION
from schemas.manifest import COLUMNS, RULES, model
from schemas.reasons import codes_of
from schemas.rows import RULE_CODES

_RULES = {REGISTRATION: RULES, DEPARTURE: DEPARTURE_RULES}
_TENANT = "11111111-1111-4111-8111-111111111111"
_WORDS = [
    *[None] * 12,
    *("hash", "tuple", "serial_number", "SERIAL_PLACEHOLDER", "SERIAL_FORMAT", "SPREADSHEET_DAMAGE", "COLUMNS_SHIFTED"),
    *("anna@contoso.example", "anna", _TENANT, "x" * 200, *codes_of("record"), *HASH_FAULTS),
]
_VALUES = {
    pl.String(): _WORDS,
    pl.Boolean(): [None, True, False],
    pl.UInt32(): [128],
    pl.List(pl.String): [None, [], ["contoso.example"]],
}


@pytest.mark.parametrize("kind", _RULES)
@pytest.mark.parametrize("height", [0, 1, 400])
def test_what_is_found_is_what_each_rule_says(kind, height):
    chance = random.Random(height)
    rows = pl.DataFrame({name: chance.choices(_VALUES[dtype], k=height) for name, dtype in COLUMNS.items()}, COLUMNS)
    expected = rows.select(
        (~_RULES[kind][code].fill_null(value=True)).alias(code)
        if code in _RULES[kind]
        else pl.repeat(value=False, n=pl.len()).alias(code)
        for code in RULE_CODES
    )
    assert validate(rows, KINDS[kind]).equals(expected)


def test_a_row_that_is_refused_for_no_reason_is_a_fault(monkeypatch):
    kept = dict.fromkeys(COLUMNS) | {"cells_read": True, "identity": "hash", "tenant_claim": _TENANT}
    row = pl.DataFrame([kept], COLUMNS)
    assert not validate(row, KINDS[REGISTRATION]).sum_horizontal()[0]
    nothing = {REGISTRATION: model({REGISTRATION: pl.repeat(value=False, n=pl.len())})}
    monkeypatch.setattr(validating, "ACCEPTED_ROWS", nothing)
    with pytest.raises(Fault, match="two answers"):
        validate(row, KINDS[REGISTRATION])
