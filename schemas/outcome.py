"""The output sets and the list of files: every row that was decided is in exactly one of the sets."""

from dataclasses import dataclass

import pandera.polars as pa
import polars as pl

from schemas.columns import ALL_SETS, DEREGISTERED, MANIFEST_COLUMNS, REGISTERED, REJECTED, Column, types_of
from schemas.gate import gate
from schemas.kinds import DEPARTURE, KINDS
from schemas.reasons import REASON_CODES, WARNING_CODES, Outcome
from schemas.registry import IDENTITIES, REGISTERED_VIA

_MOMENT = pl.Datetime("us", "UTC")
_TEXT, _TEXTS = pl.String(), pl.List(pl.String)
_HEX_64 = r"^[0-9a-f]{64}$"
_GUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_REGISTERED, _DEREGISTERED, _REJECTED = (REGISTERED,), (DEREGISTERED,), (REJECTED,)
_CARRIED_OUT = (REGISTERED, DEREGISTERED)


@dataclass(frozen=True, slots=True)
class _SetColumn:
    """A column of the sets: its type, what it holds, the sets that have it, and those in which it is never null."""

    dtype: pl.DataType
    meaning: str
    sets: tuple[str, ...]
    required_in: tuple[str, ...] = ()


_CELLS = {
    name: _SetColumn(_TEXT, column.meaning, column.kept_in)
    for name, column in MANIFEST_COLUMNS.items()
    if column.kept_in
}
SET_COLUMNS: dict[str, _SetColumn] = {
    "run_id": _SetColumn(_TEXT, "the run", ALL_SETS, ALL_SETS),
    "partner_id": _SetColumn(
        _TEXT, "who delivered the row; null where the file is in no partner's folder", ALL_SETS, _CARRIED_OUT
    ),
    "tenant_id": _SetColumn(
        _TEXT, "whose device it is, a lower-case GUID; null where that is not known", ALL_SETS, _CARRIED_OUT
    ),
    "source_file": _SetColumn(_TEXT, "the manifest, relative to its inbox", ALL_SETS, ALL_SETS),
    "source_line": _SetColumn(
        pl.UInt32(), "line in it, from 1; 0 for what could not be read at all", ALL_SETS, ALL_SETS
    ),
    **{name: one for name, one in _CELLS.items() if one.sets == ALL_SETS},
    "hardware_hash_id": _SetColumn(
        _TEXT, "SHA-256 of the hash's signed part, in hex; null unless the hash is verified", ALL_SETS
    ),
    "warnings": _SetColumn(_TEXTS, "codes of what is odd about the row and does not stop it", ALL_SETS, ALL_SETS),
    "matched_device_id": _SetColumn(
        _TEXT,
        "the registered device that it collided with, or whose disk it carries, or, of a repair, the ended one",
        ALL_SETS,
    ),
    "evidence": _SetColumn(_TEXT, "which components agreed and which did not", ALL_SETS),
    "device_id": _SetColumn(
        _TEXT,
        "the device's key in the registry; of a departure that of the registration that ended",
        _CARRIED_OUT,
        _CARRIED_OUT,
    ),
    "identity": _SetColumn(
        _TEXT,
        "what it is registered by: `hash`, `product_id` or `tuple`; of a departure what named it: `device_id`, `hash`, "
        "`product_id` or `serial_number`",
        _CARRIED_OUT,
        _CARRIED_OUT,
    ),
    "profile": _SetColumn(
        _TEXT,
        "deployment profile that `profiles.csv` assigned to the tenant and group tag; else `default`",
        _REGISTERED,
        _REGISTERED,
    ),
    **{name: one for name, one in _CELLS.items() if one.sets != ALL_SETS},
    "registered_via": _SetColumn(_TEXT, "the way that it had been registered", _DEREGISTERED, _DEREGISTERED),
    "registered_by": _SetColumn(_TEXT, "the partner that had registered it", _DEREGISTERED),
    "registered_at": _SetColumn(_MOMENT, "the `--as-of` of the run that registered it", _CARRIED_OUT, _REGISTERED),
    "deregistered_at": _SetColumn(_MOMENT, "the run's `--as-of`", _DEREGISTERED, _DEREGISTERED),
    "captured_at": _SetColumn(_MOMENT, "when the hash was captured, by the device's own clock", _REGISTERED),
    "hardware_hash": _SetColumn(pl.Binary(), "the decoded hash without its padding", _REGISTERED),
    "hash_serial_number": _SetColumn(_TEXT, "inside the hash; so are the next seven", _REGISTERED),
    "hash_manufacturer": _SetColumn(_TEXT, "system manufacturer", _REGISTERED),
    "hash_model": _SetColumn(_TEXT, "system product name", _REGISTERED),
    "hash_product_id": _SetColumn(_TEXT, "Windows product ID", _REGISTERED),
    "smbios_uuid": _SetColumn(_TEXT, "lower-case GUID", _REGISTERED),
    "tpm_ek_id": _SetColumn(_TEXT, "SHA-256 of the TPM's endorsement key, in hex", _REGISTERED),
    "mac_addresses": _SetColumn(_TEXTS, "network cards, as `AA:BB:CC:DD:EE:FF`", _REGISTERED),
    "disk_serials": _SetColumn(_TEXTS, "disks", _REGISTERED),
    "reason": _SetColumn(_TEXT, "the primary code: the first of the catalogue", _REJECTED, _REJECTED),
    "reasons": _SetColumn(_TEXTS, "all codes, the primary one first", _REJECTED, _REJECTED),
    "outcome": _SetColumn(
        _TEXT,
        "`invalid`, `unauthorized`, `excluded`, `duplicate`, `review`, `structure` or `not_registered`",
        _REJECTED,
        _REJECTED,
    ),
    "first_run": _SetColumn(_TEXT, "the run that rejected the row, or one of the same device, first", _REJECTED),
    "waits_for": _SetColumn(
        _TEXTS,
        "what could mend it: `reference`, `settings`, `registry`, or `delivery` where only a new one helps; null where "
        "nothing is to be done",
        _REJECTED,
    ),
    "raw_record": _SetColumn(_TEXT, "the line as delivered, product keys masked", _REJECTED),
    "matched_source_file": _SetColumn(_TEXT, "manifest of the row of this delivery that it collided with", _REJECTED),
    "matched_source_line": _SetColumn(pl.UInt32(), "and its line", _REJECTED),
}
"""Columns of all sets, in the order in which each has its own."""


