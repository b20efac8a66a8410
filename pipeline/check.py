"""Pre-flight of single files: every stage that can be made without registering anything."""

import os
import re
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from types import ModuleType

import polars as pl

from pipeline.clock import Stopwatch
from pipeline.config import Limits
from pipeline.decide import concluded, decide, has_reason, listed
from pipeline.departing import Terms, departed, departing, for_customers
from pipeline.engine import executor_for
from pipeline.errors import UsageError
from pipeline.ingest import Manifest, with_sheets
from pipeline.ingest.names import is_manifest_name, printable
from pipeline.intake.judge import Rulebook
from pipeline.intake.read_part import Delivered
from pipeline.intake.schedule import Front
from pipeline.intake.staging import Staging
from pipeline.intake.taking_in import Intake, take_in
from pipeline.listener import Silence
from pipeline.match import ExistingRecords, NoRecords, match
from pipeline.reference.files import is_reference_name
from pipeline.reference.tables import Reference, load_reference, no_reference
from pipeline.registry import Registry
from pipeline.report.findings import findings
from pipeline.requests.docket import docket_of, identified
from pipeline.requests.words import words_on
from pipeline.rows import rows_at
from pipeline.settings import DEPARTURE_LIMIT, GROUP_TAG_LIMIT, WAIT_DAYS, settings_of
from pipeline.storage.locations import Location
from pipeline.storage.near import at_hand
from schemas.kinds import DEPARTURE, REGISTRATION, kind_of_folder
from schemas.manifest import GUID, NO_TENANT
from schemas.matches import Matches
from schemas.reasons import REASON_CODES, WARNING_CODES, Family, codes_of

_NOBODY = "partner"
"""Who delivers where neither an option nor a folder says it."""

_LATEST = 1 << 62
"""A file that is checked has not been delivered yet: whatever is registered is older."""


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """What to check, and against what.

    Attributes:
        files: the manifests, by the names that they are called by in findings.
        partner: who would deliver them; None for the folder above the tenant's.
        tenant: whose devices they hold, where they have no tenant column; None for the nearest folder above each that
            is named as one, and where there is none that is left open.
        reference: the operator's data; None leaves authorization, exclusions and user domains unchecked.
        registry: the existing records; None leaves them out.
        as_of: the moment that counts, UTC.
        group_tag_limit: most characters of a group tag.
        cache: folder where what comes from object stores is kept; None for nowhere.
    """

    files: dict[str, Path]
    partner: str | None
    tenant: str | None
    reference: Location | None
    registry: Location | None
    as_of: datetime
    group_tag_limit: int = GROUP_TAG_LIMIT
    cache: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values of another type."""
        files: object = self.files
        if not isinstance(files, dict) or not all(isinstance(path, Path) for path in files.values()):
            message = f"files {files!r}: expected paths by their names"
            raise UsageError(message)
        for setting in settings_of("check"):
            value = getattr(self, setting.parameter, setting.default)
            if not setting.accepts(value):
                message = f"{setting.parameter} {value!r}: expected {setting.expected}"
                raise UsageError(message)
        if self.as_of is None or self.as_of.tzinfo is None:
            message = f"as_of {self.as_of}: has no time zone; give a moment in UTC"
            raise UsageError(message)

    @classmethod
    def of(  # noqa: PLR0913 - the options of a check, all optional
        cls,
        *files: Path,
        partner: str | None = None,
        tenant: str | None = None,
        reference: Location | None = None,
        registry: Location | None = None,
        as_of: datetime | None = None,
        group_tag_limit: int = GROUP_TAG_LIMIT,
        cache: Path | None = None,
    ) -> "CheckConfig":
        """A check of files that are called by their paths, now."""
        moment = datetime.now(UTC) if as_of is None else as_of
        named = {str(file): file for file in files}
        return cls(named, partner, tenant, reference, registry, moment, group_tag_limit, cache)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a pre-flight found.

    Attributes:
        rows: one row a record: `source_file`, `source_line`, `reasons` (codes, primary first; empty where the row would
            be registered), `warnings`.
        findings: one row a finding, with the columns of `pipeline.report.findings`.
        tenants_unknown: files with rows of which neither a folder, an option nor a column says whose devices they are.
    """

    rows: pl.DataFrame
    findings: pl.DataFrame
    tenants_unknown: tuple[str, ...]


