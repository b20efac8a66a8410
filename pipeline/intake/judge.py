"""Rows judged one by one: what is wrong with each, and what matching and deciding need of it.

These are the two words in the middle of the way, validate and authorize, as they are said of the rows of one part.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.authorize import authorize, exclude
from pipeline.clock import Stopwatch
from pipeline.decode.components import components
from pipeline.intake.staging import Part
from pipeline.match import BLOCKING_TYPES, with_blocking_keys
from pipeline.reference.tables import Reference
from pipeline.rows import ROW, rows_at
from pipeline.storage.mapped import mapped, write_mapped
from pipeline.validate import derive, lone_numbers, unclear, validate
from schemas.decoded import DECODED_DEVICE
from schemas.device import COMPONENT_TYPES
from schemas.kinds import KINDS, REGISTRATION, Kind
from schemas.manifest import GUID, NO_TENANT

ROW_TYPES: dict[str, pl.DataType] = {
    "row": ROW,
    "file_no": pl.UInt32(),
    "source_line": pl.UInt32(),
    "header_no": pl.UInt32(),
    "request_kind": pl.String(),
    "tenant_id": pl.String(),
    "identity": pl.String(),
    "captured_at": pl.Datetime("us", "UTC"),
    "identity_key": pl.Int64(),
    **COMPONENT_TYPES,
    **BLOCKING_TYPES,
}
"""What matching and deciding look at of a row."""

ASKED_TYPES: dict[str, pl.DataType] = {
    "row": ROW,
    "partner_id": pl.String(),
    "named_id": pl.String(),
    "named_product_id": pl.String(),
    "named_serial": pl.String(),
    "named_maker": pl.String(),
    "named_model": pl.String(),
    "departure_reason": pl.String(),
}
"""What is kept beside of a row that ends a registration: its own cells, the manufacturer as its devices report it."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What rows are judged by: the operator's data, the moment, and the configured limits."""

    reference: Reference
    as_of: datetime
    group_tag_limit: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Some rows, judged one by one.

    Attributes:
        rows: one row a record, with the columns of `ROW_TYPES`.
        findings: for each of them, in order, a Boolean column a code.
        asked: one row for each that names a registration, with the columns of `ASKED_TYPES`.
        numbers: what stands in columns that are not read (`pipeline.validate.unclear_columns.lone_numbers`).
    """

    rows: pl.DataFrame
    findings: pl.DataFrame
    asked: pl.DataFrame
    numbers: pl.DataFrame

    def write(self, part: Path) -> None:
        """Write it beside the staged rows of its part."""
        for name, frame in (
            ("judged", pl.concat([self.rows, self.findings], how="horizontal")),
            ("asked", self.asked),
            ("numbers", self.numbers),
        ):
            write_mapped(frame, _beside(part, name))

    @classmethod
    def read(cls, part: Path) -> "Judged":
        """Read what stands beside the staged rows of a part."""
        judged, asked, numbers = (mapped(_beside(part, name)) for name in ("judged", "asked", "numbers"))
        return cls(judged.select(list(ROW_TYPES)), judged.drop(list(ROW_TYPES)), asked, numbers)


def _beside(part: Path, name: str) -> Path:
    return part.with_suffix(f".{name}.arrow")


def together(parts: list[Judged]) -> Judged:
    """Some judged rows, one after the other."""
    return Judged(
        pl.concat(part.rows for part in parts),
        pl.concat(part.findings for part in parts),
        pl.concat(part.asked for part in parts),
        pl.concat(part.numbers for part in parts),
    )


def judged_rows(parts: Iterable[Part], wanted: pl.Series) -> pl.DataFrame:
    """The rows of these identities, which ascend, with the columns of `ROW_TYPES`.

    Raises:
        Fault: one of them is in none of these parts.
    """
    numbers = wanted.to_numpy()
    found = [pl.DataFrame(schema=ROW_TYPES)]
    for part in parts:
        own = numbers[np.searchsorted(numbers, part.first) : np.searchsorted(numbers, part.last, side="right")]
        if len(own):
            rows = Judged.read(part.path).rows
            row = rows["row"].to_numpy()
            found.append(rows.filter(own[np.minimum(np.searchsorted(own, row), len(own) - 1)] == row))
    return rows_at(pl.concat(found).sort("row"), wanted)


def judge(rows: pl.DataFrame, rulebook: Rulebook, watch: Stopwatch) -> Judged:
    """Judge decoded rows one by one, those of each kind of manifest together.

    Args:
        rows: one row a record, with `row` and the columns of `pipeline.intake.staging.NARROW_TYPES`.
        rulebook: what they are judged by.
        watch: times what is done.
    """
    kinds = rows["request_kind"].unique(maintain_order=True).to_list() or [REGISTRATION]
    return together(
        [
            _judge(rows.filter(request_kind=kind) if len(kinds) > 1 else rows, KINDS[kind], rulebook, watch)
            for kind in kinds
        ]
    )


def _judge(rows: pl.DataFrame, kind: Kind, rulebook: Rulebook, watch: Stopwatch) -> Judged:
    reference, as_of = rulebook.reference, rulebook.as_of
    with watch("validate"):
        DECODED_DEVICE.validate(rows.select(list(DECODED_DEVICE.columns)))
        derived = derive(rows, reference, as_of, rulebook.group_tag_limit, kind)
        claim = pl.col("tenant_key")
        tenant_id = pl.when(claim.str.contains(GUID) & (claim != NO_TENANT)).then(claim)
        known = derived.with_columns(tenant_id=tenant_id)
        found = [validate(known, kind), unclear(known, reference)]
    with watch("authorize"):
        found += [authorize(known, reference, as_of), exclude(known, reference)]
    findings = pl.concat(found, how="horizontal").with_columns(
        pl.lit(value=False).alias(code) for code in kind.unchecked
    )
    compared = with_blocking_keys(components(known))
    kept = known.select([name for name in ROW_TYPES if name not in compared.columns])
    return Judged(
        pl.concat([kept, compared], how="horizontal").select(list(ROW_TYPES)),
        findings,
        _asked(known if not kind.makes_device else known.clear()),
        lone_numbers(rows),
    )


def _asked(rows: pl.DataFrame) -> pl.DataFrame:
    """What rows say of the registration that they name; a placeholder beside another identity says nothing."""
    is_meant = pl.col("serial_fault").ne_missing(pl.lit("SERIAL_PLACEHOLDER"))
    return rows.select(
        "row",
        "partner_id",
        named_id=pl.col("registration_id").str.to_lowercase(),
        named_product_id="product_id",
        named_serial=pl.when(is_meant).then("serial_number"),
        named_maker="exact_manufacturer",
        named_model="model",
        departure_reason="departure_reason",
    ).select(pl.col(name).cast(dtype) for name, dtype in ASKED_TYPES.items())
