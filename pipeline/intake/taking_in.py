"""The front of the flow: manifests to judged rows, in bounded memory.

The wide part of a row goes to staging as soon as it is decoded. What is kept is what matching and deciding need.
"""

from dataclasses import dataclass

import polars as pl

from pipeline.clock import Stopwatch
from pipeline.engine import shared
from pipeline.ingest import FileRead, Manifest
from pipeline.ingest.layout import Header
from pipeline.ingest.states import State
from pipeline.intake.judge import Judged, judge, together
from pipeline.intake.read_part import NO_ROWS, Delivered, Staged, stage_unread
from pipeline.intake.schedule import Front, read_all
from pipeline.listener import Listener
from pipeline.validate import rows_with_lone
from schemas.reasons import FILE_CODES, Family, codes_of

_OF_CELLS = ("RECORD_FIELD_COUNT", *codes_of(Family.IDENTITY, Family.HASH, Family.FIELDS))
"""Codes of what is not said of a line without a known header."""

DESCRIBED_TYPES: dict[str, pl.DataType] = {
    "source_file": pl.String(),
    "partner_id": pl.String(),
    "tenant_folder": pl.String(),
    "request_kind": pl.String(),
    "bytes": pl.UInt64(),
    "stamp": pl.String(),
    "sha256": pl.String(),
    "layout": pl.String(),
    "encoding": pl.String(),
    "delimiter": pl.String(),
    "rows_read": pl.UInt64(),
    "disposition": pl.String(),
    "findings": pl.List(pl.String),
    "ignored_columns": pl.List(pl.String),
}
"""What is known of a manifest once it was read."""


@dataclass(frozen=True, slots=True)
class Intake:
    """All rows of a run, judged one by one.

    Attributes:
        rows: one row a record, with the columns of `ROW_TYPES`, in the order of `row`.
        findings: for each of them, in order, a Boolean column for each code that can be found without matching.
        asked: one row for each that names a registration, with the columns of `ASKED_TYPES`.
        files: one row a manifest, with the columns of `DESCRIBED_TYPES`.
        headers: the header lines of each manifest, in the order of `files`.
    """

    rows: pl.DataFrame
    findings: pl.DataFrame
    asked: pl.DataFrame
    files: pl.DataFrame
    headers: list[list[Header]]

    def only(self, chosen: pl.Series) -> "Intake":
        """The same with some of its rows."""
        if chosen.all():
            return self
        rows = self.rows.filter(chosen)
        asked = self.asked.filter(pl.col("row").is_in(rows["row"].implode()))
        return Intake(rows, self.findings.filter(chosen), asked, self.files, self.headers)

    def of_kind(self, kind: str) -> "Intake":
        """The same with the rows of one kind of manifest."""
        return self.only(self.rows["request_kind"] == kind)


def sheets_passed_over(files: pl.DataFrame) -> list[str]:
    """What to say of the sheets of workbooks that were passed over; `files` has the columns of `DESCRIBED_TYPES`."""
    without_header = pl.col("findings").list.contains("FILE_HEADER_UNKNOWN")
    passed_over = files.filter((pl.col("disposition") == "empty") & without_header)
    return [
        f"{name}: passed over: it has no header, nothing in it may be a device, and another sheet has a header"
        for name in passed_over["source_file"]
    ]


def take_in(delivered: list[Delivered], front: Front, listener: Listener, watch: Stopwatch) -> Intake:
    """Ingest, decode, validate and authorize the rows of all manifests, part by part.

    Args:
        delivered: all manifests, in order.
        front: what the tasks are submitted with; its staging takes the wide part of each row.
        listener: hears of each file.
        watch: takes the time that each of the four took.

    Raises:
        Fault: a worker process died twice at the same task.
    """
    listener.reading(len(delivered), sum(one.size for one in delivered))
    files: list[FileRead] = []
    staged: list[Staged] = []
    for taken in read_all(delivered, front):
        files += taken.files
        staged += taken.staged
        size = sum(one.survey.state.size for one in taken.files)
        listener.read(len(taken.files), size, sum(one.rows_read for one in taken.files))
    staged += _unread(delivered, files, front)
    for one in staged:
        watch.add(one.seconds)
        if one.part:
            front.staging.add(one.part)
    parts = [Judged.read(one.part.path) for one in staged if one.part]
    return _intake(together(parts or [judge(NO_ROWS, shared(front.rules), watch)]), delivered, files)