def check(config: CheckConfig) -> Checked:
    """Judge every row of some files; writes nothing that outlasts it.

    Raises:
        UsageError: it is given something else than a configuration.
        UsageError: reference data is wrong.
        RegistryError: the registry cannot be read.
    """
    _require_config(config)
    registry = Registry.open(config.registry, create=False, cache=config.cache) if config.registry else NoRecords()
    manifests = with_sheets((_manifest(name, path, config) for name, path in config.files.items()), lambda _: ())
    reference = _reference(config, {one.partner_id or _NOBODY for one in manifests})
    delivered = [Delivered(at, manifest, manifest.state().size) for at, manifest in enumerate(manifests)]
    rulebook = Rulebook(reference, config.as_of, config.group_tag_limit)
    with TemporaryDirectory() as folder:
        staging = Staging(Path(folder) / "rows")
        size = sum(one.size for one in delivered)
        with executor_for(size, None) as executor:
            front = Front.of(rulebook, Limits(), executor, staging)
            intake = take_in(delivered, front, Silence(), Stopwatch())
        decisions = _of_open_tenants(_decide(intake, config, reference, registry), intake.rows["tenant_id"])
        rows = pl.concat(
            [
                intake.files[intake.rows["file_no"]].select("source_file"),
                intake.rows.select("row", "source_line"),
                pl.DataFrame(
                    {"reasons": listed(decisions, REASON_CODES), "warnings": listed(decisions, WARNING_CODES)}
                ),
            ],
            how="horizontal",
        )
        nothing = findings(rows.clear())
        told = [
            findings(_with_cells(rows, wide), mask_identity=False, spellings=reference.manufacturers)
            for wide in staging.batches()
        ]
    unknown = intake.files.filter(_is_open(intake) & (pl.col("rows_read") > 0))["source_file"]
    return Checked(rows.drop("row"), pl.concat([nothing, *told]), tuple(unknown))


def _words(intake: Intake, arrivals: Intake, registry: Registry, as_of: datetime) -> pl.DataFrame:
    """What operators have said of the rows that register, were they delivered as they are."""
    docket = docket_of(registry, as_of, WAIT_DAYS, registry.version, reprocess=False)
    return words_on(arrivals, identified(intake, docket), docket.requests.decisions, registry)


def _decide(intake: Intake, config: CheckConfig, reference: Reference, registry: Registry | NoRecords) -> pl.DataFrame:
    """What would become of each row: departures, where a registry is named, come first."""
    judged = replace(intake, findings=_without_unchecked(intake, config))
    arrivals = judged.of_kind(REGISTRATION)
    files = intake.files.with_columns(opened=pl.lit(_LATEST), known=pl.lit(value=True))
    if isinstance(registry, NoRecords):
        own = judged.of_kind(DEPARTURE)
        leaving = concluded(own.rows, own.rows.select("row"), own.findings, ())
        arriving = decide(arrivals.rows, arrivals.findings, _matches(arrivals, registry))
    else:
        terms = Terms(DEPARTURE_LIMIT, for_customers(reference), reference.manufacturers)
        left = departing(judged, files, registry, terms)
        leaving, ending = left.decisions.drop("departing"), left.ended["device_id"]
        remaining = registry.without(ending)
        matches = _matches(arrivals, remaining)
        words = _words(intake, arrivals, remaining, config.as_of)
        gone = departed(arrivals, remaining, matches, ending, words)
        arriving = decide(arrivals.rows, arrivals.findings, matches, gone, words)
    return pl.concat([leaving, arriving], how="diagonal").sort("row")


