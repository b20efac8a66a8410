"""What is to be said of a manifest as a file, once all its parts were read."""

from dataclasses import dataclass

from pipeline.ingest.layout import Header, row_limit
from pipeline.ingest.manifest import Reading
from pipeline.ingest.secrets import mask_in_name
from pipeline.ingest.survey import Survey


@dataclass(frozen=True, slots=True)
class FileRead:
    """What is known of a manifest that was read, all its parts together.

    Attributes:
        survey: its form.
        headers: its different header lines, in order; a row's `header_no` is a position here.
        delimiter: what separates its fields; None where it has no records.
        rows_read: its records, without the row that stands for what could not be read.
        fault: the code of why it was not read to its end; None where it was.
        settled: it is what an earlier run settled, and was not read again.
        passed_over: it is a sheet that is not read, since it has no header and another has one.
    """

    survey: Survey
    headers: list[Header]
    delimiter: str | None
    rows_read: int
    fault: str | None
    settled: bool
    passed_over: bool = False

    @property
    def rows(self) -> int:
        """Its rows, with the one that stands for what could not be read."""
        return self.rows_read + (self.fault is not None)

    @property
    def layout(self) -> str | None:
        """Name of the layout of its first header."""
        return self.headers[0].layout if self.headers else None

    @property
    def ignored_columns(self) -> list[str]:
        """Names of its columns that are not read, product keys masked."""
        names = (mask_in_name(name) for header in self.headers for name in header.ignored)
        return [] if self.settled else list(dict.fromkeys(names))

    def findings(self) -> list[str]:
        """Codes that hold for every row of the file."""
        if self.settled:
            return []
        held = {
            **({self.fault: True} if self.fault else {}),
            "FILE_HEADER_UNKNOWN": self.passed_over or (not self.headers and self.rows_read > 0),
            "COLUMN_UNCLEAR": any(header.unclear for header in self.headers),
            "HEADER_NOT_CANONICAL": any(not header.exact for header in self.headers),
            "RECORD_UNWRAPPED": self.survey.wrapped,
            "ENCODING_NOT_ANSI": not self.survey.ansi,
            "ROW_LIMIT_EXCEEDED": self.rows > row_limit(self.layout),
        }
        return [code for code, holds in held.items() if holds]

    @property
    def disposition(self) -> str:
        """What became of the file: `processed`, `empty`, `already_processed`, `unreadable` or `not_a_manifest`."""
        if self.settled:
            return "already_processed"
        if self.fault:
            return "not_a_manifest" if self.fault == "FILE_TYPE_UNKNOWN" else "unreadable"
        return "processed" if self.rows_read else "empty"


def file_read(parts: list[Reading], settled: frozenset[str] = frozenset()) -> FileRead:
    """Put the readings of all parts of a manifest together.

    Args:
        parts: in order.
        settled: digests of files that were not read beyond their survey.
    """
    survey, last = parts[0].survey, parts[-1].course
    is_settled = survey.sha256 in settled
    too_large = survey.too_large or any(reading.course.too_large for reading in parts)
    failed = not survey.readable or any(reading.failed for reading in parts)
    cause = parts[0].manifest.refused or ("FILE_TOO_LARGE" if too_large else "FILE_UNREADABLE")
    return FileRead(
        survey=survey,
        headers=last.headers,
        delimiter=last.delimiter,
        rows_read=sum(reading.course.rows_read for reading in parts),
        fault=cause if (failed or too_large) and not is_settled else None,
        settled=is_settled,
        passed_over=parts[0].passed_over,
    )
