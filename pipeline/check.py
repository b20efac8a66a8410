"""Pre-flight of single files: every stage that can be made without registering anything."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from pipeline.decide import decide, has_reason, listed
from pipeline.ingest import Manifest
from pipeline.intake import Work, take_in
from pipeline.judge import Rulebook
from pipeline.listener import Silence
from pipeline.match import match
from pipeline.match.existing import NoRecords
from pipeline.objects import Location, at_hand
from pipeline.reading.stage import Delivered
from pipeline.reference import Reference, is_reference_name, load_reference, no_reference
from pipeline.registry import Registry
from pipeline.report.findings import findings
from pipeline.staging import Staging, rows_at
from schemas.device import COMPONENT_TYPES
from schemas.reasons import REASON_CODES, WARNING_CODES, codes_of


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """What to check, and against what.

    Attributes:
        files: the manifests, by the names that they are called by in findings.
        partner: who would deliver them.
        tenant: whose devices they hold, where they have no tenant column; None leaves that open.
        reference: the operator's data; None leaves authorization, exclusions and user domains unchecked.
        registry: the existing records; None leaves them out.
        as_of: the moment that counts, UTC.
        group_tag_limit: most characters of a group tag.
    """

    files: dict[str, Path]
    partner: str
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
    """

    rows: pl.DataFrame
    findings: pl.DataFrame


def check(config: CheckConfig) -> Checked:
    """Judge every row of some files; writes nothing that outlasts it.

    Raises:
        UsageError: reference data is wrong.
        RegistryError: the registry cannot be read.
    """
    registry = Registry.open(config.registry, create=False) if config.registry else NoRecords()
    reference = _reference(config)
    manifests = [Manifest(path.resolve(), name, config.partner, config.tenant) for name, path in config.files.items()]
    delivered = [Delivered(at, manifest, manifest.state().size) for at, manifest in enumerate(manifests)]
    rulebook = Rulebook(reference, config.as_of, config.group_tag_limit)
    with TemporaryDirectory() as folder:
        staging = Staging(Path(folder) / "rows")
        intake = take_in(delivered, rulebook, Work(), staging, Silence())
        judged = intake.findings.with_columns(pl.lit(value=False).alias(code) for code in _unchecked(config))
        eligible = intake.rows.filter(~has_reason(judged))
        decisions = decide(intake.rows, judged, match(eligible.select("row", *COMPONENT_TYPES), registry))
        rows = pl.concat(
            [
                intake.files[intake.rows["file_no"]].select("source_file"),
                intake.rows.select("row", "source_line"),
                decisions.select(reasons=listed(REASON_CODES), warnings=listed(WARNING_CODES)),
            ],
            how="horizontal",
        )
        nothing = findings(rows.clear())
        told = [findings(_with_cells(rows, wide), mask_identity=False) for wide in staging.batches()]
    return Checked(rows.drop("row"), pl.concat([nothing, *told]))


def _reference(config: CheckConfig) -> Reference:
    if config.reference is None:
        return no_reference(config.partner)
    with at_hand(config.reference, is_reference_name) as folder:
        return load_reference(folder)


def _with_cells(rows: pl.DataFrame, wide: pl.DataFrame) -> pl.DataFrame:
    """The judged rows that some staged rows are, with their cells."""
    return pl.concat([rows_at(rows, wide["row"]).drop("row"), wide.drop("source_line")], how="horizontal")


def _unchecked(config: CheckConfig) -> list[str]:
    without_reference = [*codes_of("authorization"), "FILE_PARTNER_UNKNOWN"] if config.reference is None else []
    return [*without_reference, *([] if config.tenant else ["TENANT_MISSING"])]
