"""Values as people may see them: enough to recognise what one knows, too little to learn what one does not."""

import polars as pl

_SHOWN = 2
"""Characters shown at each end of a masked value; one shorter than three times that is not shown at all."""

_HIDDEN_BLANKS = {"\t": "⇥", "\u00a0": "⍽"}
_LONGEST = 120
"""Characters of a text on a page: a longer one is cut in its middle, so that no page grows without bound."""


def masked(value: pl.Expr) -> pl.Expr:
    """The value's two ends; nothing of a short one. Null stays null."""
    long_enough = value.str.len_chars() > 3 * _SHOWN
    ends = pl.concat_str(value.str.head(_SHOWN), pl.lit("***"), value.str.tail(_SHOWN))
    return pl.when(long_enough).then(ends).when(value.is_not_null()).then(pl.lit("***"))


def masked_text(value: str) -> str:
    """The same of one value."""
    return f"{value[:_SHOWN]}***{value[-_SHOWN:]}" if len(value) > 3 * _SHOWN else "***" if value else ""


def masked_user(value: pl.Expr) -> pl.Expr:
    """A user principal name's domain alone; nothing of what is none."""
    return (
        pl.when(value.str.contains("@", literal=True))
        .then(pl.lit("***@") + value.str.split("@").list.last())
        .when(value.is_not_null())
        .then(pl.lit("***"))
    )


def brief(text: pl.Expr) -> pl.Expr:
    """The text, or both ends of one that is too long to show."""
    half = _LONGEST // 2
    cut = pl.concat_str(text.str.head(half), pl.lit("…"), text.str.tail(half))
    return pl.when(text.str.len_chars() <= _LONGEST + 1).then(text).otherwise(cut)


def brief_text(text: str) -> str:
    """The same of one text."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST + 1 else f"{text[:half]}…{text[-half:]}"


def visible_blanks(text: str) -> str:
    """The text with the blanks at its ends made visible."""
    body = text.strip(" \t\u00a0")
    at = text.find(body)
    return "".join(_shown(text[:at])) + body + "".join(_shown(text[at + len(body) :]))


def _shown(blanks: str) -> list[str]:
    return [_HIDDEN_BLANKS.get(blank, "␣") for blank in blanks]
