"""Which tasks manifests make, and in what order their results count.

Small manifests are read together, large ones in parts. What a part is read by, its headers, is known only when the
parts before it were read; so it is taken to be what the file begins with, and read again in the rare file that changes
its headers on the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.config import Limits
from pipeline.engine import Executor, share
from pipeline.ingest import FileRead, Reading, file_read
from pipeline.ingest.layout import Header
from pipeline.ingest.records import Course
from pipeline.ingest.survey import PART_BYTES, Survey, can_be_cut, pieces_of, surveyed
from pipeline.intake.judge import Rulebook
from pipeline.intake.read_part import (
    Delivered,
    Looked,
    Staged,
    digest,
    look_at,
    look_through,
    stage_manifests,
    stage_part,
)
from pipeline.intake.staging import Staging

_MOST_TOGETHER = 1_000
"""Small manifests in one task, so that results keep coming."""

_LARGE = 2 * PART_BYTES
_LOOK, _OPEN, _PART = range(3)
"""What is done with a large manifest, in this order: pieces of it are looked at, it is opened, parts of it are read."""


@dataclass(frozen=True, slots=True)
class Front:
    """What all tasks of the front are submitted with.

    Attributes:
        limits: how much of one manifest is read.
        rules: where the `pipeline.intake.judge.Rulebook` is shared.
        executor: executes the tasks.
        staging: where rows are staged.
    """

    limits: Limits
    rules: Path
    executor: Executor
    staging: Staging

    @classmethod
    def of(cls, rulebook: Rulebook, limits: Limits, executor: Executor, staging: Staging) -> "Front":
        """That of a run, whose rulebook is shared with all tasks."""
        return cls(limits, share(rulebook, staging.folder / "rulebook"), executor, staging)


@dataclass(frozen=True, slots=True)
class Taken:
    """Some manifests that were read.

    Attributes:
        files: what is known of each, in order.
        staged: what the tasks did, in order.
    """

    files: list[FileRead]
    staged: list[Staged]


def read_all(delivered: list[Delivered], front: Front) -> Iterator[Taken]:
    """Read manifests.

    Yields:
        What was read, group by group, in order.
    """
    coming = _groups(delivered, front)
    underway: dict[int, _Together | _InParts] = {}
    while True:
        while len(underway) < front.executor.ahead and (group := next(coming, None)):
            underway[group.number] = group
        if not underway:
            return
        first = underway[next(iter(underway))]
        while first.taken is None:
            (number, *step), result = front.executor.next_result()
            underway[number].proceed(step, result)
        yield first.taken
        del underway[first.number]


def _groups(delivered: list[Delivered], front: Front) -> Iterator["_Together | _InParts"]:
    """Manifests in order, small neighbours together; their tasks are submitted as they are asked for."""
    together: list[Delivered] = []
    size = 0
    for one in delivered:
        is_large = one.size > _LARGE and can_be_cut(one.manifest.path)
        if together and (is_large or size + one.size > PART_BYTES or len(together) == _MOST_TOGETHER):
            yield _Together(together, front)
            together, size = [], 0
        if is_large:
            yield _InParts(one, front)
        else:
            together.append(one)
            size += one.size
    if together:
        yield _Together(together, front)


class _Together:
    """Manifests that are read by one task."""

    def __init__(self, delivered: list[Delivered], front: Front) -> None:
        self.number = delivered[0].number
        self.taken: Taken | None = None
        self._delivered = delivered
        path = front.staging.part(self.number)
        front.executor.submit((self.number, _PART, 0), stage_manifests, delivered, front.limits, front.rules, path)

    def proceed(self, _step: list[int], result: Staged) -> None:
        """Take the result."""
        read = zip(self._delivered, result.readings, strict=True)
        self.taken = Taken([file_read([reading], one.settled) for one, reading in read], [result])


class _InParts:
    """A large manifest. Its form is what pieces of it show together, each looked at by a task; then each is a part."""

    def __init__(self, delivered: Delivered, front: Front) -> None:
        self.number = delivered.number
        self.taken: Taken | None = None
        self._delivered, self._front = delivered, front
        self._seen: dict[int, Looked] = {}
        self._looked: list[Staged] = []
        self._opening: list[Header] = []
        self._parts: list[Staged | None] = []
        self._is_final = False
        self._pieces = pieces_of(delivered.size)
        if delivered.digest in delivered.settled or delivered.size > front.limits.text:
            self._open(None)
            return
        front.executor.submit((self.number, _LOOK, 0), digest, delivered)
        for piece in range(self._pieces):
            front.executor.submit((self.number, _LOOK, piece + 1), look_at, delivered, piece, self._pieces)

    def proceed(self, step: list[int], result: Any) -> None:  # noqa: ANN401 - that of the step's task
        """Take the result of a task; ask for what follows from it."""
        what, piece = step
        if what == _LOOK:
            self._seen[piece] = result
            if len(self._seen) > self._pieces:
                self._look_together()
            return
        if what == _OPEN:
            self._looked.append(result)
            self._divide(result.readings[0])
            return
        self._parts[piece] = result
        staged = [part for part in self._parts if part]
        if len(staged) == len(self._parts):
            self._conclude(staged)

    def _look_together(self) -> None:
        """All pieces were looked at."""
        seen, limits = [self._seen[piece].piece for piece in range(self._pieces + 1)], self._front.limits
        self._looked.append(Staged(None, (), {"ingest": sum(one.seconds for one in self._seen.values())}))
        self._open(surveyed(seen[1:], seen[0], limits.text, limits.rows + 1))

    def _open(self, survey: Survey | None) -> None:
        """Have the first record found; without a survey the manifest is looked through by one task."""
        key = (self.number, _OPEN, 0)
        self._front.executor.submit(key, look_through, self._delivered, self._front.limits, survey)

    def _divide(self, looked: Reading) -> None:
        """Give out the parts."""
        survey, course = looked.survey, looked.course
        if survey.sha256 in self._delivered.settled:
            self.taken = Taken([file_read([looked], self._delivered.settled)], self._looked)
            return
        self._opening = course.headers
        # A first part without a record would not know how to read what it has.
        cuts = survey.cuts if not survey.cuts or course.lines_before < survey.cuts[0].lines else ()
        self._parts = [None] * (len(cuts) + 1)
        ends = [*(cut.at for cut in cuts), None]
        self._give(0, Reading(looked.manifest, survey, 0, ends[0]))
        for piece, cut in enumerate(cuts, 1):
            known = Course([*course.headers], 0, course.delimiter, opened=True, lines_read=cut.lines)
            known.unheaded = course.unheaded
            self._give(piece, Reading(looked.manifest, survey, cut.at, ends[piece], known))

    def _give(self, piece: int, reading: Reading) -> None:
        path = self._front.staging.part(self.number, piece)
        self._front.executor.submit(
            (self.number, _PART, piece), stage_part, reading, self.number, self._front.rules, path
        )

    def _conclude(self, staged: list[Staged]) -> None:
        """All parts are read; those behind a change of headers are read again by the right ones, as one part."""
        readings = [reading for part in staged for reading in part.readings]
        if not self._is_final and any(reading.course.left_open for reading in readings[:-1]):
            self._read_whole(readings[0])
            return
        changed = next((at for at, reading in enumerate(readings[:-1]) if self._changes_headers(reading)), None)
        if changed is None or self._is_final:
            self.taken = Taken([file_read(readings, self._delivered.settled)], [*self._looked, *staged])
            return
        self._is_final = True
        before, cut = readings[changed], readings[changed].survey.cuts[changed]
        self._parts = [*staged[: changed + 1], None]
        known = replace(before.course, headers=[*before.course.headers], lines_read=cut.lines, rows_read=0)
        self._give(changed + 1, Reading(before.manifest, before.survey, cut.at, None, known))

    def _read_whole(self, first: Reading) -> None:
        """Read the file as one part: a value may stand in the lines on both sides of a cut."""
        self._is_final = True
        self._parts = [None]
        self._give(0, Reading(first.manifest, first.survey))

    def _changes_headers(self, reading: Reading) -> bool:
        return (reading.course.headers, reading.course.header_no) != (self._opening, 0)
