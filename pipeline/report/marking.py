"""Where two texts differ, marked for the eye."""

from markupsafe import Markup, escape

_HIDDEN = "\N{SYMBOL FOR SUBSTITUTE FORM TWO}"
_MASK = "***"


def marked(text: str, other: str | None) -> Markup:
    """A text with the part marked in which it differs from another.

    Of two that are shown in part and look alike, what is not shown is marked; without another text, a character that
    nobody can see.
    """
    if other is None:
        return _with_mark(text, *_place(text, _HIDDEN))
    if text == other:
        return _with_mark(text, *_place(text, _MASK))
    longest = min(len(text), len(other))
    first = next((at for at in range(longest) if text[at] != other[at]), longest)
    rest = longest - first
    last = next((at for at in range(rest) if text[-1 - at] != other[-1 - at]), rest)
    return _with_mark(text, first, len(text) - last)


def expected(text: str, meant: str, found: str) -> Markup:
    """What was expected, with the part of the value meant marked in which it differs from the one found."""
    if not text.startswith(meant):
        return escape(text)
    return marked(meant, found) + text[len(meant) :]


def _place(text: str, part: str) -> tuple[int, int]:
    at = text.find(part)
    return (at, at + len(part)) if at >= 0 else (0, 0)


def _with_mark(text: str, first: int, last: int) -> Markup:
    if first >= last:
        return escape(text)
    return escape(text[:first]) + Markup("<mark>") + escape(text[first:last]) + Markup("</mark>") + escape(text[last:])
