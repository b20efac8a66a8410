"""Names of columns, as people write them, to the columns that they mean."""

import re
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from schemas.columns import COLUMN_NAMES

RESENT = frozenset({"reason", "whatiswrong", "whattodo", "from"})
"""Columns that rows to be corrected are given, and may be sent again with."""

_NOT_COMPARED = re.compile(r"[\s_.*:-]")
_REMARK = re.compile(r"\((?:required|optional|mandatory|guid)\)")
_OTHER_REMARK = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_REPORTED = re.compile(r"detailstable0(.*?)0?")
"""What ConfigMgr's report makes of a name."""

_LABEL = "headertable0"
_LEAST_ALIKE = 0.7
"""Share of letters from which a name is told as the nearest; nothing is decided by it."""

_LONGEST_NAME = 60
_ONE_EDIT_FROM, _TWO_EDITS_FROM = 5, 12
"""Letters from which a name that differs in one place, or two, is taken to be meant."""


def compared(name: str) -> str:
    """A name as it is compared with others: without case, blanks, `_ - . * :` and remarks that change nothing."""
    bare = _NOT_COMPARED.sub("", _REMARK.sub("", name.lower()))
    reported = _REPORTED.fullmatch(bare)
    return reported[1] if reported else bare


_COLUMNS = {compared(name): column for column, names in COLUMN_NAMES.items() for name in names}
_DOCUMENTED = {column: names[0] for column, names in COLUMN_NAMES.items()}


@lru_cache(maxsize=4_096)
def column_of(name: str) -> str | None:
    """The column that a name stands for; None for one that is not on the list."""
    return _COLUMNS.get(compared(name))


@lru_cache(maxsize=4_096)
def near_column(name: str) -> str | None:
    """The documented name that an unclear one may mean: one with a remark of its own, or with a slip or two."""
    bare = compared(name)
    if bare in _COLUMNS:
        return _DOCUMENTED[_COLUMNS[bare]]
    plain = compared(_OTHER_REMARK.sub("", name))
    if plain in _COLUMNS:
        return _DOCUMENTED[_COLUMNS[plain]]
    edits = 2 if len(plain) >= _TWO_EDITS_FROM else 1
    if len(plain) < _ONE_EDIT_FROM:
        return None
    near = min(_COLUMNS, key=lambda known: OSA.distance(plain, known, score_cutoff=edits))
    return _DOCUMENTED[_COLUMNS[near]] if OSA.distance(plain, near) <= edits else None


@lru_cache(maxsize=4_096)
def nearest_column(name: str) -> str | None:
    """The documented name that is nearest to one, however many letters differ; None where none is alike."""
    bare = compared(_OTHER_REMARK.sub("", name))
    if len(bare) < _ONE_EDIT_FROM or len(bare) > _LONGEST_NAME:
        return _DOCUMENTED[_COLUMNS[bare]] if bare in _COLUMNS else None
    near = process.extractOne(bare, _COLUMNS.keys(), scorer=OSA.normalized_similarity, score_cutoff=_LEAST_ALIKE)
    return _DOCUMENTED[_COLUMNS[near[0]]] if near else None


@lru_cache(maxsize=4_096)
def is_label(name: str) -> bool:
    """Whether it names no column: ConfigMgr's report repeats its title in each line."""
    return compared(name).startswith(_LABEL)
