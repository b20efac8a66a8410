"""Pre-flight of single files: every stage that can be made without registering anything."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from pipeline.config import WAIT_DAYS
from pipeline.decide import decide, has_reason, listed
from pipeline.ingest import Manifest, with_sheets
from pipeline.ingest.names import is_manifest_name, printable
from pipeline.intake.judge import Rulebook
from pipeline.intake.read_part import Delivered
from pipeline.intake.staging import Staging
from pipeline.intake.taking_in import Intake, Work, take_in
from pipeline.listener import Silence
from pipeline.match import match
from pipeline.match.existing import NoRecords
from pipeline.reference.files import is_reference_name
from pipeline.reference.tables import Reference, load_reference, no_reference
from pipeline.registry import Registry
from pipeline.report.findings import findings
from pipeline.requests.docket import docket
from pipeline.requests.docket import identified as known_files
from pipeline.rows import rows_at
from pipeline.storage.objects import Location, at_hand
from pipeline.words import no_words, words_on
from schemas.device import COMPONENT_TYPES
from schemas.manifest import GUID, NO_TENANT
from schemas.reasons import REASON_CODES, WARNING_CODES, codes_of

_NOBODY = "partner"
"""Who delivers where neither an option nor a folder says it."""


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
    """

    files: dict[str, Path]
    partner: str | None
    tenant: str | None
    reference: Location | None
    registry: Location | None
    as_of: datetime
    group_tag_limit: int


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
        UsageError: reference data is wrong.
        RegistryError: the registry cannot be read.
    """
    registry = Registry.open(config.registry, create=False) if config.registry else NoRecords()
    manifests = with_sheets((_manifest(name, path, config) for name, path in config.files.items()), lambda _: ())
    reference = _reference(config, {one.partner_id or _NOBODY for one in manifests})
    delivered = [Delivered(at, manifest, manifest.state().size) for at, manifest in enumerate(manifests)]
    rulebook = Rulebook(reference, config.as_of, config.group_tag_limit)
    with TemporaryDirectory() as folder:
        staging = Staging(Path(folder) / "rows")
        intake = take_in(delivered, rulebook, Work(), staging, Silence())
        judged = _without_unchecked(intake, config)
        eligible = intake.rows.filter(~has_reason(judged))
        matches = match(eligible.select("row", *COMPONENT_TYPES), registry)
        words = _words(intake, registry, config.as_of)
        decisions = _of_open_tenants(decide(intake.rows, judged, matches, words), intake.rows["tenant_id"])
        rows = pl.concat(
            [
                intake.files[intake.rows["file_no"]].select("source_file"),
                intake.rows.select("row", "source_line"),
                decisions.select(reasons=listed(REASON_CODES), warnings=listed(WARNING_CODES)),
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


def _words(intake: Intake, registry: Registry | NoRecords, as_of: datetime) -> pl.DataFrame:
    """What operators have said of these rows, were they delivered as they are."""
    if isinstance(registry, NoRecords):
        return no_words()
    night = docket(registry, as_of, WAIT_DAYS, reprocess=False)
    return words_on(intake, known_files(intake, night), night.requests.decisions, registry)


def _manifest(name: str, path: Path, config: CheckConfig) -> Manifest:
    folders = [folder.name for folder in path.absolute().parents]
    at = next((at for at, folder in enumerate(folders) if re.match(GUID, folder) and folder != NO_TENANT), None)
    tenant, partner = (None, _NOBODY) if at is None else (folders[at], folders[at + 1] or _NOBODY)
    refused = None if is_manifest_name(path.name) else "FILE_TYPE_UNKNOWN"
    whose = config.partner or partner, config.tenant or tenant
    return Manifest(path.resolve(), printable(name), *whose, refused=refused)


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
    codes = [*codes_of("authorization"), "FILE_PARTNER_UNKNOWN"] if config.reference is None else []
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
        REGISTERED_OTHER_TENANT=other & ~is_open, ALREADY_REGISTERED=already | (other & is_open)
    )
