"""One manifest: its rows, and what is to be said of it as a file."""

from collections.abc import Iterator
from functools import cached_property

import polars as pl

from pipeline.ingest.encoding import UNREADABLE, Survey, digest, read_text, survey
from pipeline.ingest.inbox import Manifest
from pipeline.ingest.layout import CELLS, Header, row_limit
from pipeline.ingest.records import RecordReader

_FLAGS = ("value_trimmed", "hash_trimmed", "product_key_exposed")
_ROW_TYPES = {
    "source_line": pl.UInt32,
    "raw_record": pl.String,
    "record_fault": pl.String,
    "header_no": pl.UInt32,
    **dict.fromkeys((*CELLS, "other_cells"), pl.String),
    **dict.fromkeys(_FLAGS, pl.Boolean),
}

_THE_REST = (
    pl.lit(0, pl.UInt32).alias("source_line"),
    *(pl.lit(value=False).alias(name) for name in _FLAGS),
)
"""Line 0 stands for what could not be read."""


class ManifestReader:
    """Reads one manifest; its properties are complete once all batches were taken.

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

    def batches(self) -> Iterator[pl.DataFrame]:
        """Rows of the file, block by block, as `RecordReader.read` gives them and with `tenant_claim`.

        `tenant_claim` is the tenant as delivered: the cell where the header has the column, else the folder.
        `tenant_unread` says that a damaged row would have named it in a cell.
        """
        sha256 = self.sha256
        self._records = RecordReader(self.survey.newline)
        for rows in self._records.read(self._readable_text()):
            yield self._counted(rows)
        # What was read must be what the digest stands for, or the file would count as taken in when it comes again.
        self._failed = self._failed or sha256 is None or self._stat() != self._state
        if self.unreadable:
            yield self._counted(pl.DataFrame(schema=_ROW_TYPES).clear(1).with_columns(_THE_REST))

    def _readable_text(self) -> Iterator[bytes]:
        """The text as far as it can be read."""
        if self.survey.encoding is None:
            return
        try:
            yield from read_text(self.manifest.path, self.survey.encoding)
        except UNREADABLE:
            self._failed = True

    def _counted(self, rows: pl.DataFrame) -> pl.DataFrame:
        self.rows_read += rows.height
        in_column = pl.Series(
            [pos for pos, header in enumerate(self.headers) if "tenant" in header.columns], dtype=pl.UInt32
        )
        from_cell = pl.col("header_no").is_in(in_column.implode()).fill_null(value=False)
        folder = pl.lit(self.manifest.tenant_folder, pl.String)
        return rows.select(pl.col(name).cast(dtype) for name, dtype in _ROW_TYPES.items()).with_columns(
            tenant_claim=pl.when(from_cell).then("tenant").otherwise(folder),
            tenant_unread=from_cell & pl.col("record_fault").is_not_null(),
        )

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
