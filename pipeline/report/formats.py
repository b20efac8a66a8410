"""Findings for other programs, in a stream: JSON lines, JUnit for build servers, SARIF for code viewers."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import polars as pl
import pyarrow.parquet as pq

from pipeline.report.findings import findings
from pipeline.storage.objects import Location, at_hand
from schemas.outcome import CARRIED_OUT_SETS, REJECTED_TYPES
from schemas.reasons import CATALOGUE

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST_LINES = 20
"""Lines that a JUnit failure names of one file: build servers show it whole."""

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""

Findings = Iterable[pl.DataFrame]
"""Some findings at a time, with the columns of `pipeline.report.findings`."""


def published_findings(run: Location) -> Iterator[pl.DataFrame]:
    """Findings of a published run, of the rejected rows and then of those carried out, some rows at a time."""
    sets = {"rejected": REJECTED_TYPES, **{name: types for name, (types, _) in CARRIED_OUT_SETS.items()}}
    with at_hand(run, lambda name: name.startswith(tuple(f"{one}/" for one in sets))) as folder:
        for name, types in sets.items():
            columns = [column for column in types if column not in {"raw_record", "hardware_hash"}]
            for path in sorted((folder / name).glob("*.parquet")):
                yield from _findings_of(path, columns)


def _findings_of(path: Path, columns: list[str]) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns):
            rows = pl.DataFrame(batch)
            none = {"reasons": pl.lit([], pl.List(pl.String))} if "reasons" not in rows.columns else {}
            yield findings(rows.with_columns(**none))


def as_jsonl(found: Findings) -> Iterator[str]:
    """One JSON object a line and finding."""
    for part in found:
        yield _told(part).write_ndjson()


def as_junit(found: Findings) -> Iterator[str]:
    """One test case a file with findings; it fails where a row of it was rejected."""
    parts = [_by_file(part) for part in found]
    files = pl.concat(parts) if parts else _by_file(findings(pl.DataFrame(schema=_NO_ROWS)))
    merged = files.group_by("source_file", maintain_order=True).agg(
        pl.col("errors").sum(), pl.col("lines").list.explode().head(_MOST_LINES)
    )
    failures = int((merged["errors"] > 0).sum())
    yield "<?xml version='1.0' encoding='utf-8'?>\n"
    yield f'<testsuites tests="{merged.height}" failures="{failures}">\n'
    yield f'<testsuite name="autopilot-intake" tests="{merged.height}" failures="{failures}">\n'
    for file, errors, lines in merged.iter_rows():
        yield _test_case(file, errors, lines)
    yield "</testsuite>\n</testsuites>\n"


def as_sarif(found: Findings) -> Iterator[str]:
    """One SARIF 2.1.0 run whose rules are the codes that were hit."""
    rules: dict[str, int] = {}
    yield f'{{"$schema": "{_SARIF_SCHEMA}", "version": "2.1.0", "runs": [{{"results": ['
    separator = "\n"
    for part in found:
        for code in part["code"].unique(maintain_order=True):
            rules.setdefault(code, len(rules))
        for results in _results(part, rules):
            lines = results.write_ndjson().rstrip("\n").replace("\n", ",\n")
            yield separator + lines
            separator = ",\n"
    driver = {
        "name": "autopilot-intake",
        "version": version("autopilot-intake"),
        "rules": [_rule(code) for code in rules],
    }
    yield '\n], "tool": ' + json.dumps({"driver": driver}) + "}]}\n"


FORMATS: dict[str, Callable[[Findings], Iterator[str]]] = {"jsonl": as_jsonl, "junit": as_junit, "sarif": as_sarif}

ESCAPES = {"jsonl": "\\u{:04x}", "junit": "&#x{:x};", "sarif": "\\u{:04x}"}
"""How a character of each form is written by its number."""

_NO_ROWS: dict[str, pl.DataType] = {
    "source_file": pl.String(),
    "source_line": pl.UInt32(),
    "reasons": pl.List(pl.String),
    "warnings": pl.List(pl.String),
}


def _told(found: pl.DataFrame) -> pl.DataFrame:
    sentences = {code: reason.sentence for code, reason in CATALOGUE.items()}
    return found.with_columns(sentence=pl.col("code").replace_strict(sentences, return_dtype=pl.String))


def _by_file(found: pl.DataFrame) -> pl.DataFrame:
    line = pl.format("line {}: {}: {} {}", "source_line", "code", "sentence", "remedy")
    return (
        _told(found)
        .select("source_file", is_error=pl.col("level") == "error", line=line)
        .sort("source_file", ~pl.col("is_error"), maintain_order=True)
        .group_by("source_file", maintain_order=True)
        .agg(errors=pl.col("is_error").sum(), lines=pl.col("line").head(_MOST_LINES))
    )


def _test_case(file: str, errors: int, lines: list[str]) -> str:
    name = quoteattr(_NO_XML.sub("\ufffd", file))
    body = escape(_NO_XML.sub("\ufffd", "\n".join(lines)))
    inner = f'<failure message="{errors} errors">{body}</failure>' if errors else f"<system-out>{body}</system-out>"
    return f'<testcase classname="manifest" name={name}>{inner}</testcase>\n'


def _results(found: pl.DataFrame, rules: dict[str, int]) -> Iterator[pl.DataFrame]:
    """SARIF results; those of a file as a whole have no region."""
    uris = {file: quote(file) for file in found["source_file"].unique()}
    told = _told(found).with_columns(uri=pl.col("source_file").replace_strict(uris, return_dtype=pl.String))
    place = pl.struct(uri="uri").alias("artifactLocation")
    region = pl.struct(startLine="source_line").alias("region")
    for rows, parts in (
        (told.filter(pl.col("source_line") > 0), (place, region)),
        (told.filter(pl.col("source_line") == 0), (place,)),
    ):
        if rows.height:
            yield rows.select(
                ruleId="code",
                ruleIndex=pl.col("code").replace_strict(rules, return_dtype=pl.UInt32),
                level="level",
                message=pl.struct(text=pl.format("{} {}", "sentence", "remedy")),
                locations=pl.concat_list(pl.struct(physicalLocation=pl.struct(*parts))),
            )


def _rule(code: str) -> dict[str, Any]:
    reason = CATALOGUE[code]
    return {
        "id": code,
        "shortDescription": {"text": reason.sentence},
        "help": {"text": reason.remedy},
        "properties": {"family": reason.family, "owner": reason.owner, "microsoft": reason.microsoft},
    }
