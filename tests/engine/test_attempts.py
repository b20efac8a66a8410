"""Every task of a night is executed three times, twice of them at once: nothing that one attempt named is changed."""

import hashlib
import heapq
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from pipeline.engine import InProcess
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from tests.conftest import OTHER_TENANT, TENANT

HASH, SERIAL = INTUNE[2], INTUNE[0]


def paths(answer) -> Iterator[Path]:
    """All paths in what a task gave back."""
    if isinstance(answer, Path):
        yield answer
    elif is_dataclass(answer):
        for one in fields(answer):
            yield from paths(getattr(answer, one.name))
    elif isinstance(answer, dict):
        yield from paths(tuple(answer.values()))
    elif isinstance(answer, list | tuple):
        for one in answer:
            yield from paths(one)


def written(answer, inbox):
    """The files that a task named, and those beside them that begin with the same name, by what they hold."""
    named = [path for path in paths(answer) if inbox not in path.parents and path != inbox]
    beside = {one for path in named for one in path.parent.glob(f"{path.stem}*")}
    files = {file for one in beside for file in (one.iterdir() if one.is_dir() else [one])}
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


class Thrice(InProcess):
    """Executes each task in two threads at once, and then once more; the answer of the first counts.

    Each attempt has arguments of its own, as it has wherever it is executed by another process.
    """

    is_alone = False

    def __init__(self, inbox, executed):
        super().__init__()
        self._inbox, self._executed = inbox, executed

    def next_result(self):
        key, _, task, arguments = heapq.heappop(self._waiting)
        given = pickle.dumps(arguments)

        def attempt(*_):
            return task(*pickle.loads(given))  # noqa: S301 - what was pickled above

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(attempt, range(2))
        before = written(first, self._inbox)
        third = attempt()
        assert written(first, self._inbox) == before
        others = {**written(second, self._inbox), **written(third, self._inbox)}
        assert not before.keys() & others.keys(), task
        self._executed.setdefault(task.__name__, []).append(len(before))
        return key, first


@pytest.fixture
def delivered(world):
    for at in range(4):
        rows = [{HASH: capture(world.factory.device())} for _ in range(3)]
        world.deliver(f"contoso/{(TENANT, OTHER_TENANT)[at % 2]}/{at}.csv", *rows, rows[0], {HASH: "AAAA"})
    serials = [{SERIAL: f"5CG000{number}", "Departure Reason": "returned"} for number in range(3)]
    world.deliver(f"contoso/departures/{TENANT}/gone.csv", *serials, header=(SERIAL, "Departure Reason"))
    large = [{HASH: capture(world.factory.device())} for _ in range(40)]
    world.deliver(f"contoso/{TENANT}/large.csv", *large)
    return world


def files_of(folder):
    """What lies in a published run; pages and manifest tell of its seconds."""
    apart = {"report.json", "index.html", "run.json"}
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in apart
    }


def test_a_second_attempt_at_any_task_changes_nothing_that_the_first_named(delivered, monkeypatch):
    monkeypatch.setattr("pipeline.intake.schedule._MOST_TOGETHER", 1)
    monkeypatch.setattr("pipeline.intake.schedule._LARGE", 100_000)
    monkeypatch.setattr("pipeline.ingest.survey.PART_BYTES", 50_000)
    monkeypatch.setattr("pipeline.publish.sets._LEAST", 1)
    monkeypatch.setattr("pipeline.deals.dealing.PAIRS", 1)
    monkeypatch.setattr("pipeline.registry.looking._WORTH", 1)
    once = files_of(Path(delivered.run(dry_run=True, run_id="night").result.folder))
    executed = {}
    monkeypatch.setattr("pipeline.flow.executor_for", lambda *_: Thrice(delivered.inbox, executed))
    night = delivered.run(run_id="night")
    folder = Path(night.result.folder)
    assert executed.keys() == {
        "look_at",
        "digest",
        "look_through",
        "stage_manifests",
        "stage_part",
        "compare_deal",
        "write_bundle",
        "_write_workbook",
    }
    assert all(max(named) > 0 for task, named in executed.items() if not task.startswith(("look", "digest")))
    assert files_of(folder) == once
    registry = Registry.open(delivered.registry, create=False)
    assert {*delivered.registry.glob("*.parquet")} == {*registry.data_files(), *registry.request_files()}
    assert list((delivered.home / "runs" / ".staging").iterdir()) == []
