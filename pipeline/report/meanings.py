"""What the code of a finding says of a row: of departures, and of what is final, some say another thing."""

import polars as pl

from schemas.kinds import KINDS, REGISTRATION
from schemas.reasons import CORRECTABLE, MEANINGS, Reason

_SPECIAL = [reason for reason in MEANINGS.values() if reason.only_of]


def meaning(code: pl.Expr) -> pl.Expr:
    """The key into `MEANINGS` for codes of rows with `request_kind` and `is_waiting`; the code where those are null."""
    text = code.cast(pl.String)
    special = [pl.when((text == reason.code) & _is_of(reason)).then(pl.lit(reason.meaning)) for reason in _SPECIAL]
    return pl.coalesce(*special, text)


def has_correctable() -> pl.Expr:
    """Whether a row, with a Boolean column for each code and those of `meaning`, has what a delivery can mend."""
    special = (pl.col(reason.code) & _is_of(reason) for reason in _SPECIAL if reason.is_correctable)
    return pl.any_horizontal(*CORRECTABLE, *special)


def _is_of(reason: Reason) -> pl.Expr:
    """Whether a row with the code is one of those that this is said of."""
    kind = pl.col("request_kind")
    is_of = kind == reason.only_of if reason.only_of in KINDS else (kind == REGISTRATION) & ~pl.col("is_waiting")
    return is_of.fill_null(value=False)
