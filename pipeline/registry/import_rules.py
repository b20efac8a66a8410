"""Holds existing records to the rules of a manifest's identity cells: what is usable of each, and what is damaged."""

import polars as pl

from pipeline.decode.components import components
from pipeline.decode.decode import decode
from pipeline.reference.manufacturers import meant_makers
from pipeline.registry.identifiers import device_id
from schemas.device import COMPONENT_TYPES, DECODED_TYPES
from schemas.identities import TUPLE_FAULTS, is_placeholder, is_product_id, with_tuple_faults
from schemas.manifest import FORMULA, GUID, HIDDEN, NO_TENANT
from schemas.registry import IMPORT_COLUMNS, REGISTERED_VIA

RECORD_TYPES: dict[str, pl.DataType] = {
    "source_line": pl.UInt32(),
    "device_id": pl.String(),
    "tenant_id": pl.String(),
    "partner_id": pl.String(),
    "registered_via": pl.String(),
    "registered_at": pl.Datetime("us", "UTC"),
    "group_tag": pl.String(),
    "identity": pl.String(),
    "hardware_hash": pl.Binary(),
    "hardware_hash_id": pl.String(),
    "captured_at": pl.Datetime("us", "UTC"),
    **COMPONENT_TYPES,
    "refusal": pl.String(),
    "damage": pl.String(),
}
"""A record of a file, as it would be registered. `refusal` says why it cannot be, and `damage` what of it is no
identity though it stands where one belongs; null where there is nothing to say."""

# What is wrong with a record that is refused, the first that holds.
_REFUSALS = {
    "the line cannot be read by the header": pl.col("record_fault").is_not_null(),
    "tenant_id is not a GUID": ~(pl.col("tenant_id").str.contains(GUID) & (pl.col("tenant_id") != NO_TENANT)).fill_null(
        value=False
    ),
    "registered_via is none of " + ", ".join(REGISTERED_VIA): ~pl.col("registered_via")
    .is_in(list(REGISTERED_VIA))
    .fill_null(value=False),
    "registered_at is not an RFC 3339 timestamp": pl.col("given_moment").is_not_null()
    & pl.col("registered_at").is_null(),
}
_UNIDENTIFIED = (
    "no usable identity: neither a hardware hash that verifies, nor a product ID, nor serial number and manufacturer"
)
_MEANT_AS_NOTHING = ["SERIAL_PLACEHOLDER", "TUPLE_PLACEHOLDER"]
"""Beside a usable identity such a value is as good as an empty cell."""

_FAULTS = {"hardware_hash": "hash_fault", "windows_product_id": "product_id_fault", **TUPLE_FAULTS}
"""The identity cells, and the columns that say what is wrong with each."""


def judged(rows: pl.DataFrame, spellings: pl.DataFrame, salt: str) -> pl.DataFrame:
    """Judge the records of a file, each by itself.

    Args:
        rows: as `pipeline.registry.import_files.read_records` gives them.
        spellings: `Reference.manufacturers`.
        salt: what the ids of new registrations derive from beside their contents.

    Returns:
        One row for each, in order, with the columns of `RECORD_TYPES`.
    """
    read = _with_cells(_with_hashes(rows), spellings)
    own = read.select(
        "source_line",
        "record_fault",
        "tenant_id",
        "partner_id",
        "registered_via",
        "group_tag",
        "hardware_hash_id",
        "captured_at",
        "told_faults",
        device_id=_new_id(salt),
        registered_at="moment",
        hardware_hash="hash_blob",
        given_moment="registered_at",
    )
    together = pl.concat([own, components(read)], how="horizontal").with_columns(identity=identity())
    refusals = [pl.when(fault).then(pl.lit(told)) for told, fault in _REFUSALS.items()]
    unidentified = pl.concat_str(pl.lit(_UNIDENTIFIED), pl.format(" ({})", "told_faults").fill_null(""))
    return together.with_columns(
        refusal=pl.coalesce(*refusals, pl.when(pl.col("identity").is_null()).then(unidentified)),
        damage=pl.col("told_faults"),
    ).select(pl.col(name).cast(dtype) for name, dtype in RECORD_TYPES.items())


def identity() -> pl.Expr:
    """By what a record is known, of its components: its hash, its product ID, or serial number and manufacturer."""
    return (
        pl.when("has_hash")
        .then(pl.lit("hash"))
        .when(pl.col("product_id").is_not_null())
        .then(pl.lit("product_id"))
        .when(pl.col("serial_number").is_not_null())
        .then(pl.lit("tuple"))
    )