def _matches(arrivals: Intake, existing: ExistingRecords) -> Matches:
    return match(arrivals.rows, existing, ~has_reason(arrivals.findings))


def _manifest(name: str, path: Path, config: CheckConfig) -> Manifest:
    partner, tenant, kind = told_by(path.absolute())
    called = printable(name.replace(os.sep, "/"))
    refused = None if is_manifest_name(path.name) else "FILE_TYPE_UNKNOWN"
    whose = config.partner or partner, config.tenant or tenant
    return Manifest(path.resolve(), called, *whose, refused=refused, kind=kind)


def told_by(path: PurePath) -> tuple[str, str | None, str]:
    """The partner, the tenant and the kind of manifest that the folders of an absolute path name."""
    folders = [folder.name for folder in path.parents]
    at = next((at for at, folder in enumerate(folders) if re.match(GUID, folder) and folder != NO_TENANT), None)
    # What holds a kind of manifest lies below the partner's or the tenant's folder, and is neither.
    kinds = [kind_of_folder(folder) for folder in (folders[:1] if at is None else folders[: at + 2])]
    kind = next((kind for kind in kinds if kind), REGISTRATION)
    above = [folder for folder in folders[0 if at is None else at + 1 :] if not kind_of_folder(folder)]
    is_named = at is not None or kind != REGISTRATION
    partner = above[0] if is_named and above and above[0] else _NOBODY
    return partner, None if at is None else folders[at], kind


def _reference(config: CheckConfig, partners: set[str]) -> Reference:
    if config.reference is None:
        return no_reference(*sorted(partners))
    with at_hand(config.reference, is_reference_name) as folder:
        return load_reference(folder)


def _with_cells(rows: pl.DataFrame, wide: pl.DataFrame) -> pl.DataFrame:
    """The judged rows that some staged rows are, with their cells."""
    return pl.concat([rows_at(rows, wide["row"]).drop("row"), wide.drop("source_line")], how="horizontal")


def _without_unchecked(intake: Intake, config: CheckConfig) -> pl.DataFrame:
    """The findings but those about what is left open: a file without a tenant column, of which no folder is one."""
    codes = [*codes_of(Family.AUTHORIZATION), "FILE_PARTNER_UNKNOWN"] if config.reference is None else []
    is_open = _is_open(intake).gather(intake.rows["file_no"])
    return intake.findings.with_columns(
        *(pl.lit(value=False).alias(code) for code in codes), TENANT_MISSING=pl.col("TENANT_MISSING") & ~is_open
    )


def _is_open(intake: Intake) -> pl.Series:
    """Of which files nobody says whose devices they hold."""
    in_cells = pl.Series([any("tenant" in one.columns for one in own) for own in intake.headers], dtype=pl.Boolean)
    return intake.files["tenant_folder"].is_null() & ~in_cells


def _of_open_tenants(decisions: pl.DataFrame, tenant_id: pl.Series) -> pl.DataFrame:
    """The decisions; a device is registered already, and not for another tenant, where nobody said for whom."""
    is_open = pl.lit(tenant_id).is_null()
    other, already = pl.col("REGISTERED_OTHER_TENANT"), pl.col("ALREADY_REGISTERED")
    return decisions.with_columns(
        REGISTERED_OTHER_TENANT=other & ~is_open,
        ALREADY_REGISTERED=already | (other & is_open),
        NOT_REGISTERED=pl.col("NOT_REGISTERED") & ~is_open,
    )


def _require_config(config: object) -> None:
    if not isinstance(config, CheckConfig):
        message = f"check of {type(config).__name__}: expected a CheckConfig, such as CheckConfig.of(Path('a.csv'))"
        raise UsageError(message)


class _Callable(ModuleType):
    """This module as its one verb: `pipeline.check` names both, whichever of them was loaded first."""

    def __call__(self, config: CheckConfig) -> Checked:
        return check(config)


sys.modules[__name__].__class__ = _Callable
