"""Windows product keys: found and masked before anything is stored."""

import hashlib
import re

import polars as pl

MASK = "*****-*****-*****-*****-*****"

_DASH = "[-\u2010-\u2015\u2212]"
_GROUP = r"(?:[A-Za-z0-9]\x00*){5}"
PRODUCT_KEY = rf"{_GROUP}(?:{_DASH}\x00*{_GROUP}){{4}}"
"""Five groups of five characters; NULs between them are looked through, for text in a wrong encoding."""


def could_hold_product_key(text: pl.Expr) -> pl.Expr:
    """Whether the text has what joins the groups of a key: the cheap test before the exact one."""
    return text.str.contains("-", literal=True) | (text.str.len_chars() != text.str.len_bytes())


def holds_product_key(text: pl.Expr) -> pl.Expr:
    """Whether a product key stands anywhere in the text."""
    return text.str.contains(PRODUCT_KEY)


def mask_product_keys(text: pl.Expr) -> pl.Expr:
    """The text with every product key blotted out."""
    return text.str.replace_all(PRODUCT_KEY, MASK)


def mask_in_name(name: str) -> str:
    """A file's or folder's name with every product key blotted out; two names that differ still do."""
    return re.sub(PRODUCT_KEY, lambda key: f"{MASK}~{hashlib.sha256(key[0].encode()).hexdigest()[:8]}", name)
