"""Loads the operator's reference data. What cannot be relied on is an error that names file, line and column."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandera.errors
import polars as pl

from pipeline.errors import ReferenceDataError
from pipeline.reference.files import check_names, is_there, read_table
from pipeline.reference.manufacturers import BUILT_IN_SPELLINGS, known_spellings, meant_makers
from pipeline.reference.profiles import DEFAULT_PROFILE
from schemas.reference import AUTHORIZATIONS, EXCLUSIONS, MANUFACTURERS, PARTNERS, PROFILES, TENANTS, ReferenceTable

_Check = Callable[[pl.DataFrame], list[tuple[int, str]]]
"""Finds what is wrong with rows that keep the rules of each column, as line and text."""

_MOST_ERRORS = 20
"""Errors named in one message: what an operator mends in one go."""


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
        profiles: one row a tenant and group tag: `tenant_id`, `group_tag` (empty: any other), `profile`.
        manufacturers: one row a spelling: `spelling` (lower case) and the exact `manufacturer`.
        notices: what was ignored, in sentences.
    """

    partners: pl.DataFrame
    authorizations: pl.DataFrame
    tenants: pl.DataFrame | None
    exclusions: pl.DataFrame
    profiles: pl.DataFrame
    manufacturers: pl.DataFrame
    notices: tuple[str, ...] = ()


def load_reference(folder: Path) -> Reference:
    """Read all files of a reference folder.

    Raises:
        ReferenceDataError: a file is missing or holds something unknown; the message names every place.
    """
    _require_folder(folder)
    check_names(folder)
    partners = _load(folder, PARTNERS, _check_partners)
    authorizations = _load(folder, AUTHORIZATIONS, _check_authorizations)
    tenants = _load_optional(folder, TENANTS)
    exclusions = _load_optional(folder, EXCLUSIONS)
    profiles = _load_optional(folder, PROFILES)
    manufacturers = _load_optional(folder, MANUFACTURERS, _check_manufacturers)
    spellings = BUILT_IN_SPELLINGS if manufacturers is None else known_spellings(manufacturers)
    return Reference(
        partners=partners,
        authorizations=authorizations.with_columns(
            pl.col("tenant_id").str.to_lowercase(), _moment("granted_at"), _moment("revoked_at")
        ),
        tenants=None if tenants is None else _tenants(tenants),
        exclusions=_empty(EXCLUSIONS) if exclusions is None else _exclusions(exclusions, spellings),
        profiles=_profiles(profiles),
        manufacturers=spellings,
        notices=(
            *([f"{folder / PARTNERS.file}: names no partner; nobody may deliver"] if partners.is_empty() else []),
            *_strangers(partners, authorizations, tenants, {EXCLUSIONS.file: exclusions, PROFILES.file: profiles}),
            *(
                f"{folder / table.file}: not found; {meaning}"
                for table, given, meaning in (
                    (TENANTS, tenants, "region, cloud and user domains are not checked"),
                    (EXCLUSIONS, exclusions, "no device is excluded"),
                    (PROFILES, profiles, f"every device gets the profile {DEFAULT_PROFILE}"),
                    (MANUFACTURERS, manufacturers, "the built-in list of spellings is used"),
                )
                if given is None
            ),
        ),
    )


def manufacturer_spellings(folder: Path | None = None) -> pl.DataFrame:
    """`Reference.manufacturers` alone: of a reference folder, or, without one or its file, the built-in ones.

    Raises:
        ReferenceDataError: the folder is missing, or the file holds something unknown.
    """
    if folder is not None:
        _require_folder(folder)
    given = _load_optional(folder, MANUFACTURERS, _check_manufacturers) if folder else None
    return BUILT_IN_SPELLINGS if given is None else known_spellings(given)


def assigned_profiles(folder: Path | None = None) -> pl.DataFrame:
    """`Reference.profiles` alone: of a reference folder, or, without one or its file, none.

    Raises:
        ReferenceDataError: the folder is missing, or the file holds something unknown.
    """
    if folder is not None:
        _require_folder(folder)
        check_names(folder)
    return _profiles(_load_optional(folder, PROFILES) if folder else None)


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        message = f"reference folder {folder}: not found; create it with partners.csv and authorizations.csv"
        raise ReferenceDataError(message)


def _load_optional(folder: Path, table: ReferenceTable, check: _Check | None = None) -> pl.DataFrame | None:
    return _load(folder, table, check) if is_there(folder / table.file) else None


