"""Checks every row by the rules of its kind (`schemas.rows`), all findings at once."""

from datetime import datetime

import pandera.errors
import polars as pl

from pipeline.errors import Fault
from pipeline.reference.manufacturers import meant_makers
from pipeline.reference.tables import Reference
from schemas.columns import ONE_LINE_CELLS, TEXT_CELLS
from schemas.gate import Gate
from schemas.identities import is_placeholder, is_product_id, known, says_nothing, with_tuple_faults
from schemas.kinds import Kind
from schemas.manifest import COLUMNS, FORMULA, HIDDEN
from schemas.rows import ALL, ROW_MODELS, WARNING_MODELS, RowModels

VALIDATE_ROWS = 100_000
"""Rows checked at once: in blocks of 4,000 the fixed cost of a check is ten times as much."""


def derive(rows: pl.DataFrame, reference: Reference, as_of: datetime, group_tag_limit: int, kind: Kind) -> pl.DataFrame:
    """What the rules look at, from cells, decoded hashes and reference data.

    Args:
        rows: one row a record, as ingest and decode give them, with `partner_id`.
        reference: the operator's data.
        as_of: the moment that counts, UTC.
        group_tag_limit: most characters of a group tag.
        kind: of the manifests that they stand in.

    Returns:
        The same rows with the columns of `schemas.manifest.COLUMNS` added.
    """
    product_id = pl.col("windows_product_id")
    named_by = {
        "device_id": pl.col("registration_id").is_not_null(),
        "hash": pl.col("has_hash"),
        "product_id": pl.col("product_id").is_not_null(),
        "tuple": pl.all_horizontal(pl.col("serial_number", "manufacturer", "model").is_not_null()),
        "serial_number": pl.col("serial_number").is_not_null(),
    }
    text = pl.concat_str(TEXT_CELLS, separator="\n", ignore_nulls=True)
    in_two_lines = pl.any_horizontal(pl.col(ONE_LINE_CELLS).str.contains("\n", literal=True).fill_null(value=False))
    derived = rows.with_columns(
        cells_read=pl.col("record_fault").is_null() & pl.col("header_no").is_not_null(),
        tenant_key=pl.col("tenant_claim").str.to_lowercase(),
        product_id=known(product_id, ~is_product_id(product_id)),
        hidden_character=text.str.contains(HIDDEN) | in_two_lines,
        formula=text.str.contains(FORMULA),
        hash_serial_placeholder=is_placeholder(pl.col("hash_serial_number")),
        group_tag_limit=pl.lit(group_tag_limit, pl.UInt32),
        as_of=pl.lit(as_of, COLUMNS["as_of"]),
    ).with_columns(identity=pl.coalesce(pl.when(named_by[name]).then(pl.lit(name)) for name in kind.identities))
    channels = reference.partners.select("partner_id", takes_hash=pl.col("channel") != "oem_direct_api")
    derived = derived.join(channels, on="partner_id", how="left", maintain_order="left", validate="m:1")
    derived = with_tuple_faults(derived, reference.manufacturers["spelling"])
    derived = _with_makers(derived, reference.manufacturers)
    return _with_domains(_with_differences(derived), reference)


def _with_makers(rows: pl.DataFrame, spellings: pl.DataFrame) -> pl.DataFrame:
    """Add the spellings that devices report of the row's and the hash's manufacturer, and which the row means instead.

    A manufacturer that is not known is taken as it is, unless the row is a tuple and it is nearly a known one.
    """
    for name, own in (("manufacturer", "exact_manufacturer"), ("hash_manufacturer", "exact_hash_manufacturer")):
        rows = (
            rows.with_columns(spelling=pl.col(name).str.to_lowercase())
            .join(
                spellings.rename({"manufacturer": own}),
                on="spelling",
                how="left",
                maintain_order="left",
                validate="m:1",
            )
            .drop("spelling")
        )
    exact, given = pl.col("exact_manufacturer"), pl.col("manufacturer")
    typed = (pl.col("identity") == "tuple") & pl.col("manufacturer_fault").is_null()
    meant = meant_makers(rows.filter(typed & exact.is_null())["manufacturer"], spellings)
    return rows.with_columns(
        meant_manufacturer=pl.when(typed & exact.is_null())
        .then(given.replace_strict(meant, default=None, return_dtype=pl.String))
        .otherwise(known(exact, exact == given)),
        exact_manufacturer=pl.coalesce(exact, given),
        exact_hash_manufacturer=pl.coalesce("exact_hash_manufacturer", "hash_manufacturer"),
    )


