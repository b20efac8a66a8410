"""Findings for other programs, in a stream: JSON lines, JUnit for build servers, SARIF for code viewers."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import polars as pl
import pyarrow.parquet as pq

from pipeline.report.findings import findings
from pipeline.storage.locations import Location
from pipeline.storage.near import at_hand
from schemas.outcome import CARRIED_OUT_SETS, REJECTED_TYPES
from schemas.reasons import CATALOGUE, MEANINGS

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST_LINES = 20
"""Lines that a JUnit case names of one reason: build servers show it whole."""

_HELP = "https://learn.microsoft.com/autopilot/"
_HELP_PAGES = {"authorization": "registration-auth", "against the registry": "troubleshooting-faq"}
_HELP_PAGE = "add-devices"
"""Where Microsoft tells of what a family of reasons is about."""

_FINGERPRINT = "autopilotIntake/v1"

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""

Findings = Iterable[pl.DataFrame]
"""Some findings at a time, with the columns of `pipeline.report.findings`."""

Rows = Mapping[str, Any] | None
"""What became of the rows in which they were found: `rows` of run.json; None where nothing was decided."""


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


def as_jsonl(found: Findings, _rows: Rows = None) -> Iterator[str]:
    """One JSON object a line and finding."""
    for part in found:
        yield _told(part).write_ndjson()


def as_junit(found: Findings, rows: Rows = None) -> Iterator[str]:
    """One test case a file with findings, which fails once for each reason for which a row of it was rejected.

    What became of all rows stands in the suite's properties. It is valid by the schema of Jenkins' JUnit plug-in.
    """
    parts = [_by_reason(part) for part in found]
    reasons = pl.concat(parts) if parts else _by_reason(findings(pl.DataFrame(schema=_NO_ROWS)))
    merged = reasons.group_by("source_file", "level", "code", maintain_order=True).agg(
        pl.col("rows").sum(), pl.col("lines").list.explode().head(_MOST_LINES)
    )
    cases = merged.partition_by("source_file", maintain_order=True)
    failures = sum(bool((case["level"] == "error").any()) for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" time="0"'
    yield "<?xml version='1.0' encoding='utf-8'?>\n"
    yield f'<testsuites name="autopilot-intake" {counts}>\n<testsuite name="manifests" {counts}>\n'
    if rows is not None:
        told = "".join(f'<property name="rows.{name}" value="{number}"/>' for name, number in rows.items())
        yield f"<properties>{told}</properties>\n"
    for case in cases:
        yield _test_case(case)
    yield "</testsuite>\n</testsuites>\n"


def as_sarif(found: Findings, rows: Rows = None) -> Iterator[str]:
    """One SARIF 2.1.0 run whose rules are the codes that were hit; what became of all rows is among its properties."""
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
        "informationUri": _HELP,
        "rules": [_rule(code) for code in rules],
    }
    properties = {} if rows is None else {"properties": {"rows": rows}}
    yield "\n], " + json.dumps({"tool": {"driver": driver}, **properties})[1:] + "]}\n"


FORMATS: dict[str, Callable[[Findings, Rows], Iterator[str]]] = {
    "jsonl": as_jsonl,
    "junit": as_junit,
    "sarif": as_sarif,
}

ESCAPES = {"jsonl": "\\u{:04x}", "junit": "&#x{:x};", "sarif": "\\u{:04x}"}
"""How a character of each form is written by its number."""

_NO_ROWS: dict[str, pl.DataType] = {
    "source_file": pl.String(),
    "source_line": pl.UInt32(),
    "reasons": pl.List(pl.String),
    "warnings": pl.List(pl.String),
}


def _told(found: pl.DataFrame) -> pl.DataFrame:
    """The findings with the `sentence` of each."""
    sentences = {key: reason.sentence for key, reason in MEANINGS.items()}
    sentence = pl.col("meaning").replace_strict(sentences, return_dtype=pl.String)
    return found.with_columns(sentence=sentence).drop("meaning")


def _seen(found: pl.DataFrame) -> list[pl.Expr]:
    """What a finding says beside its sentence, in parts: how many rows, where, what was found and expected."""
    several = [pl.format("({} rows)", pl.when(pl.col("rows") > 1).then("rows"))] if "rows" in found.columns else []
    return [
        *several,
        pl.format("{}:", "field"),
        pl.format("found '{}',", "found"),
        pl.format("expected {}.", pl.when(pl.col("expected") != "").then("expected")),
        pl.col("remedy"),
    ]


def _by_reason(found: pl.DataFrame) -> pl.DataFrame:
    told = pl.concat_str(pl.format("line {}:", "source_line"), *_seen(found), separator=" ", ignore_nulls=True)
    rows = pl.col("rows") if "rows" in found.columns else pl.lit(1)
    return (
        found.select("source_file", "level", "code", line=told, rows=rows.cast(pl.Int64))
        .sort("source_file", "level", maintain_order=True)
        .group_by("source_file", "level", "code", maintain_order=True)
        .agg(pl.col("rows").sum(), lines=pl.col("line").head(_MOST_LINES))
    )


def _test_case(reasons: pl.DataFrame) -> str:
    """The case of a file: a failure for each reason, or what it is warned of."""
    told = [
        (level, code, rows, escape(_as_xml("\n".join(lines)))) for _, level, code, rows, lines in reasons.iter_rows()
    ]
    failures = "".join(
        f'<failure type="{code}" message={quoteattr(f"{rows} rows: {CATALOGUE[code].sentence}")}>{body}</failure>'
        for level, code, rows, body in told
        if level == "error"
    )
    warnings = "\n".join(f"{code}: {rows} rows\n{body}" for level, code, rows, body in told if level != "error")
    out = f"<system-out>{warnings}</system-out>" if warnings else ""
    name = quoteattr(_as_xml(reasons["source_file"][0]))
    return f'<testcase classname="manifest" name={name} time="0">{failures}{out}</testcase>\n'


def _as_xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


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
                message=pl.struct(text=pl.concat_str("sentence", *_seen(rows), separator=" ", ignore_nulls=True)),
                locations=pl.concat_list(pl.struct(physicalLocation=pl.struct(*parts))),
                partialFingerprints=pl.struct(_fingerprints(rows).alias(_FINGERPRINT)),
                properties=pl.struct("field", "found", "expected", *(["rows"] if "rows" in rows.columns else [])),
            )


def _fingerprints(found: pl.DataFrame) -> pl.Series:
    """What a finding is known by in a later log of the same file: all that it says."""
    mixed = found.select(
        pl.concat_str(
            pl.col("source_file", "source_line", "code", "field", "found").cast(pl.String).fill_null(""),
            separator="\x1f",
        )
    ).to_series()
    return pl.Series([hashlib.sha256(text.encode()).hexdigest()[:32] for text in mixed], dtype=pl.String)


def _rule(code: str) -> dict[str, Any]:
    reason = CATALOGUE[code]
    return {
        "id": code,
        "shortDescription": {"text": reason.sentence},
        "help": {"text": reason.remedy},
        "helpUri": _HELP + _HELP_PAGES.get(reason.family, _HELP_PAGE),
        "defaultConfiguration": {"level": "warning" if reason.outcome is None else "error"},
        "properties": {"family": reason.family, "owner": reason.owner, "microsoft": reason.microsoft},
    }