def _with_hashes(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the decoded fields of hashes that identify a device; the others have a `hash_fault` and nothing else."""
    decoded = decode(rows["hardware_hash"])
    unnamed = pl.col("hash_serial_number").is_null() | pl.col("hash_manufacturer").is_null()
    fault = pl.coalesce(
        "hash_fault",
        pl.when(pl.col("hash_verified") & unnamed).then(pl.lit("HASH_FIELD_MISSING")),
        pl.when(pl.col("hash_verified") & ~pl.col("hash_consistent")).then(pl.lit("HASH_INCONSISTENT")),
        pl.when(pl.col("hash_verified") & is_placeholder(pl.col("hash_serial_number"))).then(
            pl.lit("SERIAL_PLACEHOLDER")
        ),
    )
    usable = pl.col("hash_verified") & pl.col("hash_fault").is_null()
    believed = [pl.when(usable).then(name).alias(name) for name in DECODED_TYPES if name != "hash_fault"]
    believed_only = decoded.with_columns(hash_fault=fault).with_columns(*believed)
    return pl.concat(
        [rows, believed_only.with_columns(pl.col("hash_verified").fill_null(value=False))], how="horizontal"
    )


def _with_cells(rows: pl.DataFrame, spellings: pl.DataFrame) -> pl.DataFrame:
    """Add the columns of `_FAULTS`, `told_faults` and `moment`; a manufacturer gets its exact spelling."""
    cells = with_tuple_faults(rows, spellings["spelling"]).with_columns(
        spelling=pl.col("manufacturer").str.to_lowercase()
    )
    exact = spellings.rename({"manufacturer": "exact_manufacturer"})
    named = cells.join(exact, on="spelling", how="left", maintain_order="left", validate="m:1")
    unknown = named.filter(pl.col("exact_manufacturer").is_null())["manufacturer"].drop_nulls()
    misspelled = pl.col("manufacturer").is_in(list(meant_makers(unknown, spellings)))
    product_id = pl.col("windows_product_id")
    faulty = named.with_columns(
        *(_cell_fault(name, pl.col(fault)) for name, fault in TUPLE_FAULTS.items()),
        product_id_fault=pl.when(~is_product_id(product_id)).then(pl.lit("PRODUCT_ID_FORMAT")),
    ).with_columns(
        manufacturer_fault=pl.coalesce("manufacturer_fault", pl.when(misspelled).then(pl.lit("MANUFACTURER_SPELLING")))
    )
    return faulty.with_columns(told_faults=_told_faults()).with_columns(
        pl.col("tenant_id").str.to_lowercase(),
        manufacturer=pl.coalesce("exact_manufacturer", "manufacturer"),
        moment=pl.col("registered_at").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False),
    )


def _cell_fault(name: str, fault: pl.Expr) -> pl.Expr:
    cell = pl.col(name)
    return (
        pl.when(cell.str.contains(HIDDEN) | cell.str.contains("\n", literal=True))
        .then(pl.lit("HIDDEN_CHARACTER"))
        .when(cell.str.contains(FORMULA))
        .then(pl.lit("FORMULA_CELL"))
        .otherwise(fault)
        .alias(TUPLE_FAULTS[name])
    )


def _told_faults() -> pl.Expr:
    """What to say of the cells; a usable hash makes up for all but a hidden or damaged serial number of its own."""
    has_hash = pl.col("hash_verified")
    sound = {name: pl.col(name).is_not_null() & pl.col(fault).is_null() for name, fault in _FAULTS.items()}
    usable = has_hash | sound["windows_product_id"] | (sound["serial_number"] & sound["manufacturer"])
    made_up_for = {
        "hardware_hash": pl.lit(value=False),
        "windows_product_id": has_hash,
        "serial_number": has_hash & (pl.col("serial_number") == pl.col("hash_serial_number")),
        "manufacturer": has_hash,
        "model": has_hash,
    }
    told = []
    for name, column in _FAULTS.items():
        fault = pl.col(column)
        nothing = (usable & fault.is_in(_MEANT_AS_NOTHING) & (name != "hardware_hash")) | made_up_for[name]
        told.append(pl.when(~nothing.fill_null(value=False)).then(pl.format("{}: {}", pl.lit(name), fault)))
    exposed = pl.when("product_key_exposed").then(pl.lit("PRODUCT_KEY_EXPOSED"))
    return pl.concat_str(*told, exposed, separator=", ", ignore_nulls=True).replace("", None)


def _new_id(salt: str) -> pl.Expr:
    """The id of the registration that a record makes where none is known."""
    # The same moment and the same capture have one id, however a file writes them.
    written = {
        "registered_at": pl.coalesce(pl.col("moment").dt.epoch("us").cast(pl.String), "registered_at"),
        "hardware_hash": pl.coalesce("hardware_hash_id", "hardware_hash"),
    }
    parts = [written.get(name, pl.col(name)).fill_null("") for name in IMPORT_COLUMNS]
    return device_id(pl.lit("import"), pl.lit(salt), *parts)
