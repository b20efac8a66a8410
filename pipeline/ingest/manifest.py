"""One manifest: its rows, and what is to be said of it as a file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from pipeline.ingest.cells import read_cells
from pipeline.ingest.encoding import UNREADABLE, read_mixed, read_open
from pipeline.ingest.inbox import Manifest
from pipeline.ingest.layout import CELLS, Forms
from pipeline.ingest.lines import whole_lines
from pipeline.ingest.records import Course, Records, Section, blocks_of, find_records
from pipeline.ingest.secrets import MASK
from pipeline.ingest.sheets import SPOILT, book_of
from pipeline.ingest.states import state_of_open
from pipeline.ingest.survey import Survey, survey, unread
from pipeline.ingest.workbook import Sheet, is_workbook
from pipeline.ingest.wrapping import unwrapped
from pipeline.settings import ROW_LIMIT


@dataclass(slots=True)
class Reading:
    """The reading of one manifest, or of a part of it; complete once all its sections were taken.

    Attributes:
        manifest: the file.
        survey: its form.
        begin: bytes before the part.
        end: bytes before what follows it; None where nothing does.
        course: its headers and counts so far.
        failed: it could not be read on, or changed meanwhile.
        other_lines: its lines in another encoding, ascending.
        sheet: what it is read from, where it is a workbook's sheet; its text is gone once that was read.
        passed_over: it is a sheet that is not read, since it has no header and another has one.
    """

    manifest: Manifest
    survey: Survey
    begin: int = 0
    end: int | None = None
    course: Course = field(default_factory=Course)
    failed: bool = False
    other_lines: list[int] = field(default_factory=list)
    sheet: Sheet | None = None
    passed_over: bool = False

    def __post_init__(self) -> None:
        """What its lines can be depends on its kind."""
        self.course.kind = self.manifest.kind

    def sections(self, forms: Forms) -> Iterator[bytes]:
        """The text in blocks of whole lines, as far as it can be read."""
        blocks = whole_lines(self._readable_text())
        yield from self.course.sections(map(unwrapped, blocks) if self.survey.wrapped else blocks, forms)
        # What was read must be what the digest stands for, or the file would count as taken in when it comes again.
        self.failed = self.failed or self.manifest.state() != self.survey.state

    def text(self) -> str:
        """The whole file as text, for one known to be small."""
        return b"".join(self._readable_text()).decode("utf-8", "replace")

    def _readable_text(self) -> Iterator[bytes]:
        encoding = self.survey.encoding
        if encoding is None:
            return
        if self.sheet:
            text, self.sheet = self.sheet.text, Sheet(b"", self.sheet.stored)
            yield text
            return
        try:
            with self.manifest.open() as file:
                if state_of_open(file) != self.survey.state:
                    self.failed = True
                    return
                if self.survey.mixed:
                    yield from read_mixed(file, self.manifest.path, encoding, self.other_lines)
                    return
                form = self.manifest.path, encoding, self.survey.newline
                yield from read_open(file, *form, self.begin, self.end)
        except UNREADABLE:
            self.failed = True


def begin_reading(manifest: Manifest, limit: int, most_rows: int = ROW_LIMIT) -> Reading:
    """Look through a manifest, to read it whole.

    Args:
        manifest: the file.
        limit: most bytes of text; of a file with more of them nothing is read.
        most_rows: most lines below the first, likewise.
    """
    if manifest.refused:
        return Reading(manifest, unread(manifest.state()))
    if is_workbook(manifest.path):
        return _begin_sheet(manifest, limit, most_rows)
    surveyed = survey(manifest.path, limit, manifest.open, most_rows + 1)
    return Reading(manifest, surveyed, failed=not surveyed.readable)


def _begin_sheet(manifest: Manifest, limit: int, most_rows: int) -> Reading:
    """Read the workbook that a manifest is a sheet of; one that is no sheet stands for what cannot be read."""
    book = book_of(manifest.path, manifest.open, manifest.kind, limit, most_rows)
    sheet = book.sheets.get(manifest.sheet) if manifest.sheet is not None else None
    if sheet is None:
        return Reading(manifest, replace(book.survey, readable=False, encoding=None), failed=True)
    digest = f"{book.survey.sha256}#{manifest.sheet}"
    passed_over = manifest.sheet in book.passed_over
    surveyed = replace(book.survey, sha256=digest, encoding=None if passed_over else "utf-8")
    course = Course(is_sheet=True)
    if sheet.is_one_column:
        course.lines_read = -1
    return Reading(manifest, surveyed, course=course, sheet=sheet, passed_over=passed_over)


def ingest(readings: Iterable[Reading], forms: Forms) -> Iterator[pl.DataFrame]:
    """Rows of one or many manifests.

    Args:
        readings: of the manifests, in order.
        forms: takes their headers.

    Yields:
        Some rows at a time, in order: the columns of `read_cells`; `reading`, the position of their reading;
        `partner_id` and `request_kind`; `tenant_claim`, the tenant as delivered (the cell where the header has the
        column, else the folder); and `tenant_unread`, whether a damaged row would have named it in a cell.
    """
    begun: list[Reading] = []
    for sections in blocks_of(_sections(readings, forms, begun)):
        numbers = [number for number, _, _ in sections]
        records = find_records(sections, forms)
        if records.frame.height:
            manifests = [one.manifest for one in begun]
            rows = read_cells(records, forms, CELLS)
            reading = pl.Series("reading", numbers, dtype=pl.UInt32).gather(rows["section"])
            mixed = _in_other_encoding(rows, begun, reading)
            rows = rows.with_columns(
                reading,
                encoding_mixed=mixed,
                spoilt_cells=_spoilt(rows, begun, reading, forms),
                unheaded=pl.Series([one.course.unheaded for one in begun], dtype=pl.String).gather(reading),
                other_names=_other_names(rows["form"], forms),
            )
            yield _of_manifests(rows, manifests, forms)


def _in_other_encoding(rows: pl.DataFrame, readings: list[Reading], reading: pl.Series) -> pl.Series:
    """Which rows are lines in another encoding than their file begins with."""
    types = {"source_line": pl.UInt32, "reading": pl.UInt32}
    places = [(line, number) for number in reading.unique() for line in readings[number].other_lines]
    other = pl.DataFrame(places, types, orient="row").with_columns(found=pl.lit(value=True))
    if other.is_empty():
        return pl.repeat(value=False, n=rows.height, eager=True)
    joined = rows.select("source_line", reading).join(
        other, on=["source_line", "reading"], how="left", maintain_order="left"
    )
    return joined["found"].fill_null(value=False)


def _spoilt(rows: pl.DataFrame, readings: list[Reading], reading: pl.Series, forms: Forms) -> pl.Series:
    """Columns of which a spreadsheet stored the row's cell as what may have changed it, each once; null without any."""
    types = {"source_line": pl.UInt32, "reading": pl.UInt32, "stored": pl.String}
    places = [
        (line, number, how)
        for number in reading.unique()
        if (sheet := readings[number].sheet)
        for line, how in sheet.stored.items()
    ]
    none = pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
    if not places:
        return none
    stored = rows.select("source_line", "form", reading).join(
        pl.DataFrame(places, types, orient="row"), on=["source_line", "reading"], how="left", maintain_order="left"
    )
    columns = [
        pl.when((pl.col("form") == number) & pl.col("stored").str.slice(at, 1).is_in(list(kinds))).then(pl.lit(name))
        for number in stored["form"].drop_nulls().unique()
        for at, name in enumerate(forms.headers[number].columns)
        if name and (kinds := SPOILT.get(name))
    ]
    if not columns:
        return none
    names = pl.concat_list(columns).list.drop_nulls().list.join(" ")
    return stored.select(pl.when(names != "").then(names)).to_series()


