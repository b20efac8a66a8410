"""Rows judged one by one: what is wrong with each, and what matching and deciding need of it."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.authorize import authorize, exclude
from pipeline.decode.components import components
from pipeline.reference.tables import Reference
from pipeline.rows import ROW
from pipeline.validate.rows import derive, validate, warn
from pipeline.validate.unclear_columns import unclear
from schemas.decoded import DECODED_DEVICE
from schemas.device import COMPONENT_TYPES
from schemas.manifest import GUID, NO_TENANT

ROW_TYPES: dict[str, pl.DataType] = {
    "row": ROW,
    "file_no": pl.UInt32(),
    "source_line": pl.UInt32(),
    "header_no": pl.UInt32(),
    "tenant_id": pl.String(),
    "identity": pl.String(),
    "captured_at": pl.Datetime("us", "UTC"),
    "identity_key": pl.Int64(),
    **COMPONENT_TYPES,
}
"""What is kept of a row in memory."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What rows are judged by: the operator's data, the moment, and the configured limits."""

    reference: Reference
    as_of: datetime
    group_tag_limit: int


def judge(rows: pl.DataFrame, rulebook: Rulebook) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Judge decoded rows one by one.

    Returns:
        The rows with the columns of `ROW_TYPES`, and their findings, a Boolean column a code.
    """
    reference = rulebook.reference
    DECODED_DEVICE.validate(rows.select(list(DECODED_DEVICE.columns)))
    derived = derive(rows, reference, rulebook.group_tag_limit)
    claim = pl.col("tenant_key")
    tenant_id = pl.when(claim.str.contains(GUID) & (claim != NO_TENANT)).then(claim)
    known = derived.with_columns(tenant_id=tenant_id)
    findings = pl.concat(
        [
            validate(known),
            warn(known, pl.lit(rulebook.as_of, pl.Datetime("us", "UTC"))),
            authorize(known, reference, rulebook.as_of),
            exclude(known, reference),
            unclear(known, reference),
        ],
        how="horizontal",
    )
    kept = known.select([name for name in ROW_TYPES if name not in COMPONENT_TYPES])
    return pl.concat([kept, components(known)], how="horizontal").select(list(ROW_TYPES)), findings
