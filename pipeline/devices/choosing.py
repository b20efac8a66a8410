"""Which of the registered devices are meant."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

_FOLDED = ("tenant_id", "serial_number", "manufacturer", "model", "group_tag", "profile")


@dataclass(frozen=True, slots=True)
class Choice:
    """What holds of the devices that are meant; None lets any be.

    Texts are compared as a whole and without case, but a partner's id byte for byte. An empty text is one that the
    device does not have.

    Attributes:
        tenant_id: whose it is.
        partner_id: who registered it.
        serial_number: its own.
        manufacturer: its own.
        model: its own.
        group_tag: its own.
        profile: the deployment profile that it gets.
        since: registered then or later.
    """

    tenant_id: str | None = None
    partner_id: str | None = None
    serial_number: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    group_tag: str | None = None
    profile: str | None = None
    since: datetime | None = None

    def holds(self) -> pl.Expr:
        """Whether a device is meant: of rows with the columns that are named as the attributes, and `registered_at`."""
        texts = {name: getattr(self, name) for name in (*_FOLDED, "partner_id")}
        told = [
            _folded(pl.col(name), name) == _folded(pl.lit(text.strip()), name)
            for name, text in texts.items()
            if text is not None
        ]
        if self.since is not None:
            told.append((pl.col("registered_at") >= self.since).fill_null(value=False))
        return pl.all_horizontal(pl.lit(value=True), *told)


def _folded(text: pl.Expr, name: str) -> pl.Expr:
    known = text.fill_null("")
    return known.str.to_lowercase() if name in _FOLDED else known