def _with_differences(rows: pl.DataFrame) -> pl.DataFrame:
    """Add which cells are others than inside the verified hash; what is damaged in itself is held against nothing."""
    serial, inside = pl.col("serial_number"), pl.col("hash_serial_number")
    # Rows without anything of the kind, all of them as a rule, are not looked at cell by cell.
    odd = (rows["hidden_character"] | rows["formula"]).any()

    def differs(name: str, own: str, other: str, stands_for_none: pl.Expr) -> pl.Expr:
        cell = pl.col(name)
        damaged = cell.str.contains(HIDDEN) | cell.str.contains("\n", literal=True) | cell.str.contains(FORMULA)
        broken = stands_for_none | damaged if odd else stands_for_none
        return (pl.col("hash_verified") & (pl.col(own) != pl.col(other)) & ~broken).fill_null(value=False)

    def empty(*names: str) -> pl.Expr:
        return pl.any_horizontal(says_nothing(pl.col(name)).fill_null(value=False) for name in names)

    damaged_serial = pl.col("serial_fault").eq_missing(pl.lit("SPREADSHEET_DAMAGE"))
    no_serial = is_placeholder(serial) | damaged_serial | pl.col("hash_serial_placeholder")
    maker = ("manufacturer", "exact_manufacturer", "exact_hash_manufacturer")
    return rows.with_columns(
        names_own_serial=(pl.col("hash_verified") & (serial == inside)).fill_null(value=False),
        serial_differs=differs("serial_number", "serial_number", "hash_serial_number", no_serial),
        manufacturer_differs=differs(*maker, empty("manufacturer", "hash_manufacturer")),
        model_differs=differs("model", "model", "hash_model", empty("model", "hash_model")),
    )


def _with_domains(rows: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    if reference.tenants is None:
        return rows.with_columns(verified_domains=pl.lit(None, pl.List(pl.String)))
    domains = reference.tenants.filter(pl.col("verified_domains").list.len() > 0)
    domains = domains.select("verified_domains", tenant_key="tenant_id")
    return rows.join(domains, on="tenant_key", how="left", maintain_order="left", validate="m:1")


def validate(rows: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Check rows by every rule of their kind, and by those of warnings.

    Args:
        rows: collected rows with the columns of `schemas.manifest.COLUMNS`.
        kind: of the manifests that they stand in.

    Returns:
        One row for each, in order: a Boolean column for each code of `schemas.rows.RULE_CODES` and of
        `schemas.manifest.WARNING_RULES`, true where the row has that finding.

    Raises:
        Fault: a check failed as a whole; such a failure is never taken for a pass.
    """
    narrow = rows.select(list(COLUMNS))
    return pl.concat([_found(narrow, models) for models in (ROW_MODELS[kind.name], WARNING_MODELS)], how="horizontal")


def _found(narrow: pl.DataFrame, models: RowModels) -> pl.DataFrame:
    """What is found of rows by some models: a Boolean column for each of their codes."""
    nothing = pl.repeat(value=False, n=narrow.height, eager=True)
    odd = _broken(models.whole, narrow).get(ALL, nothing)
    told = _told(narrow.filter(odd), models)
    if not told.select(pl.any_horizontal(pl.all())).to_series().all():
        message = "validation gave two answers for the same rows; nothing was published, please report this"
        raise Fault(message)
    # Row by row the place of what is told of it, or of nothing, which stands behind.
    places = pl.select(pl.when(odd).then(odd.cum_sum() - 1).otherwise(told.height)).to_series()
    return pl.concat([told, pl.DataFrame({code: [False] for code in models.codes})])[places]


def _told(odd: pl.DataFrame, models: RowModels) -> pl.DataFrame:
    """Which rules each of some rows breaks."""
    broken = _broken(models.each, odd) if odd.height else {}
    return pl.select(
        broken.get(code, pl.repeat(value=False, n=odd.height, eager=True)).alias(code) for code in models.codes
    )


def _broken(model: Gate, narrow: pl.DataFrame) -> dict[str, pl.Series]:
    """For each check that fails the rows that fail it."""
    try:
        model.validate(narrow, lazy=True)
    except pandera.errors.SchemaErrors as caught:
        return {str(error.check.name): _mask(error, narrow.height) for error in caught.schema_errors}
    return {}


def _mask(error: pandera.errors.SchemaError, height: int) -> pl.Series:
    output = error.check_output
    if not isinstance(output, pl.DataFrame) or output.height != height:
        message = f"check {error.check} failed as a whole; nothing was published, please report this"
        raise Fault(message)
    return ~output["check_output"]
