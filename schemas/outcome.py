"""The output sets and the list of files: every row that was decided is in exactly one of the sets."""

import pandera.polars as pa
import polars as pl

from schemas.gate import Gate
from schemas.kinds import DEPARTURE, KINDS
from schemas.reasons import REASON_CODES, WARNING_CODES, Outcome
from schemas.registry import IDENTITIES, REGISTERED_VIA

_MOMENT = pl.Datetime("us", "UTC")
_HEX_64 = r"^[0-9a-f]{64}$"
_GUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

BOTH_TYPES: dict[str, pl.DataType] = {
    "run_id": pl.String(),
    "partner_id": pl.String(),
    "tenant_id": pl.String(),
    "source_file": pl.String(),
    "source_line": pl.UInt32(),
    "serial_number": pl.String(),
    "windows_product_id": pl.String(),
    "manufacturer": pl.String(),
    "model": pl.String(),
    "group_tag": pl.String(),
    "assigned_user": pl.String(),
    "hardware_hash_id": pl.String(),
    "warnings": pl.List(pl.String),
    "matched_device_id": pl.String(),
    "evidence": pl.String(),
}
REGISTERED_TYPES: dict[str, pl.DataType] = {
    **BOTH_TYPES,
    "device_id": pl.String(),
    "identity": pl.String(),
    "profile": pl.String(),
    "registered_at": _MOMENT,
    "captured_at": _MOMENT,
    "hardware_hash": pl.Binary(),
    "hash_serial_number": pl.String(),
    "hash_manufacturer": pl.String(),
    "hash_model": pl.String(),
    "hash_product_id": pl.String(),
    "smbios_uuid": pl.String(),
    "tpm_ek_id": pl.String(),
    "mac_addresses": pl.List(pl.String),
    "disk_serials": pl.List(pl.String),
}
DEREGISTERED_TYPES: dict[str, pl.DataType] = {
    **BOTH_TYPES,
    "device_id": pl.String(),
    "identity": pl.String(),
    "departure_reason": pl.String(),
    "registered_via": pl.String(),
    "registered_by": pl.String(),
    "registered_at": _MOMENT,
    "deregistered_at": _MOMENT,
}
REJECTED_TYPES: dict[str, pl.DataType] = {
    **BOTH_TYPES,
    "reason": pl.String(),
    "reasons": pl.List(pl.String),
    "outcome": pl.String(),
    "first_run": pl.String(),
    "waits_for": pl.List(pl.String),
    "raw_record": pl.String(),
    "matched_source_file": pl.String(),
    "matched_source_line": pl.UInt32(),
}
FILE_TYPES: dict[str, pl.DataType] = {
    "source_file": pl.String(),
    "partner_id": pl.String(),
    "tenant_folder": pl.String(),
    "bytes": pl.UInt64(),
    "sha256": pl.String(),
    "layout": pl.String(),
    "encoding": pl.String(),
    "delimiter": pl.String(),
    "rows_read": pl.UInt64(),
    "rows_registered": pl.UInt64(),
    "rows_rejected": pl.UInt64(),
    "rows_deregistered": pl.UInt64(),
    "rows_settled": pl.UInt64(),
    "disposition": pl.String(),
    "findings": pl.List(pl.String),
    "ignored_columns": pl.List(pl.String),
}
MEANINGS: dict[str, str] = {
    "run_id": "the run",
    "partner_id": "who delivered the row; null where the file is in no partner's folder",
    "tenant_id": "whose device it is, a lower-case GUID; null where that is not known",
    "source_file": "the manifest, relative to its inbox",
    "source_line": "line in it, from 1; 0 for what could not be read at all",
    "serial_number": "as delivered, trimmed; so are the next five",
    "windows_product_id": "as delivered",
    "manufacturer": "as delivered",
    "model": "as delivered",
    "group_tag": "as delivered",
    "assigned_user": "as delivered",
    "hardware_hash_id": "SHA-256 of the hash's signed part, in hex; null unless the hash is verified",
    "warnings": "codes of what is odd about the row and does not stop it",
    "matched_device_id": "the registered device that it collided with, or whose disk it carries, or, of a repair, the "
    "ended one",
    "evidence": "which components agreed and which did not",
    "device_id": "the device's key in the registry; of a departure that of the registration that ended",
    "identity": "what it is registered by: `hash`, `product_id` or `tuple`; of a departure what named it: `device_id`, "
    "`hash`, `product_id` or `serial_number`",
    "profile": "deployment profile that `profiles.csv` assigned to the tenant and group tag; else `default`",
    "registered_at": "the `--as-of` of the run that registered it",
    "departure_reason": "as delivered",
    "registered_via": "the way that it had been registered",
    "registered_by": "the partner that had registered it",
    "deregistered_at": "the run's `--as-of`",
    "captured_at": "when the hash was captured, by the device's own clock",
    "hardware_hash": "the decoded hash without its padding",
    "hash_serial_number": "inside the hash; so are the next seven",
    "hash_manufacturer": "system manufacturer",
    "hash_model": "system product name",
    "hash_product_id": "Windows product ID",
    "smbios_uuid": "lower-case GUID",
    "tpm_ek_id": "SHA-256 of the TPM's endorsement key, in hex",
    "mac_addresses": "network cards, as `AA:BB:CC:DD:EE:FF`",
    "disk_serials": "disks",
    "reason": "the primary code: the first of the catalogue",
    "reasons": "all codes, the primary one first",
    "outcome": "`invalid`, `unauthorized`, `excluded`, `duplicate`, `review`, `structure` or `not_registered`",
    "first_run": "the run that rejected the row, or one of the same device, first",
    "waits_for": "what could mend it: `reference`, `settings`, `registry`, or `delivery` where only a new one helps; "
    "null where nothing is to be done",
    "raw_record": "the line as delivered, product keys masked",
    "matched_source_file": "manifest of the row of this delivery that it collided with",
    "matched_source_line": "and its line",
    "tenant_folder": "second folder of the manifest's path",
    "bytes": "size as delivered",
    "sha256": "of the file as delivered",
    "layout": "`intune`, `partner_center`, `store` or `other`",
    "encoding": "how its text was read",
    "delimiter": "`,` `;` or tab",
    "rows_read": "its rows = the next four together",
    "rows_registered": "rows that became devices",
    "rows_rejected": "other rows that were decided",
    "rows_deregistered": "rows that ended a registration",
    "rows_settled": "rows of which an earlier run has settled what becomes of them",
    "disposition": "`processed`, `empty`, `already_processed`, `unreadable` or `not_a_manifest`",
    "findings": "codes that hold for all its rows",
    "ignored_columns": "names of its columns that are not read",
}
"""What each column of the published files holds."""

