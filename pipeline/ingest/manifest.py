"""One manifest: its rows, and what is to be said of it as a file."""

from collections.abc import Iterator
from functools import cached_property

import polars as pl

from pipeline.ingest.cells import Forms, read_cells
from pipeline.ingest.encoding import UNREADABLE, Survey, digest, read_text, survey
from pipeline.ingest.inbox import Manifest
from pipeline.ingest.layout import CELLS, Header, row_limit
from pipeline.ingest.records import RecordReader

ROW_TYPES: dict[str, type[pl.DataType]] = {
    "source_line": pl.UInt32,
    "raw_record": pl.String,
    "record_fault": pl.String,
    "header_no": pl.UInt32,
    "form": pl.UInt32,
    "tenant_folder": pl.String,
}
"""A record as its file gives it, before it is split into cells."""


def read_rows(records: pl.DataFrame, forms: Forms) -> pl.DataFrame:
    """Records of one or many manifests to rows.

    Args:
        records: one row a record, with the columns of `ROW_TYPES`; further columns are kept.
        forms: the headers of the manifests.

    Returns:
        One row for each, in order, with the columns of `read_cells`; with `tenant_claim`, the tenant as delivered
        (the cell where the header has the column, else the folder), and `tenant_unread`, whether a damaged row would
        have named it in a cell.
    """
    from_cell = pl.col("form").is_in(forms.with_column("tenant")).fill_null(value=False)
    return read_cells(records, forms, CELLS).with_columns(
        tenant_claim=pl.when(from_cell).then("tenant").otherwise("tenant_folder"),
        tenant_unread=from_cell & pl.col("record_fault").is_not_null(),
    )


class ManifestReader:
    """Reads one manifest; its properties are complete once all records were taken.

    Attributes:
        manifest: the file.
        rows_read: records so far.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.rows_read = 0
        self._records: RecordReader | None = None
        self._failed = False
        self._state = self._stat()

    @cached_property
    def sha256(self) -> str | None:
        """Hex digest of the file as delivered; None where it cannot be read."""
        return digest(self.manifest.path)

    @property
    def size(self) -> int:
        """Bytes of the file as delivered; 0 where it cannot be found."""
        return self._state[0]

    def _stat(self) -> tuple[int, int, int]:
        try:
            stat = self.manifest.path.stat()
        except OSError:
            return 0, 0, 0
        return stat.st_size, stat.st_mtime_ns, stat.st_ino

    @cached_property
    def survey(self) -> Survey:
        """The file's form, from a pass over all of it."""
        return survey(self.manifest.path)

    @property
    def unreadable(self) -> bool:
        """Whether it could not be read to its end."""
        return self._failed or not self.survey.readable

    @property
    def headers(self) -> list[Header]:
        """The header lines met so far; a row's `header_no` is a position here."""
        return self._records.headers if self._records else []

    @property
    def delimiter(self) -> str | None:
        """What separates its fields; None before its first record."""
        return self._records.delimiter if self._records else None

    def text(self) -> str:
        """The whole file as text, for a file known to be small."""
        chunks = b"".join(read_text(self.manifest.path, self.survey.encoding or "utf-8"))
        return chunks.decode("utf-8", "replace")

    def records(self, forms: Forms) -> Iterator[pl.DataFrame]:
        """Records of the file, block by block, with the columns of `ROW_TYPES`; their headers are added to `forms`.

        A record of line 0 stands for what could not be read.
        """
        sha256 = self.sha256
        self._records = RecordReader(self.survey.newline)
        for records in self._records.read(self._readable_text()):
            yield self._counted(records, forms)
        # What was read must be what the digest stands for, or the file would count as taken in when it comes again.
        self._failed = self._failed or sha256 is None or self._stat() != self._state
        if self.unreadable:
            rest = pl.DataFrame(schema=ROW_TYPES).clear(1).with_columns(source_line=pl.lit(0, pl.UInt32))
            yield self._counted(rest, forms)

    def rows(self) -> Iterator[pl.DataFrame]:
        """Rows of the file, block by block, as `read_rows` gives them."""
        forms = Forms()
        for records in self.records(forms):
            yield read_rows(records, forms)

    def _readable_text(self) -> Iterator[bytes]:
        """The text as far as it can be read."""
        if self.survey.encoding is None:
            return
        try:
            yield from read_text(self.manifest.path, self.survey.encoding)
        except UNREADABLE:
            self._failed = True

    def _counted(self, records: pl.DataFrame, forms: Forms) -> pl.DataFrame:
        self.rows_read += records.height
        named = records.with_columns(
            forms.number(self.headers, records["header_no"]).alias("form"),
            tenant_folder=pl.lit(self.manifest.tenant_folder, pl.String),
        )
        return named.select(list(ROW_TYPES))

    def findings(self) -> list[str]:
        """Codes that hold for every row of the file."""
        held = {
            "FILE_UNREADABLE": self.unreadable,
            "FILE_HEADER_UNKNOWN": not self.headers and self.rows_read > int(self.unreadable),
            "HEADER_NOT_CANONICAL": any(not header.exact for header in self.headers),
            "ENCODING_NOT_ANSI": not self.survey.ansi,
            "ROW_LIMIT_EXCEEDED": self.rows_read > row_limit(self.headers[0].layout if self.headers else None),
        }
        return [code for code, holds in held.items() if holds]

    @property
    def disposition(self) -> str:
        """What became of the file: `processed`, `empty` or `unreadable`."""
        if self.unreadable:
            return "unreadable"
        return "processed" if self.rows_read else "empty"