def _other_names(form: pl.Series, forms: Forms) -> pl.Series:
    """By row the names of the columns that are not on the list, one a line; null without any."""
    names = {number: forms.headers[number].other_names for number in form.drop_nulls().unique()}
    return form.replace_strict(names, default=None, return_dtype=pl.String)


def _sections(readings: Iterable[Reading], forms: Forms, begun: list[Reading]) -> Iterator[Section]:
    for number, reading in enumerate(readings):
        begun.append(reading)
        for text in reading.sections(forms):
            yield number, reading.course, text


def unread_rows(manifests: list[Manifest], what: list[str | None]) -> pl.DataFrame:
    """A row for each manifest that could not be read to its end: line 0 stands for what was not read.

    Args:
        manifests: the files.
        what: by file what it is, where it is known to be something that is not read.
    """
    height = len(manifests)
    nowhere = np.zeros(height, np.int64)
    frame = pl.DataFrame({"section": range(height)}, schema={"section": pl.UInt32}).with_columns(
        source_line=pl.lit(0, pl.UInt32),
        header_no=pl.lit(None, pl.UInt32),
        form=pl.lit(None, pl.UInt32),
        record_fault=pl.lit(None, pl.String),
    )
    rows = read_cells(Records(b"", frame, nowhere, nowhere), Forms(), CELLS)
    rows = rows.with_columns(raw_record=pl.lit(None, pl.String), reading="section", encoding_mixed=pl.lit(value=False))
    nothing = pl.lit(None, pl.String)
    rows = rows.with_columns(spoilt_cells=nothing, other_names=nothing, unheaded=pl.Series(what, dtype=pl.String))
    return _of_manifests(rows, manifests, Forms())


def _of_manifests(rows: pl.DataFrame, manifests: list[Manifest], forms: Forms) -> pl.DataFrame:
    """Add whose the rows are."""
    partner = pl.Series([manifest.partner_id for manifest in manifests], dtype=pl.String)
    folder = pl.Series([manifest.tenant_folder for manifest in manifests], dtype=pl.String)
    kind = pl.Series([manifest.kind for manifest in manifests], dtype=pl.String)
    key_in_name = pl.Series([MASK in manifest.source_file for manifest in manifests], dtype=pl.Boolean)
    from_cell = pl.col("form").is_in(forms.with_column("tenant")).fill_null(value=False)
    return rows.with_columns(
        pl.col("product_key_exposed") | key_in_name.gather(rows["reading"]),
        partner_id=partner.gather(rows["reading"]),
        request_kind=kind.gather(rows["reading"]),
        tenant_claim=pl.when(from_cell).then("tenant").otherwise(folder.gather(rows["reading"])),
        tenant_unread=from_cell & pl.col("record_fault").is_not_null(),
    )
