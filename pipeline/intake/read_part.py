"""The tasks of the front: the manifests of a part, or a part of one, to staged and judged rows.

Each goes the first half of the way by itself and knows of no other: ingest, decode, validate, authorize.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.clock import Stopwatch
from pipeline.config import Limits
from pipeline.decode.decode import decode
from pipeline.engine import of_attempt, shared
from pipeline.ingest import Forms, Manifest, Reading, begin_reading, ingest, unread_rows
from pipeline.ingest.survey import Piece, Survey, digest_of, known_survey, look_at_piece
from pipeline.intake.judge import Judged, judge, together
from pipeline.intake.staging import NARROW_TYPES, Part, PartWriter, in_groups
from pipeline.match import identity_key
from pipeline.rows import ROW, identified
from pipeline.storage.places import StoredFile, in_turn
from pipeline.validate import VALIDATE_ROWS

NO_ROWS = pl.DataFrame(schema={"row": ROW, **NARROW_TYPES})
"""Of no part."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What a task did.

    Attributes:
        part: the rows that it staged; None where there are none.
        readings: of the manifests, in order; one that was settled was not read beyond its survey.
        seconds: wall time that each stage took.
    """

    part: Part | None
    readings: tuple[Reading, ...]
    seconds: dict[str, float]


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

    def wanted(self) -> StoredFile | None:
        """Where it is to be read, in a store, unless it is known to be settled."""
        return None if self.digest in self.settled or self.manifest.refused else self.manifest.stored

    def begin(self, limits: Limits) -> Reading:
        """Look through it, unless it is known to be settled."""
        if self.digest in self.settled:
            return Reading(self.manifest, known_survey(self.manifest.state(), self.digest))
        return begin_reading(self.manifest, limits.text, limits.rows)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a task saw of a large manifest.

    Attributes:
        piece: it; None where it saw nothing.
        seconds: wall time that it took.
    """

    piece: Piece | None
    seconds: float


def look_at(delivered: Delivered, piece: int, pieces: int) -> Looked:
    """Look at one of the pieces that a large manifest can be cut into."""
    begun, manifest = time.perf_counter(), delivered.manifest
    return Looked(look_at_piece(manifest.path, manifest.open, piece, pieces), time.perf_counter() - begun)


def digest(delivered: Delivered) -> Looked:
    """Digest a large manifest, which is done in one go."""
    begun = time.perf_counter()
    return Looked(digest_of(delivered.manifest.open), time.perf_counter() - begun)


def look_through(delivered: Delivered, limits: Limits, survey: Survey | None) -> Staged:
    """Find the first record of a manifest, to read it in parts; nothing is staged yet. It is surveyed if it was not."""
    watch = Stopwatch()
    with watch("ingest"):
        reading = Reading(delivered.manifest, survey) if survey else delivered.begin(limits)
        if reading.survey.sha256 not in delivered.settled:
            next(reading.sections(Forms()), None)
    return Staged(None, (reading,), watch.seconds)


def stage_manifests(delivered: list[Delivered], limits: Limits, rules: Path, path: Path) -> Staged:
    """Read whole manifests.

    Args:
        delivered: the manifests.
        limits: how much of one is read.
        rules: where the `pipeline.intake.judge.Rulebook` is shared.
        path: how the name of the staging file begins.
    """
    readings: list[Reading] = []
    numbers: list[int] = []

    def unsettled() -> Iterator[Reading]:
        for one in in_turn(delivered, Delivered.wanted):
            reading = one.begin(limits)
            readings.append(reading)
            if reading.survey.sha256 not in one.settled:
                numbers.append(one.number)
                yield reading

    return _staged(ingest(unsettled(), Forms()), numbers, readings, rules, path)


def stage_part(reading: Reading, number: int, rules: Path, path: Path) -> Staged:
    """Read a part of a manifest; the arguments are those of `stage_manifests`, and the number of the manifest."""
    return _staged(ingest([reading], Forms()), [number], [reading], rules, path)


def stage_unread(delivered: list[Delivered], what: list[str | None], rules: Path, path: Path) -> Staged:
    """Give each manifest that could not be read to its end the row that stands for the rest.

    Args:
        delivered: those manifests.
        what: as in `unread_rows`.
        rules: as in `stage_manifests`.
        path: likewise.
    """
    rows = unread_rows([one.manifest for one in delivered], what)
    return _staged([rows], [one.number for one in delivered], [], rules, path)


def _staged(
    batches: Iterable[pl.DataFrame], numbers: list[int], readings: list[Reading], rules: Path, path: Path
) -> Staged:
    """Ingest, decode, validate and authorize a part.

    Args:
        batches: its rows, as they are read.
        numbers: of the manifests whose positions the rows hold in `reading`; complete when the batches are.
        readings: of the manifests; likewise.
        rules: as in `stage_manifests`.
        path: likewise.
    """
    begun, watch, rulebook, path = time.perf_counter(), Stopwatch(), shared(rules), of_attempt(path)
    writer = PartWriter(path)
    staged = (writer.write(_decoded(rows, numbers, watch)) for rows in batches)
    judged = [judge(rows, rulebook, watch) for rows in in_groups(identified(staged), VALIDATE_ROWS)]
    writer.close()
    part = _part(together(judged), path) if judged else None
    watch.add({"ingest": time.perf_counter() - begun - sum(watch.seconds.values())})
    return Staged(part, tuple(readings), watch.seconds)


def _part(judged: Judged, path: Path) -> Part:
    judged.write(path)
    first, last = judged.rows.select(first=pl.min("row"), last=pl.max("row")).row(0)
    return Part(path, judged.rows.height, first, last)


def _decoded(rows: pl.DataFrame, numbers: list[int], watch: Stopwatch) -> pl.DataFrame:
    """Rows with what their hashes say; the text of a hash that follows from its bytes is left out of the record."""
    with watch("decode"):
        decoded = decode(rows["hardware_hash"])
    file_no = pl.Series("file_no", numbers, dtype=pl.UInt32).gather(rows["reading"])
    wide = pl.concat([rows.with_columns(file_no), decoded], how="horizontal")
    follows = (
        pl.col("hash_verified") & ~pl.col("hash_repaired") & ~pl.col("hash_trimmed") & pl.col("hash_at").is_not_null()
    )
    return wide.with_columns(
        raw_record=pl.when(follows).then("raw_rest").otherwise("raw_record"),
        hash_at=pl.when(follows).then("hash_at"),
        hash_repaired=pl.col("hash_repaired") | (pl.col("hash_trimmed") & pl.col("hash_verified")),
        has_hash=pl.col("hardware_hash").is_not_null(),
    ).with_columns(identity_key=identity_key())
