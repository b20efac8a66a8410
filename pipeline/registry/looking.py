"""Who looks through the data files of a registry: this process, or tasks, each of them some of the files."""

import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import polars as pl

from pipeline.engine import Executor, share, shared
from pipeline.registry.index import SIDECAR as INDEX
from pipeline.registry.opening import damage_told
from pipeline.storage.mapped import mapped, write_mapped

_GROUP = 500_000
"""Records that one task looks through at least, where there are as many: a tenth of a second for most questions."""

_WORTH = 250_000
"""Records without an index from which local workers are asked: of fewer, or of indexed ones, a look takes less."""

Look: TypeAlias = Callable[[dict[Path, int], int, Any], pl.DataFrame]
"""A function of a module that looks through data files. It is given them, in order, with how many records each holds,
how many records the files before them hold, and a question."""


class Looking(Protocol):
    """Looks through data files."""

    def through(self, files: dict[Path, int], look: Look, question: object) -> list[pl.DataFrame]:
        """What is found in some files, which are neighbours and taken together, after each other.

        Raises:
            RegistryError: a file is damaged.
        """
        ...


class LookingHere:
    """Looks through all files at once, in this process."""

    def through(self, files: dict[Path, int], look: Look, question: object) -> list[pl.DataFrame]:
        """What is found in all files."""
        return [look(files, 0, question)]


class LookingByTasks:
    """Has tasks look through files; several threads may ask it, which is answered one after the other."""

    def __init__(self, executor: Executor, folder: Path, *, always: bool = False) -> None:
        """Look by tasks.

        Args:
            executor: executes the tasks; it has no others meanwhile.
            folder: which they all reach, for what they are asked and what they find.
            always: even where this process would have an answer sooner than others, since it reaches no data files.
        """
        self._executor, self._folder, self._always = executor, folder, always
        self._asking = threading.Lock()

    def through(self, files: dict[Path, int], look: Look, question: object) -> list[pl.DataFrame]:
        """What is found in groups of the files."""
        if not self._always and not self._is_worth(files):
            return LookingHere().through(files, look, question)
        asked = share(question, self._folder / f"question-{secrets.token_hex(8)}")
        groups = _groups(files)
        with self._asking:
            for number, (first, group) in enumerate(groups):
                self._executor.submit((number,), look_through, look, group, first, asked)
            found = dict(self._executor.next_result() for _ in groups)
        return [mapped(found[number,]) for number in range(len(groups))]

    def _is_worth(self, files: dict[Path, int]) -> bool:
        if self._executor.is_alone or sum(files.values()) < _WORTH:
            return False
        return sum(records for file, records in files.items() if not INDEX.place(file).exists()) >= _WORTH


def look_through(look: Look, files: dict[Path, int], first: int, question: Path) -> Path:
    """Look through some files.

    Args:
        look: what looks.
        files: some neighbours of the registry's.
        first: how many records those before them hold.
        question: where what is asked is shared; what is found is written beside it.

    Returns:
        A file of what was found.
    """
    with damage_told(next(iter(files), question).parent):
        found = look(files, first, shared(question))
    path = question.with_name(f"found-{secrets.token_hex(8)}")
    write_mapped(found, path)
    return path


def _groups(files: dict[Path, int]) -> list[tuple[int, dict[Path, int]]]:
    """Neighbours together until they have enough records, each group with how many records are before it."""
    groups: list[tuple[int, dict[Path, int]]] = [(0, {})]
    for file, records in files.items():
        before, group = groups[-1]
        if sum(group.values()) >= _GROUP:
            before, group = before + sum(group.values()), {}
            groups.append((before, group))
        group[file] = records
    return groups
