"""The work that processes share: manifests to decoded rows in a staging file. One piece of it knows of no other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.config import Limits
from pipeline.decode.decode import decode
from pipeline.ingest import Forms, Manifest, Reading, begin_reading, read_rows, unread_rows
from pipeline.ingest.survey import known_survey
from pipeline.intake.staging import PartWriter
from pipeline.match.keys import identity_key


@dataclass(frozen=True, slots=True)
class Staged:
    """What a piece of work did.

    Attributes:
        path: the staging file.
        rows: how many rows it holds.
        readings: of the manifests, in order; one that was settled was not read beyond its survey.
    """

    path: Path
    rows: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A manifest to read.

    Attributes:
        number: its position among all manifests.
        manifest: the file.
        size: its bytes when it was found.
        settled: digests of files that need not be read again if this is one of them.
        digest: its own, where it is taken for what it was when it was read before; None where that is not known.
    """

    number: int
    manifest: Manifest
    size: int
    settled: frozenset[str] = frozenset()
    digest: str | None = None

    def begin(self, limits: Limits) -> Reading:
        """Look through it, unless it is known to be settled."""
        if self.digest in self.settled:
            return Reading(self.manifest, known_survey(self.manifest.state(), self.digest))
        return begin_reading(self.manifest, limits.text, limits.rows)


def look_through(delivered: Delivered, limits: Limits) -> Reading:
    """Survey a manifest and find its first record, to read it in parts."""
    reading = delivered.begin(limits)
    if reading.survey.sha256 not in delivered.settled:
        next(reading.sections(Forms()), None)
    return reading


def stage_manifests(delivered: list[Delivered], limits: Limits, path: Path) -> Staged:
    """Read whole manifests."""
    readings: list[Reading] = []
    numbers: list[int] = []

    def unsettled() -> Iterator[Reading]:
        for one in delivered:
            reading = one.begin(limits)
            readings.append(reading)
            if reading.survey.sha256 not in one.settled:
                numbers.append(one.number)
                yield reading

    rows = _write(read_rows(unsettled(), Forms()), numbers, path)
    return Staged(path, rows, tuple(readings))


def stage_part(reading: Reading, number: int, path: Path) -> Staged:
    """Read a part of a manifest."""
    rows = _write(read_rows([reading], Forms()), [number], path)
    return Staged(path, rows, (reading,))


def stage_unread(delivered: list[Delivered], what: list[str | None], path: Path) -> Staged:
    """Give each manifest that could not be read to its end the row that stands for the rest.

    Args:
        delivered: those manifests.
        what: as in `unread_rows`.
        path: of the staging file.
    """
    rows = unread_rows([one.manifest for one in delivered], what)
    return Staged(path, _write([rows], [one.number for one in delivered], path), ())


def _write(batches: Iterable[pl.DataFrame], numbers: list[int], path: Path) -> int:
    """Write rows; `numbers` are those of the manifests whose positions the rows hold in `reading`."""
    writer = PartWriter(path)
    for rows in batches:
        file_no = pl.Series("file_no", numbers, dtype=pl.UInt32).gather(rows["reading"])
        writer.write(_decoded(rows.with_columns(file_no)))
    writer.close()
    return writer.rows


def _decoded(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with what their hashes say; the text of a hash that follows from its bytes is left out of the record."""
    decoded = decode(rows["hardware_hash"])
    wide = pl.concat([rows, decoded], how="horizontal")
    follows = (
        pl.col("hash_verified") & ~pl.col("hash_repaired") & ~pl.col("hash_trimmed") & pl.col("hash_at").is_not_null()
    )
    return wide.with_columns(
        raw_record=pl.when(follows).then("raw_rest").otherwise("raw_record"),
        hash_at=pl.when(follows).then("hash_at"),
        hash_repaired=pl.col("hash_repaired") | (pl.col("hash_trimmed") & pl.col("hash_verified")),
        has_hash=pl.col("hardware_hash").is_not_null(),
    ).with_columns(identity_key=identity_key())
