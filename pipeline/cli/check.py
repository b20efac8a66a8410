"""`check`: pre-flight of files."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import options
from pipeline.config import parse_moment
from schemas.reasons import CATALOGUE

if TYPE_CHECKING:
    import polars as pl

_FINDINGS = 1
_MOST_SHOWN = 1_000
"""Rows with findings shown in text; JSON has all."""


@click.command()
@click.argument("file", nargs=-1, required=True, type=click.Path(dir_okay=False, exists=True, path_type=Path))
@options.option("--partner", default="partner", help="Who would deliver the files.")
@options.option("--tenant", help="Whose devices they hold, for files without a tenant column.")
@options.reference
@options.registry_beside
@options.as_of
@options.group_tag_limit
@options.output_format
@options.config
def check(  # noqa: PLR0913, PLR0917 - the command's options
    file: tuple[Path, ...],
    partner: str,
    tenant: str | None,
    reference: Path | None,
    registry: Path | None,
    as_of: str | None,
    group_tag_limit: int,
    form: str,
) -> int:
    """Check manifest FILEs before they are delivered; writes nothing.

    Authorization is checked only with --reference, existing records only with --registry.
    """
    from pipeline.check import CheckConfig  # noqa: PLC0415 - heavy
    from pipeline.check import check as check_files  # noqa: PLC0415 - heavy

    moment = parse_moment(as_of) if as_of else datetime.now(UTC)
    rows = check_files(CheckConfig(file, partner, tenant, reference, registry, moment, group_tag_limit))
    rejected = int((rows["reasons"].list.len() > 0).sum())
    counts = {"read": rows.height, "accepted": rows.height - rejected, "rejected": rejected}
    found = rows.filter((rows["reasons"].list.len() > 0) | (rows["warnings"].list.len() > 0))
    if form == "json":
        click.echo(json.dumps({"rows": counts, "findings": found.to_dicts()}, indent=2))
    else:
        _tell(found)
        click.echo(f"{counts['read']:,} rows read = {counts['accepted']:,} accepted + {rejected:,} rejected")
    return _FINDINGS if rejected else 0


def _tell(found: "pl.DataFrame") -> None:
    for file, line, reasons, warnings in found.head(_MOST_SHOWN).iter_rows():
        for code in [*reasons, *warnings]:
            kind = "" if code in reasons else "warning: "
            reason = CATALOGUE[code]
            click.echo(f"{file}:{line}: {kind}{code}: {reason.sentence} {reason.remedy}")
    if found.height > _MOST_SHOWN:
        click.echo(f"and {found.height - _MOST_SHOWN:,} more rows with findings")
