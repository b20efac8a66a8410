"""What a registration is after a record of it was imported: what the file tells, and the rest as it was."""

import polars as pl

from pipeline.registry.import_rules import identity
from pipeline.registry.known_states import COMPARED, KnownStates
from pipeline.registry.table import Registry
from schemas.device import COMPONENT_TYPES
from schemas.registry import CHANGED, IDENTITIES, RECORD_TYPES, REGISTERED, RESTORED

_OF_HASH = ("hardware_hash", "hardware_hash_id", "captured_at", *COMPONENT_TYPES)
"""Columns that are of one capture, or of none; but a product ID that a capture lacks is one all the same."""

_RANKED = ("identity", "captured_at", "registered_at")
_RANKS = {name: rank for rank, name in enumerate(IDENTITIES)}

_TOLD = ("partner_id", "registered_via", "registered_at", "group_tag", "serial_number", "manufacturer", "model")


def events(records: pl.DataFrame, registry: Registry, known: KnownStates) -> pl.DataFrame:
    """The events that records are.

    Args:
        records: with the columns of `pipeline.registry.import_rules.RECORD_TYPES`; `record`, where the registry holds
            the registration that each is (null for a new one), and whether that one `ended`.
        registry: the registry.
        known: what of it stands in the file as it is.

    Returns:
        One row for each that is one, with `row` and the columns of a state in `schemas.registry.RECORD_TYPES`, but for
        the keys. A record that says nothing new is none, and so is one that the file holds a better one of.
    """
    new = records.filter(pl.col("record").is_null()).with_columns(event=pl.lit(REGISTERED))
    told = records.filter(pl.col("record").is_not_null())
    held = _states(registry, told["record"])
    better = held.filter(known.were_met(held))
    pairs = told.join(held, on="record", how="inner", suffix="_held", validate="1:1", maintain_order="left")
    merged = (
        pairs.with_columns(pl.col(_RANKED).name.prefix("own_"))
        .with_columns(_merged())
        .with_columns(identity=identity())
    )
    stays = ~pl.col("ended") & (_is_unchanged() | (pl.col("record").is_in(better["record"].implode()) & ~_is_better()))
    changed = merged.filter(~stays).with_columns(
        event=pl.when("ended").then(pl.lit(RESTORED)).otherwise(pl.lit(CHANGED)),
        device_id="device_id_held",
    )
    columns = ["row", "event", *(name for name in RECORD_TYPES if name in new.columns and name != "event")]
    kept = ["run_id", "assigned_user"]
    return pl.concat([changed.select(*columns, *kept), new.select(columns)], how="diagonal")


def _states(registry: Registry, positions: pl.Series) -> pl.DataFrame:
    """The records at these positions, with `record`; what lies between the outermost is read."""
    if positions.is_empty():
        return pl.DataFrame(schema={"record": pl.UInt32, **RECORD_TYPES})
    ordered = positions.sort()
    first, last = int(ordered[0]), int(ordered[-1])
    between = registry.scan().slice(first, last - first + 1).with_row_index("record", first)
    return between.filter(pl.col("record").is_in(positions.implode())).collect(engine="streaming")


def _merged() -> list[pl.Expr]:
    capture, capture_held = pl.col("captured_at"), pl.col("captured_at_held")
    newer = (capture > capture_held).fill_null(capture_held.is_null())
    takes_hash = pl.col("has_hash") & (~pl.col("has_hash_held") | newer)
    keeps_hash = pl.col("has_hash_held") & ~takes_hash
    merged = []
    for name in dict.fromkeys((*_TOLD, *_OF_HASH)):
        own, held = pl.col(name), pl.col(f"{name}_held")
        told = pl.coalesce(own, held) if name in _TOLD else own
        if name == "product_id":
            column = pl.when(keeps_hash).then(pl.coalesce(held, own)).otherwise(pl.coalesce(own, held))
        elif name in _OF_HASH:
            column = pl.when(keeps_hash).then(held).when(takes_hash).then(own).otherwise(told)
        else:
            column = told
        merged.append(column.alias(name))
    return merged


def _is_unchanged() -> pl.Expr:
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_held")) for name in COMPARED)


def _is_better() -> pl.Expr:
    """Whether a batch would keep the record rather than what is held: by its identity, then the latest capture."""
    rank = [pl.col(name).replace_strict(_RANKS, return_dtype=pl.UInt8) for name in ("own_identity", "identity_held")]
    capture, capture_held = pl.col("own_captured_at"), pl.col("captured_at_held")
    later = (capture > capture_held).fill_null(capture.is_not_null() & capture_held.is_null())
    as_late = capture.eq_missing(capture_held)
    registered_later = (pl.col("own_registered_at") > pl.col("registered_at_held")).fill_null(value=False)
    return (rank[0] < rank[1]) | ((rank[0] == rank[1]) & (later | (as_late & registered_later)))