DISPOSITIONS = ("processed", "empty", "already_processed", "unreadable", "not_a_manifest")


def _columns(types: dict[str, pl.DataType], required: set[str], checks: dict[str, pa.Check]) -> dict[str, pa.Column]:
    return {
        name: pa.Column(dtype, nullable=name not in required, checks=checks.get(name), description=MEANINGS[name])
        for name, dtype in types.items()
    }


def _only(codes: tuple[str, ...], column: str) -> pa.Check:
    unknown = pl.col(column).list.set_difference(list(codes)).list.len()
    return pa.Check(lambda data: data.lazyframe.select(unknown == 0), name=f"{column} of the catalogue")


_COMMON = {"tenant_id": pa.Check.str_matches(_GUID), "hardware_hash_id": pa.Check.str_matches(_HEX_64)}

REGISTERED_DEVICE = Gate(
    _columns(
        REGISTERED_TYPES,
        {
            "run_id",
            "partner_id",
            "tenant_id",
            "source_file",
            "source_line",
            "warnings",
            "device_id",
            "identity",
            "profile",
            "registered_at",
        },
        {
            **_COMMON,
            "device_id": pa.Check.str_matches(_GUID),
            "identity": pa.Check.isin(list(IDENTITIES)),
            "tpm_ek_id": pa.Check.str_matches(_HEX_64),
            "smbios_uuid": pa.Check.str_matches(_GUID),
        },
    ),
    checks=[_only(WARNING_CODES, "warnings")],
)
"""One row is one device that the run registered; `device_id` is its key."""

ENDED_REGISTRATION = Gate(
    _columns(
        DEREGISTERED_TYPES,
        {
            "run_id",
            "partner_id",
            "tenant_id",
            "source_file",
            "source_line",
            "warnings",
            "device_id",
            "identity",
            "registered_via",
            "deregistered_at",
        },
        {
            **_COMMON,
            "device_id": pa.Check.str_matches(_GUID),
            "identity": pa.Check.isin(list(KINDS[DEPARTURE].identities)),
            "registered_via": pa.Check.isin(list(REGISTERED_VIA)),
        },
    ),
    checks=[_only(WARNING_CODES, "warnings")],
)
"""One row is one departure that the run carried out; `device_id`, of the registration that it ended, is its key."""

REJECTED_ROW = Gate(
    _columns(
        REJECTED_TYPES,
        {"run_id", "source_file", "source_line", "warnings", "reason", "reasons", "outcome"},
        {
            **_COMMON,
            "reason": pa.Check.isin(list(REASON_CODES)),
            "outcome": pa.Check.isin([outcome.value for outcome in Outcome]),
        },
    ),
    checks=[
        _only(WARNING_CODES, "warnings"),
        _only(REASON_CODES, "reasons"),
        pa.Check(
            lambda data: data.lazyframe.select(pl.col("reasons").list.first() == pl.col("reason")),
            name="the primary reason comes first",
        ),
    ],
)
"""One row is one record that the run did not carry out; `source_file` and `source_line` are its key."""

INPUT_FILE = Gate(
    _columns(
        FILE_TYPES,
        {
            "source_file",
            "bytes",
            "rows_read",
            "rows_registered",
            "rows_rejected",
            "rows_deregistered",
            "rows_settled",
            "disposition",
            "findings",
        },
        {"disposition": pa.Check.isin(list(DISPOSITIONS))},
    ),
    checks=[
        pa.Check(
            lambda data: data.lazyframe.select(
                pl.col("rows_read")
                == pl.sum_horizontal("rows_registered", "rows_deregistered", "rows_rejected", "rows_settled")
            ),
            name="rows read are settled, registered, deregistered or rejected",
        ),
    ],
)
"""One row is one input file; `source_file` is its key."""

CARRIED_OUT_SETS: dict[str, tuple[dict[str, pl.DataType], pa.DataFrameSchema]] = {
    "registered": (REGISTERED_TYPES, REGISTERED_DEVICE),
    "deregistered": (DEREGISTERED_TYPES, ENDED_REGISTRATION),
}
"""The sets of rows that were carried out, by name: their columns and their model."""