def _of_set(name: str) -> dict[str, Column]:
    return {
        column: Column(one.dtype, one.meaning, required=name in one.required_in)
        for column, one in SET_COLUMNS.items()
        if name in one.sets
    }


REGISTERED_COLUMNS, DEREGISTERED_COLUMNS, REJECTED_COLUMNS = map(_of_set, ALL_SETS)
FILE_COLUMNS: dict[str, Column] = {
    "source_file": Column(_TEXT, SET_COLUMNS["source_file"].meaning, required=True),
    "partner_id": Column(_TEXT, SET_COLUMNS["partner_id"].meaning),
    "tenant_folder": Column(_TEXT, "second folder of the manifest's path"),
    "bytes": Column(pl.UInt64(), "size as delivered", required=True),
    "sha256": Column(_TEXT, "of the file as delivered"),
    "layout": Column(_TEXT, "`intune`, `partner_center`, `store` or `other`"),
    "encoding": Column(_TEXT, "how its text was read"),
    "delimiter": Column(_TEXT, "`,` `;` or tab"),
    "rows_read": Column(pl.UInt64(), "its rows = the next four together", required=True),
    "rows_registered": Column(pl.UInt64(), "rows that became devices", required=True),
    "rows_rejected": Column(pl.UInt64(), "other rows that were decided", required=True),
    "rows_deregistered": Column(pl.UInt64(), "rows that ended a registration", required=True),
    "rows_settled": Column(pl.UInt64(), "rows of which an earlier run has settled what becomes of them", required=True),
    "disposition": Column(
        _TEXT, "`processed`, `empty`, `already_processed`, `unreadable` or `not_a_manifest`", required=True
    ),
    "findings": Column(_TEXTS, "codes that hold for all its rows", required=True),
    "ignored_columns": Column(_TEXTS, "names of its columns that are not read"),
}
"""Columns of `files.parquet`."""

REGISTERED_TYPES, DEREGISTERED_TYPES = types_of(REGISTERED_COLUMNS), types_of(DEREGISTERED_COLUMNS)
REJECTED_TYPES, FILE_TYPES = types_of(REJECTED_COLUMNS), types_of(FILE_COLUMNS)

DISPOSITIONS = ("processed", "empty", "already_processed", "unreadable", "not_a_manifest")


def _only(codes: tuple[str, ...], column: str) -> pa.Check:
    unknown = pl.col(column).list.set_difference(list(codes)).list.len()
    return pa.Check(lambda data: data.lazyframe.select(unknown == 0), name=f"{column} of the catalogue")


_COMMON = {"tenant_id": pa.Check.str_matches(_GUID), "hardware_hash_id": pa.Check.str_matches(_HEX_64)}

REGISTERED_DEVICE = gate(
    REGISTERED_COLUMNS,
    {
        **_COMMON,
        "device_id": pa.Check.str_matches(_GUID),
        "identity": pa.Check.isin(list(IDENTITIES)),
        "tpm_ek_id": pa.Check.str_matches(_HEX_64),
        "smbios_uuid": pa.Check.str_matches(_GUID),
    },
    checks=[_only(WARNING_CODES, "warnings")],
)
"""One row is one device that the run registered; `device_id` is its key."""

ENDED_REGISTRATION = gate(
    DEREGISTERED_COLUMNS,
    {
        **_COMMON,
        "device_id": pa.Check.str_matches(_GUID),
        "identity": pa.Check.isin(list(KINDS[DEPARTURE].identities)),
        "registered_via": pa.Check.isin(list(REGISTERED_VIA)),
    },
    checks=[_only(WARNING_CODES, "warnings")],
)
"""One row is one departure that the run carried out; `device_id`, of the registration that it ended, is its key."""

REJECTED_ROW = gate(
    REJECTED_COLUMNS,
    {
        **_COMMON,
        "reason": pa.Check.isin(list(REASON_CODES)),
        "outcome": pa.Check.isin([outcome.value for outcome in Outcome]),
    },
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

INPUT_FILE = gate(
    FILE_COLUMNS,
    {"disposition": pa.Check.isin(list(DISPOSITIONS))},
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