def _load(folder: Path, table: ReferenceTable, check: _Check | None) -> pl.DataFrame:
    path = folder / table.file
    rows = read_table(path, table)
    errors = [*_failures(rows, table), *_repeated(rows, table)]
    errors = errors or (check(rows) if check else [])
    if errors:
        told = [f"{path}:{line}: {text}" for line, text in sorted(errors)[:_MOST_ERRORS]]
        more = [f"and {len(errors) - _MOST_ERRORS} more"] if len(errors) > _MOST_ERRORS else []
        raise ReferenceDataError("\n".join([*told, *more, "correct the file and run again"]))
    return rows.drop("line")


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
    errors += [
        (line, "granted_at: found nothing; expected a timestamp, since the status is active") for line in ungranted
    ]
    if errors:
        return errors
    moments = rows.with_columns(begins=_moment("granted_at"), ends=_moment("revoked_at"))
    return [
        (line, f"revoked_at: found {ends!r}, which is before granted_at; expected a later moment, or nothing")
        for line, ends in moments.filter(pl.col("ends") < pl.col("begins")).select("line", "revoked_at").iter_rows()
    ]


def _check_manufacturers(rows: pl.DataFrame) -> list[tuple[int, str]]:
    """A spelling means one manufacturer, and a manufacturer has one exact spelling."""
    spellings = pl.concat([rows, rows.with_columns(alias="manufacturer")]).with_columns(
        pl.col("alias").str.to_lowercase().alias("spelling")
    )
    others = pl.col("manufacturer") != pl.col("manufacturer").first().over("spelling", order_by="line")
    several = spellings.filter(others).unique("line", keep="first").select("line", "alias")
    return [
        (line, f"alias: found {value!r}, which stands for another manufacturer, too; expected it for one")
        for line, value in several.iter_rows()
    ]


def _exists(value: str) -> bool:
    try:
        datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
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


def _exclusions(rows: pl.DataFrame, spellings: pl.DataFrame) -> pl.DataFrame:
    """Each device once, its manufacturer as its devices report it, however it is written; both in lower case."""
    folded = rows.with_columns(pl.all().exclude("reason").str.to_lowercase())
    exact = dict(spellings.select("spelling", pl.col("manufacturer").str.to_lowercase()).iter_rows())
    meant = meant_makers(folded.filter(~pl.col("manufacturer").is_in(list(exact)))["manufacturer"], spellings)
    exact |= {name: maker.lower() for name, maker in meant.items()}
    return folded.with_columns(pl.col("manufacturer").replace(exact)).unique(maintain_order=True)


def _profiles(rows: pl.DataFrame | None) -> pl.DataFrame:
    return (_empty(PROFILES) if rows is None else rows).with_columns(pl.col("tenant_id").str.to_lowercase())


def _empty(table: ReferenceTable) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(table.schema.columns, pl.String))


def _strangers(
    partners: pl.DataFrame,
    authorizations: pl.DataFrame,
    tenants: pl.DataFrame | None,
    optional: dict[str, pl.DataFrame | None],
) -> list[str]:
    """What is told of rows that name somebody who is not listed."""
    listed = (authorizations if tenants is None else tenants)["tenant_id"].str.to_lowercase().unique()
    listing = AUTHORIZATIONS.file if tenants is None else TENANTS.file
    named = [
        (AUTHORIZATIONS.file, authorizations["partner_id"], "partner", partners["partner_id"], PARTNERS.file),
        (AUTHORIZATIONS.file, authorizations["tenant_id"].str.to_lowercase(), "tenant", listed, listing),
    ]
    for file, rows in optional.items():
        if rows is not None:
            named.append((file, rows["tenant_id"].str.to_lowercase(), "tenant", listed, listing))
    counted = [
        (file, names.len() - int(names.is_in(known.implode()).sum()), kind, where)
        for file, names, kind, known, where in named
    ]
    return [
        f"{file}: {number} rows name a {kind} that {where} does not list; ignored"
        for file, number, kind, where in counted
        if number
    ]


def no_reference(*partner_ids: str) -> Reference:
    """A world of some partners and nothing else, for checks without reference data."""
    unsaid = dict.fromkeys(PARTNERS.schema.columns, "")
    return Reference(
        partners=pl.DataFrame([unsaid | {"partner_id": partner_id} for partner_id in partner_ids]),
        authorizations=_empty(AUTHORIZATIONS).with_columns(_moment("granted_at"), _moment("revoked_at")),
        tenants=None,
        exclusions=_empty(EXCLUSIONS),
        profiles=_empty(PROFILES),
        manufacturers=BUILT_IN_SPELLINGS,
    )
