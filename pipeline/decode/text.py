"""The text of a hardware hash: what is canonical base64, and the repairs that can lose nothing.

A repair is only proposed here. It counts when the digest inside the hash then verifies, which the decoder decides.
"""

import binascii
from dataclasses import dataclass

import numpy as np
import polars as pl
import pybase64

from pipeline.arrays import Ints, Mask

_OVERRUN = 66
"""Zero bytes behind the last text's."""

_MOST_PADDING = 2
_BLANKS = r"[ \t\x{a0}]"
_QUOTES = "[\"'`\u2018\u2019\u201c\u201d\u00b4]"

# Percent and HTML forms of the only characters of a hash that a transport would escape, and of what surrounds one.
_ESCAPES = (
    (r"(?i)&amp;", "&"),
    (r"(?i)%2b|&#0*43;|&#x0*2b;|&plus;", "+"),
    (r"(?i)%2f|&#0*47;|&#x0*2f;|&sol;", "/"),
    (r"(?i)%3d|&#0*61;|&#x0*3d;|&equals;", "="),
    (r"(?i)%22|&#0*34;|&#x0*22;|&quot;", '"'),
    (r"(?i)%20|%0d|%0a|&#0*160;|&#x0*a0;|&nbsp;", " "),
)


@dataclass(frozen=True, slots=True)
class Base64:
    """Texts of a batch, decoded.

    Attributes:
        raw: the bytes of all readable texts one after the other, each filled with zero bits to whole groups, and at
            least `_OVERRUN` zeros.
        chars: by text, its length without padding.
        readable: by text, whether every character but the padding belongs to the alphabet.
        canonical: by text, whether it is base64 as the collector writes it: readable, padded to groups of four.
    """

    raw: bytes
    chars: Ints
    readable: Mask
    canonical: Mask


def read_base64(texts: pl.Series) -> Base64:
    """Decode texts, all in one call where all are readable."""
    whole = _lengths(texts)
    bare = texts.str.strip_chars_end("=") if texts.str.ends_with("=").any() else texts
    chars = _lengths(bare)
    missing = -chars % 4
    filled = bare + pl.Series(["", "A", "AA", "AAA"]).gather(missing.astype(np.uint32)) if missing.any() else bare
    padded = (whole % 4 == 0) & (whole - chars <= _MOST_PADDING)
    try:
        return Base64(_decode(filled), chars, np.ones(len(texts), bool), padded)
    except binascii.Error:
        readable = _in_alphabet(filled)
        return Base64(_decode(filled.filter(readable)), chars, readable, padded & readable)


def _lengths(texts: pl.Series) -> Ints:
    return texts.str.len_bytes().cast(pl.Int64).to_numpy()


def _decode(filled: pl.Series) -> bytes:
    with_overrun = pl.concat([filled, pl.Series(filled.name, ["A" * (_OVERRUN // 3 * 4)])])
    return pybase64.b64decode(_joined(with_overrun), validate=True)


def _joined(texts: pl.Series) -> memoryview:
    return memoryview(texts.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[2] or b"")


def _in_alphabet(filled: pl.Series) -> Mask:
    """Which texts are base64, by halving what does not decode until single texts are left."""
    joined, ends = _joined(filled), np.cumsum(_lengths(filled))
    readable = np.zeros(len(filled), bool)
    unsure = [(0, len(filled))]
    while unsure:
        first, last = unsure.pop()
        try:
            pybase64.b64decode(joined[ends[first - 1] if first else 0 : ends[last - 1]], validate=True)
            readable[first:last] = True
        except (binascii.Error, ValueError):
            if last - first > 1:
                middle = (first + last) // 2
                unsure += [(first, middle), (middle, last)]
    return readable


def repair(text: pl.Expr) -> pl.Expr:
    """The text without what transport added and with what it took: escapes, quotes, formula, delimiter, padding.

    Blanks are left in, since they may be needless or may each stand for a plus sign; see `drop_blanks` and
    `blanks_to_plus`.
    """
    unescaped = text
    for pattern, replacement in _ESCAPES:
        unescaped = unescaped.str.replace_all(pattern, replacement)
    element = unescaped.str.extract(r"(?is)<HardwareHash[^>]*>(.*?)</HardwareHash>")
    return (
        pl.coalesce(element, unescaped)
        .str.replace_all(_QUOTES, "")
        .str.strip_chars(" \t\u00a0")
        .str.strip_chars_start("=")
        .str.strip_chars_end(",;\t \u00a0=")
        .str.replace_all("-", "+", literal=True)
        .str.replace_all("_", "/", literal=True)
    )


def repair_single(text: pl.Expr) -> pl.Expr:
    """`repair` for a value given alone, where line wrapping, a byte order mark or UTF-16 read as ANSI also occur."""
    unwrapped = text.str.replace_all(r"^(\x{feff}|\x{ff}\x{fe}|\x{fe}\x{ff}|\x{ef}\x{bb}\x{bf})", "")
    return repair(unwrapped.str.replace_all(r"[\x00\r\n]", ""))


def drop_blanks(text: pl.Expr) -> pl.Expr:
    """Blanks were added."""
    return text.str.replace_all(_BLANKS, "")


def blanks_to_plus(text: pl.Expr) -> pl.Expr:
    """Blanks were plus signs, as after form decoding."""
    return text.str.replace_all(" ", "+", literal=True)


def has_blanks(text: pl.Expr) -> pl.Expr:
    """Whether the two readings of blanks differ."""
    return text.str.contains(_BLANKS)
