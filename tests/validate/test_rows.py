"""Rows are held to every rule of their kind: what is found is what each rule says by itself."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from pipeline.errors import Fault
from pipeline.validate import rows as validating
from pipeline.validate.rows import validate
from schemas.departure import DEPARTURE_RULES
from schemas.device import HASH_FAULTS
from schemas.kinds import DEPARTURE, KINDS, REGISTRATION
from schemas.manifest import COLUMNS, RULES, WARNING_RULES, model
from schemas.reasons import codes_of
from schemas.rows import ALL, ROW_MODELS, RULE_CODES, WARNING_MODELS

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
    pl.UInt32(): [128, 3_000],
    pl.UInt8(): [None, 0, 1],
    pl.Datetime("us", "UTC"): [None, *(datetime(year, 1, 1, tzinfo=UTC) for year in (2014, 2015, 2025, 2026))],
    pl.List(pl.String): [None, [], ["contoso.example"]],
}


@pytest.mark.parametrize("kind", _RULES)
@pytest.mark.parametrize("height", [0, 1, 400])
def test_what_is_found_is_what_each_rule_says(kind, height):
    chance = random.Random(height)
    rows = pl.DataFrame({name: chance.choices(_VALUES[dtype], k=height) for name, dtype in COLUMNS.items()}, COLUMNS)
    rules = _RULES[kind] | WARNING_RULES
    expected = rows.select(
        (~rules[code].fill_null(value=True)).alias(code)
        if code in rules
        else pl.repeat(value=False, n=pl.len()).alias(code)
        for code in (*RULE_CODES, *WARNING_RULES)
    )
    assert validate(rows, KINDS[kind]).equals(expected)


_KEPT = dict.fromkeys(COLUMNS) | {"cells_read": True, "identity": "hash", "tenant_claim": _TENANT}


def test_a_row_that_is_refused_for_no_reason_is_a_fault(monkeypatch):
    row = pl.DataFrame([_KEPT], COLUMNS)
    assert not validate(row, KINDS[REGISTRATION]).sum_horizontal()[0]
    nothing = replace(ROW_MODELS[REGISTRATION], whole=model({ALL: pl.repeat(value=False, n=pl.len())}))
    monkeypatch.setitem(ROW_MODELS, REGISTRATION, nothing)
    with pytest.raises(Fault, match="two answers"):
        validate(row, KINDS[REGISTRATION])


def test_a_warning_that_no_row_is_asked_for_is_a_fault(monkeypatch):
    row = pl.DataFrame([_KEPT | {"value_trimmed": True}], COLUMNS)
    assert validate(row, KINDS[REGISTRATION])["VALUE_TRIMMED"].to_list() == [True]
    monkeypatch.setattr(validating, "WARNING_MODELS", replace(WARNING_MODELS, each=model({})))
    with pytest.raises(Fault, match="two answers"):
        validate(row, KINDS[REGISTRATION])
