"""Names of columns, as people write them, to the columns that they mean."""

import re
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from schemas.kinds import KINDS

RESENT = frozenset({"reason", "whatiswrong", "whattodo", "from"})
"""Columns that rows to be corrected are given, and may be sent again with."""

SENT_AGAIN = "whatiswrong"
"""The one of them that tells a file of such rows: its other ones are none of the sender's."""

CORRECTS = "from"
"""That of them which names the row that was delivered before, as `FILE:LINE`."""

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


_COLUMNS = {
    kind.name: {compared(name): column for column, names in kind.columns.items() for name in names}
    for kind in KINDS.values()
}
_ALL_COLUMNS = {name: column for columns in _COLUMNS.values() for name, column in columns.items()}
_DOCUMENTED = {column: names[0] for kind in KINDS.values() for column, names in kind.columns.items()}
_TELLTALES = {kind.name: _DOCUMENTED[kind.telltale] for kind in KINDS.values() if kind.telltale}


@lru_cache(maxsize=4_096)
def column_of(name: str, kind: str) -> str | None:
    """The column of a kind of manifest that a name stands for; None for one that is not on the list."""
    return _COLUMNS[kind].get(compared(name))


@lru_cache(maxsize=4_096)
def near_column(name: str, kind: str) -> str | None:
    """The documented name that an unclear one may mean: one with a remark of its own, or with a slip or two.

    A name that only manifests of another kind have means itself: the file may lie in a wrong folder.
    """
    columns = _COLUMNS[kind]
    bare = compared(name)
    for other, telltale in _TELLTALES.items():
        if other != kind and bare == compared(telltale):
            return telltale
    if bare in columns:
        return _DOCUMENTED[columns[bare]]
    plain = compared(_OTHER_REMARK.sub("", name))
    if plain in columns:
        return _DOCUMENTED[columns[plain]]
    edits = 2 if len(plain) >= _TWO_EDITS_FROM else 1
    if len(plain) < _ONE_EDIT_FROM:
        return None
    near = min(columns, key=lambda known: OSA.distance(plain, known, score_cutoff=edits))
    return _DOCUMENTED[columns[near]] if OSA.distance(plain, near) <= edits else None


@lru_cache(maxsize=4_096)
def nearest_column(name: str) -> str | None:
    """The documented name, of any kind of manifest, that is nearest to one; None where none is alike."""
    bare = compared(_OTHER_REMARK.sub("", name))
    if len(bare) < _ONE_EDIT_FROM or len(bare) > _LONGEST_NAME:
        return _DOCUMENTED[_ALL_COLUMNS[bare]] if bare in _ALL_COLUMNS else None
    near = process.extractOne(bare, _ALL_COLUMNS.keys(), scorer=OSA.normalized_similarity, score_cutoff=_LEAST_ALIKE)
    return _DOCUMENTED[_ALL_COLUMNS[near[0]]] if near else None


@lru_cache(maxsize=4_096)
def is_label(name: str) -> bool:
    """Whether it names no column: ConfigMgr's report repeats its title in each line."""
    return compared(name).startswith(_LABEL)
