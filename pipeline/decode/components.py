"""What of a device is evidence: placeholders that many devices share are none."""

import polars as pl

from schemas.identities import TUPLE_FAULTS, is_placeholder, is_product_id, known

_PLACEHOLDER_UUIDS = (
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03000200-0400-0500-0006-000700080009",
)


def is_placeholder_uuid(uuid: pl.Expr) -> pl.Expr:
    """Whether a UUID is one that boards without their own report."""
    return uuid.is_in(list(_PLACEHOLDER_UUIDS))


def components(rows: pl.DataFrame) -> pl.DataFrame:
    """What a record is compared by.

    Args:
        rows: one row a record: its own cells `serial_number`, `manufacturer`, `model`, `windows_product_id`, what
            `schemas.identities.with_tuple_faults` says of them, and the decoded fields, null where it has no
            verified hash.

    Returns:
        One row for each, in order, with the columns of `schemas.device.COMPONENT_TYPES`. A verified hash's own
        fields win over the cells.
    """
    has_hash = pl.col("hash_verified")
    genuine = {name: known(pl.col(name), pl.col(fault).is_not_null()) for name, fault in TUPLE_FAULTS.items()}
    inside = pl.col("hash_serial_number")
    product_id = pl.col("windows_product_id")
    own = rows.select(
        has_hash=has_hash,
        tpm_ek_id="tpm_ek_id",
        smbios_uuid=known(pl.col("smbios_uuid"), is_placeholder_uuid(pl.col("smbios_uuid"))),
        serial_number=pl.when(has_hash).then(known(inside, is_placeholder(inside))).otherwise(genuine["serial_number"]),
        manufacturer=pl.when(has_hash).then("hash_manufacturer").otherwise(genuine["manufacturer"]),
        model=pl.when(has_hash).then("hash_model").otherwise(genuine["model"]),
        product_id=pl.coalesce("hash_product_id", known(product_id, ~is_product_id(product_id))),
        mac_addresses=pl.col("mac_addresses").fill_null([]),
        disk_serials=_real_disks(rows["disk_serials"]),
    )
    named = pl.col("serial_number").is_not_null() & pl.col("manufacturer").is_not_null()
    return own.with_columns(pl.when(named).then(name).alias(name) for name in ("serial_number", "manufacturer"))


def _real_disks(disks: pl.Series) -> pl.Series:
    exploded = disks.to_frame("disk").with_row_index("at").explode("disk").drop_nulls()
    real = exploded.filter(~is_placeholder(pl.col("disk"))).group_by("at", maintain_order=True).agg("disk")
    positions = pl.DataFrame({"at": pl.int_range(len(disks), eager=True, dtype=pl.UInt32)})
    joined = positions.join(real, on="at", how="left", maintain_order="left", validate="1:1")
    return joined["disk"].fill_null([])
