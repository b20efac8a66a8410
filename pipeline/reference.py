"""Loads the operator's reference data. What cannot be relied on is an error that names file, line and column."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandera.errors
import polars as pl
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from pipeline.errors import ReferenceDataError
from schemas.manufacturers import ALIASES
from schemas.reference import AUTHORIZATIONS, EXCLUSIONS, MANUFACTURERS, PARTNERS, TENANTS, ReferenceTable

_MOST_ERRORS = 20
"""Errors named in one message: what an operator mends in one go."""

_FILES = ("partners.csv", "authorizations.csv", "tenants.csv", "exclusions.csv", "manufacturers.csv")

_NO_LETTERS = r"[^\p{L}\p{N}]"
_NEAR_FROM, _LONG_FROM = 5, 12
"""Letters and digits from which a name is near another by one edit, and by two."""
_MOST_EDITS = 2


@dataclass(frozen=True, slots=True)
class Reference:
    """The operator's view of the world.

    Attributes:
        partners: one row a partner: `partner_id`, `partner_type`, `channel`, `region`, `provider_id`, `name`.
        authorizations: one row a statement, in the file's order: `partner_id`, `tenant_id`, `status`, `granted_at`,
            `revoked_at` (UTC).
        tenants: one row a tenant: `tenant_id`, `region`, `cloud`, `verified_domains` (list, lower case); None
            where the file is absent.
        exclusions: one row an excluded device: `tenant_id`, `serial_number`, `manufacturer`, `reason`.
        manufacturers: one row a spelling: `spelling` (lower case) and the exact `manufacturer`.
        notices: what was ignored, in sentences.
    """

    partners: pl.DataFrame
    authorizations: pl.DataFrame
    tenants: pl.DataFrame | None
    exclusions: pl.DataFrame
    manufacturers: pl.DataFrame
    notices: tuple[str, ...] = ()


def is_reference_name(name: str) -> bool:
    """Whether a file of this name is one of those that are read."""
    return name in _FILES


def load_reference(folder: Path) -> Reference:
    """Read all files of a reference folder.

    Raises:
        ReferenceDataError: a file is missing or holds something unknown; the message names every place.
    """
    if not folder.is_dir():
        message = f"reference folder {folder}: not found; create it with partners.csv and authorizations.csv"
        raise ReferenceDataError(message)
    partners = _load(folder, PARTNERS, _check_partners)
    authorizations = _load(folder, AUTHORIZATIONS, _check_authorizations)
    tenants = _load_optional(folder, TENANTS)
    exclusions = _load_optional(folder, EXCLUSIONS)
    manufacturers = _load_optional(folder, MANUFACTURERS)
    return Reference(
        partners=partners,
        authorizations=authorizations.with_columns(
            pl.col("tenant_id").str.to_lowercase(), _moment("granted_at"), _moment("revoked_at")
        ),
        tenants=None if tenants is None else _tenants(tenants),
        exclusions=_empty(EXCLUSIONS) if exclusions is None else exclusions,
        manufacturers=_spellings(manufacturers),
        notices=tuple(_notices(folder, partners, authorizations, tenants)),
    )


def _load_optional(folder: Path, table: ReferenceTable) -> pl.DataFrame | None:
    return _load(folder, table, _no_more_checks) if (folder / table.file).exists() else None


def _load(folder: Path, table: ReferenceTable, check: Callable[[pl.DataFrame], list[tuple[int, str]]]) -> pl.DataFrame:
    path = folder / table.file
    rows = _read(path, table)
    errors = [*_failures(rows, table), *_repeated(rows, table)]
    errors = errors or check(rows)
    if errors:
        told = [f"{path}:{line}: {text}" for line, text in sorted(errors)[:_MOST_ERRORS]]
        more = [f"and {len(errors) - _MOST_ERRORS} more"] if len(errors) > _MOST_ERRORS else []
        raise ReferenceDataError("\n".join([*told, *more, "correct the file and run again"]))
    return rows.drop("line")


def _read(path: Path, table: ReferenceTable) -> pl.DataFrame:
    """The file's rows with the line each begins on; all columns text, trimmed."""
    columns = list(table.schema.columns)
    values: list[list[str | int]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            missing = [name for name in columns if name not in header]
            if missing:
                message = f"{path}:1: column {missing[0]}: not found; expected the header {','.join(columns)}"
                raise ReferenceDataError(message)
            positions = [header.index(name) for name in columns]
            for fields in reader:
                if not any(field.strip() for field in fields):
                    continue
                if len(fields) != len(header):
                    message = f"{path}:{reader.line_num}: found {len(fields)} fields; expected {len(header)}"
                    raise ReferenceDataError(message)
                values.append([reader.line_num, *(fields[at].strip() for at in positions)])
    except FileNotFoundError as error:
        message = f"{path}: not found; create it with the header {','.join(columns)}"
        raise ReferenceDataError(message) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: {error}; expected readable UTF-8 CSV"
        raise ReferenceDataError(message) from error
    return pl.DataFrame(values, {"line": pl.Int64, **dict.fromkeys(columns, pl.String)}, orient="row")


def _failures(rows: pl.DataFrame, table: ReferenceTable) -> list[tuple[int, str]]:
    try:
        table.schema.validate(rows, lazy=True)
    except pandera.errors.SchemaErrors as caught:
        return [found for error in caught.schema_errors for found in _places(rows, error)]
    return []


def _places(rows: pl.DataFrame, error: pandera.errors.SchemaError) -> list[tuple[int, str]]:
    column = error.schema.name
    kept = error.check_output["check_output"]
    failed = rows.filter(~kept).select("line", column)
    return [(line, f"{column}: found {value!r}; expected {error.check.name}") for line, value in failed.iter_rows()]


def _repeated(rows: pl.DataFrame, table: ReferenceTable) -> list[tuple[int, str]]:
    if not table.key:
        return []
    keys = [pl.col(name).str.to_lowercase() if name == "tenant_id" else pl.col(name) for name in table.key]
    again = rows.filter(~pl.struct(keys).is_first_distinct()).select("line", table.key[0])
    return [(line, f"{table.key[0]}: found {value!r} again; expected it once") for line, value in again.iter_rows()]


def _check_partners(rows: pl.DataFrame) -> list[tuple[int, str]]:
    named = pl.col("provider_id") != ""
    unknown = rows.filter(named & ~pl.col("provider_id").is_in(rows["partner_id"].implode())).select(
        "line", "provider_id"
    )
    return [
        (line, f"provider_id: found {value!r}; expected a partner_id of this file, or nothing")
        for line, value in unknown.iter_rows()
    ]


def _check_authorizations(rows: pl.DataFrame) -> list[tuple[int, str]]:
    errors = [
        (line, f"{name}: found {value!r}; expected a moment that exists")
        for name in ("granted_at", "revoked_at")
        for line, value in rows.select("line", name).iter_rows()
        if value and not _exists(value)
    ]
    ungranted = rows.filter((pl.col("status") == "active") & (pl.col("granted_at") == ""))["line"]
    return errors + [
        (line, "granted_at: found nothing; expected a timestamp, since the status is active") for line in ungranted
    ]


def _no_more_checks(_rows: pl.DataFrame) -> list[tuple[int, str]]:
    return []


def _exists(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _moment(name: str) -> pl.Expr:
    """RFC 3339 text, already checked, as UTC; the files are small, so the standard library reads each value."""
    return pl.col(name).map_batches(
        lambda texts: pl.Series(
            [datetime.fromisoformat(text).astimezone(UTC) if text else None for text in texts],
            dtype=pl.Datetime("us", "UTC"),
        ),
        return_dtype=pl.Datetime("us", "UTC"),
    )


def _tenants(rows: pl.DataFrame) -> pl.DataFrame:
    domains = pl.col("verified_domains").str.to_lowercase().str.extract_all(r"\S+")
    return rows.with_columns(pl.col("tenant_id").str.to_lowercase(), domains)


def _spellings(given: pl.DataFrame | None) -> pl.DataFrame:
    """Every spelling, the exact one included, folded to lower case, with the exact one."""
    if given is None:
        aliases = [(name, alias) for name, spellings in ALIASES.items() for alias in spellings]
        given = pl.DataFrame(aliases, {"manufacturer": pl.String, "alias": pl.String}, orient="row")
    exact = given.select("manufacturer", alias="manufacturer")
    return (
        pl.concat([exact, given.select("manufacturer", "alias")])
        .select(pl.col("alias").str.to_lowercase().alias("spelling"), "manufacturer")
        .unique("spelling", keep="first", maintain_order=True)
    )


def meant_makers(unknown: pl.Series, spellings: pl.DataFrame) -> dict[str, str]:
    """Find which known manufacturers are meant by names that are nearly theirs.

    Args:
        unknown: names as written, none of them a known spelling.
        spellings: `Reference.manufacturers`.

    Returns:
        For each name that is one or two edits from a known spelling, apart from case, blanks and punctuation, the
        exact spelling of the nearest. A short name is near nothing.
    """
    known = spellings["spelling"].str.replace_all(_NO_LETTERS, "")
    names = unknown.unique()
    folded = names.str.to_lowercase().str.replace_all(_NO_LETTERS, "")
    if names.is_empty() or known.is_empty():
        return {}
    distances = cdist(folded.to_list(), known.to_list(), scorer=OSA.distance, score_cutoff=_MOST_EDITS, dtype=np.uint8)
    nearest, edits = distances.argmin(axis=1), distances.min(axis=1)
    lengths = folded.str.len_chars().to_numpy()
    near = (lengths > 0) & (edits <= (lengths >= _LONG_FROM).astype(int) + (lengths >= _NEAR_FROM))
    exact = spellings["manufacturer"]
    return {names[int(at)]: exact[int(nearest[at])] for at in np.flatnonzero(near)}


def _empty(table: ReferenceTable) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(table.schema.columns, pl.String))


def _notices(
    folder: Path, partners: pl.DataFrame, authorizations: pl.DataFrame, tenants: pl.DataFrame | None
) -> list[str]:
    notices = []
    strangers = authorizations.filter(~pl.col("partner_id").is_in(partners["partner_id"].implode()))
    if strangers.height:
        notices.append(
            f"{AUTHORIZATIONS.file}: {strangers.height} rows name a partner that {PARTNERS.file} does not list; ignored"
        )
    if tenants is None:
        notices.append(f"{folder / TENANTS.file}: not found; region, cloud and user domains are not checked")
    else:
        listed = tenants["tenant_id"].str.to_lowercase().implode()
        unlisted = authorizations.filter(~pl.col("tenant_id").str.to_lowercase().is_in(listed))
        if unlisted.height:
            notices.append(
                f"{AUTHORIZATIONS.file}: {unlisted.height} rows name a tenant that {TENANTS.file} does not list"
            )
    return notices


def no_reference(*partner_ids: str) -> Reference:
    """A world of some partners and nothing else, for checks without reference data."""
    unsaid = dict.fromkeys(PARTNERS.schema.columns, "")
    return Reference(
        partners=pl.DataFrame([unsaid | {"partner_id": partner_id} for partner_id in partner_ids]),
        authorizations=_empty(AUTHORIZATIONS).with_columns(_moment("granted_at"), _moment("revoked_at")),
        tenants=None,
        exclusions=_empty(EXCLUSIONS),
        manufacturers=_spellings(None),
    )
