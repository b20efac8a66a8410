"""`check`: pre-flight of files."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_document, tell_json, warn
from pipeline.config import parse_moment
from pipeline.storage.locations import Location
from schemas.reasons import MEANINGS

if TYPE_CHECKING:
    import polars as pl

    from pipeline.check import Checked

_FINDINGS = 1
_MOST_SHOWN = 1_000
"""Findings shown in text; the other formats have all."""

_TOLD = ("source_file", "source_line", "code", "meaning", "level", "field", "found", "expected", "remedy", "rows")
_STANDARD_INPUT = "-"


@click.command()
@click.argument("file", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@options.of("check")
def check(  # noqa: PLR0913, PLR0917 - the command's options
    file: tuple[str, ...],
    partner: str | None,
    tenant: str | None,
    reference: Location | None,
    registry: Location | None,
    cache: Path | None,
    as_of: str | None,
    group_tag_limit: int,
    form: str,
) -> int:
    """Check manifest FILEs, and those of folders, before they are delivered; - is standard input. Writes nothing.

    Authorization is checked only with --reference, existing records only with --registry.
    """
    from pipeline.check import CheckConfig  # noqa: PLC0415 - heavy
    from pipeline.check import check as check_files  # noqa: PLC0415 - heavy
    from pipeline.report.gathering import gathered  # noqa: PLC0415 - heavy

    moment = datetime.now(UTC) if as_of is None else parse_moment(as_of)
    with _on_disk(file) as files:
        checked = check_files(CheckConfig(files, partner, tenant, reference, registry, moment, group_tag_limit, cache))
    rejected = int((checked.rows["reasons"].list.len() > 0).sum())
    counts = {"read": checked.rows.height, "accepted": checked.rows.height - rejected, "rejected": rejected}
    for name in checked.tenants_unknown:
        warn(f"notice: {name}: whose devices these are is unknown, and not checked; name the customer with --tenant")
    found = gathered(checked.findings)
    if form == "text":
        _tell(found)
        for code, number in _totals(found):
            tell(f"  {number:>9,}  {code}")
        tell(f"{counts['read']:,} rows read = {counts['accepted']:,} accepted + {rejected:,} rejected")
    elif form == "json":
        tell_json({"rows": counts, "findings": _by_row(checked)})
    else:
        from pipeline.report.formats import ESCAPES, FORMATS  # noqa: PLC0415 - heavy

        for part in FORMATS[form]([found], None):
            tell_document(part, ESCAPES[form])
    return _FINDINGS if rejected else 0


@contextmanager
def _on_disk(files: tuple[str, ...]) -> Iterator[dict[str, Path]]:
    """The files by their names; standard input is read to its end, since files are read more than once."""
    named = {str(path): path for name in files if name != _STANDARD_INPUT for path in _files_of(Path(name))}
    if _STANDARD_INPUT not in files:
        yield named
        return
    with TemporaryDirectory() as folder:
        kept = Path(folder) / "standard-input.csv"
        with kept.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield {name: named.get(name, kept) for name in files}


def _files_of(path: Path) -> list[Path]:
    """The file, or what lies below the folder, but what runs leave alone, too."""
    from pipeline.ingest.names import is_left_alone  # noqa: PLC0415 - heavy

    if not path.is_dir():
        return [path]
    below = sorted(one for one in path.rglob("*") if not one.is_dir())
    return [one for one in below if not any(map(is_left_alone, one.relative_to(path).parts))]


def _totals(found: "pl.DataFrame") -> list[tuple[str, int]]:
    """Rows by code, those of most rows first."""
    totals = found.select("code", "rows").group_by("code", maintain_order=True).sum()
    return totals.sort("rows", descending=True, maintain_order=True).rows()


def _tell(found: "pl.DataFrame") -> None:
    for file, line, code, meaning, level, field, seen, expected, remedy, rows in (
        found.head(_MOST_SHOWN).select(_TOLD).iter_rows()
    ):
        reason = MEANINGS[meaning]
        kind = "" if level == "error" else "warning: "
        several = f" ({rows:,} rows)" if rows > 1 else ""
        tell(f"{file}:{line}: {kind}{code}: {reason.sentence}{several}")
        where = [] if field is None else [f"{field}:"]
        what = [] if seen is None else [f"found {seen!r},"]
        tell(f"    {' '.join([*where, *what, 'expected', expected])}")
        tell(f"    fix: {remedy}")
    if found.height > _MOST_SHOWN:
        tell(f"and {found.height - _MOST_SHOWN:,} more findings")


def _by_row(checked: "Checked") -> list[dict[str, object]]:
    """One entry a row with findings: its codes, and what is known of each."""
    place = ["source_file", "source_line"]
    rows = checked.rows.filter((checked.rows["reasons"].list.len() > 0) | (checked.rows["warnings"].list.len() > 0))
    details = checked.findings.drop("meaning").partition_by(place, as_dict=True, include_key=False)
    return [
        {**row, "details": details[row["source_file"], row["source_line"]].to_dicts()}
        for row in rows.iter_rows(named=True)
    ]
