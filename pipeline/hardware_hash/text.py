"""The text of a hardware hash: what is canonical base64, and the repairs that can lose nothing.

A repair is only proposed here. It counts when the digest inside the hash then verifies, which the decoder decides.
"""

import polars as pl

_CANONICAL = r"^[A-Za-z0-9+/]*={0,2}$"
_ALPHABET = r"^[A-Za-z0-9+/]*$"
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


def is_canonical(text: pl.Expr) -> pl.Expr:
    """Whether the text is base64 as the collector writes it: the alphabet, padded to groups of four."""
    return (text.str.len_bytes() % 4 == 0) & text.str.contains(_CANONICAL)


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


def in_alphabet(text: pl.Expr) -> pl.Expr:
    """Whether every character, padding aside, belongs to the standard alphabet."""
    return text.str.strip_chars_end("=").str.contains(_ALPHABET)