def _unread(delivered: list[Delivered], files: list[FileRead], front: Front) -> list[Staged]:
    """The rows that stand for what could not be read."""
    unread = [(one, file.survey.what) for one, file in zip(delivered, files, strict=True) if file.fault]
    if not unread:
        return []
    manifests, what = map(list, zip(*unread, strict=True))
    return [stage_unread(manifests, what, front.rules, front.staging.part(len(delivered)))]


def _intake(judged: Judged, delivered: list[Delivered], files: list[FileRead]) -> Intake:
    """All rows with the findings of their files, in order."""
    rows, findings = judged.rows, judged.findings
    no_lists = _no_lists(rows, findings, files)
    described = _describe(delivered, files, no_lists)
    of_file = described.select(pl.col("findings").list.contains(code).alias(code) for code in FILE_CODES)
    of_file = of_file[rows["file_no"]]
    if no_lists:
        is_read = ~rows["file_no"].is_in(no_lists)
        findings = findings.with_columns(pl.col(code) & is_read for code in _OF_CELLS)
    has_lone = rows["row"].is_in(rows_with_lone(judged.numbers).implode())
    by_row = findings.with_columns(pl.col("COLUMN_UNCLEAR") | has_lone)
    # What holds for a file may be found of its rows one by one as well.
    found = by_row.with_columns(
        (of_file[code] | by_row[code] if code in by_row.columns else of_file[code]) for code in FILE_CODES
    )
    if not rows["row"].is_sorted():  # the rows that stand for what could not be read were judged last
        in_order = rows["row"].arg_sort()
        rows, found = rows[in_order], found[in_order]
    return Intake(
        rows=rows,
        findings=found,
        asked=judged.asked,
        files=described,
        headers=[file.headers for file in files],
    )


def _no_lists(rows: pl.DataFrame, findings: pl.DataFrame, files: list[FileRead]) -> list[int]:
    """Files that were read as lists of one column, and are none: a record of theirs has another number of fields."""
    assumed = [number for number, file in enumerate(files) if file.headers and file.headers[0].is_assumed]
    if not assumed:
        return []
    others = rows.filter(findings["RECORD_FIELD_COUNT"] & (rows["header_no"] == 0))["file_no"].unique()
    return [number for number in assumed if number in others]


def _describe(delivered: list[Delivered], files: list[FileRead], no_lists: list[int]) -> pl.DataFrame:
    described = [_row(one.manifest, file) for one, file in zip(delivered, files, strict=True)]
    frame = pl.DataFrame(described, DESCRIBED_TYPES, orient="row")
    unknown = pl.int_range(pl.len()).is_in(no_lists)
    more = pl.when(unknown).then(pl.concat_list(pl.lit("FILE_HEADER_UNKNOWN"), "findings"))
    return frame.with_columns(findings=more.otherwise("findings")) if no_lists else frame


def stamp_of(state: State) -> str:
    """What a file is taken for the same bytes by, the next time that it is met at its path."""
    return "-".join(map(str, state))


def _row(manifest: Manifest, file: FileRead) -> tuple[object, ...]:
    return (
        manifest.source_file,
        manifest.partner_id,
        manifest.tenant_folder,
        manifest.kind,
        file.survey.state.size,
        manifest.mark or stamp_of(file.survey.state),
        file.survey.sha256,
        file.layout,
        None if file.settled else file.survey.encoding,
        file.delimiter,
        file.rows,
        file.disposition,
        file.findings(),
        file.ignored_columns,
    )
