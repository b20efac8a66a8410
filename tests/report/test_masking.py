import polars as pl
import pytest

from pipeline.report.masking import brief, brief_text, masked, masked_text, masked_user, visible_blanks


@pytest.mark.parametrize(
    ("value", "shown"), [("5CG1234ABC", "5C***BC"), ("1234567", "12***67"), ("123456", "***"), ("A", "***"), ("", "")]
)
def test_a_masked_value_shows_its_ends_or_nothing(value, shown):
    assert masked_text(value) == shown
    assert pl.select(masked(pl.lit(value))).item() == (shown or "***")


def test_nothing_stays_nothing():
    nothing = pl.lit(None, pl.String)
    assert pl.select(a=masked(nothing), b=masked_user(nothing), c=brief(nothing)).row(0) == (None, None, None)


@pytest.mark.parametrize(("user", "shown"), [("ann@contoso.com", "***@contoso.com"), ("ann", "***"), ("", "***")])
def test_of_a_user_only_the_domain_is_shown(user, shown):
    assert pl.select(masked_user(pl.lit(user))).item() == shown


@pytest.mark.parametrize("length", [0, 1, 120, 121, 122, 5_000])
def test_a_brief_text_keeps_its_ends(length):
    text = "".join(chr(0x41 + at % 26) for at in range(length))
    shown = pl.select(brief(pl.lit(text))).item()
    assert shown == brief_text(text)
    assert len(shown) <= 121
    assert shown == text or (text.startswith(shown[:60]) and text.endswith(shown[-60:]))


@pytest.mark.parametrize(
    ("text", "shown"), [(" a b\t", "␣a b⇥"), ("a", "a"), ("\u00a0x", "⍽x"), ("  ", "␣␣"), ("", "")]
)
def test_blanks_at_the_ends_are_made_visible(text, shown):
    assert visible_blanks(text) == shown
