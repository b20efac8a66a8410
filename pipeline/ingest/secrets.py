"""Windows product keys: found and masked before anything is stored.

A key is five groups of five letters or digits, with dashes or blanks between them; or without anything between them
where they are of the keys' own alphabet and no letter or digit stands beside them. Characters that are not seen are
looked through: NULs of text in a wrong encoding, and zero-width ones. Full-width forms count like the others.
"""

import hashlib
import re
from functools import lru_cache

import polars as pl

MASK = "*****-*****-*****-*****-*****"

# These classes are read alike by both engines of regular expressions, that of the frames and that of Python.
_UNSEEN = "[\x00\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
_JOINT = (
    "[-\u00ad\u058a\u05be\u1806\u2010-\u2015\u2043\u2212\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u301c\u3030\u30a0\ufe31\ufe32"
    "\ufe58\ufe63\uff0d \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"
)
"""Every dash and blank that Unicode has, but the tab, which may stand between cells."""

_CAPITAL_OR_DIGIT = "[A-Z0-9\uff21-\uff3a\uff10-\uff19]"
_LETTER_OR_DIGIT = "[A-Za-z0-9\uff21-\uff3a\uff41-\uff5a\uff10-\uff19]"
_DIGIT = "[0-9\uff10-\uff19]"
_ALPHABET = "BCDFGHJKMNPQRTVWXY2346789"
_OF_KEYS = "[" + "".join({*_ALPHABET, *_ALPHABET.lower(), *(chr(ord(char) + 0xFEE0) for char in _ALPHABET)}) + "]"
_GROUPS, _LENGTH = 5, 5


def _grouped(groups: list[str]) -> str:
    between = f"{_UNSEEN}*(?:{_JOINT}{_UNSEEN}*)+"
    return between.join(groups)


def _group(*characters: str) -> str:
    return f"{_UNSEEN}*".join(characters)


def _with_digit_at(place: int) -> str:
    characters = [_LETTER_OR_DIGIT] * (_GROUPS * _LENGTH)
    characters[place] = _DIGIT
    return _grouped([_group(*characters[at : at + _LENGTH]) for at in range(0, len(characters), _LENGTH)])


_IN_CAPITALS = _grouped([_group(*[_CAPITAL_OR_DIGIT] * _LENGTH)] * _GROUPS)
_GROUPED = "|".join([_IN_CAPITALS, *(_with_digit_at(place) for place in range(_GROUPS * _LENGTH))])
_RUN = _group(*[_OF_KEYS] * (_GROUPS * _LENGTH))
_ALONE = rf"(^|[^\p{{L}}\p{{N}}])(?:{_RUN})($|[^\p{{L}}\p{{N}}])"


@lru_cache(maxsize=1)
def _in_name() -> re.Pattern[str]:
    """Finds keys in names, as the others do in cells.

    Made when it is needed, and with a look ahead: of all the places that a digit may have it took a third of starting.
    """
    group = _group(*[_LETTER_OR_DIGIT] * _LENGTH)
    most_before = _GROUPS * _LENGTH - 1
    has_digit = f"(?=(?:{_LETTER_OR_DIGIT}(?:{_UNSEEN}|{_JOINT})*){{0,{most_before}}}{_DIGIT})"
    grouped = f"{_IN_CAPITALS}|{has_digit}{_grouped([group] * _GROUPS)}"
    return re.compile(rf"{grouped}|(?<![^\W_])(?:{_RUN})(?![^\W_])")


def may_hold_groups(text: pl.Expr) -> pl.Expr:
    """Whether the text has anything that could join the groups of a key: the cheap test before the exact one."""
    joined = text.str.contains("-", literal=True) | text.str.contains(" ", literal=True)
    return joined | (text.str.len_chars() != text.str.len_bytes())


def holds_groups(text: pl.Expr) -> pl.Expr:
    """Whether a product key in groups stands anywhere in the text."""
    return text.str.contains(_GROUPED)


def holds_product_key(text: pl.Expr) -> pl.Expr:
    """Whether a product key of any form stands anywhere in the text."""
    return text.str.contains(f"{_GROUPED}|{_ALONE}")


def mask_product_keys(text: pl.Expr) -> pl.Expr:
    """The text with every product key blotted out."""
    grouped = text.str.replace_all(_GROUPED, MASK)
    masked = "${1}" + MASK + "${2}"
    # Of two keys with a single character between them the second is found once the first is gone.
    return grouped.str.replace_all(_ALONE, masked).str.replace_all(_ALONE, masked)


def mask_in_name(name: str) -> str:
    """The name of a file, folder or column with every product key blotted out; two names that differ still do."""
    if len(name) < _GROUPS * _LENGTH:
        return name
    return _in_name().sub(lambda key: f"{MASK}~{hashlib.sha256(key[0].encode()).hexdigest()[:8]}", name)
