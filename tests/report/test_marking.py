import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from pipeline.report.marking import expected, marked


@pytest.mark.parametrize(
    ("found", "meant", "shown"),
    [
        ("hp", "HP", "<mark>hp</mark>"),
        ("Dell", "Dell Inc.", "Dell"),
        ("Dell Inc.", "Dell", "Dell<mark> Inc.</mark>"),
        ("Latitude 7420", "Latitude 7430", "Latitude 74<mark>2</mark>0"),
        ("5C***T2", "5C***T3", "5C***T<mark>2</mark>"),
        ("5C***T2", "5C***T2", "5C<mark>***</mark>T2"),
        ("same", "same", "same"),
        ("<b>", None, "&lt;b&gt;"),
        (
            "a\N{SYMBOL FOR SUBSTITUTE FORM TWO}b, with U+200B",
            None,
            "a<mark>\N{SYMBOL FOR SUBSTITUTE FORM TWO}</mark>b, with U+200B",
        ),
        ("aa", "aaa", "aa"),
        ("aaa", "aa", "aa<mark>a</mark>"),
    ],
)
def test_what_differs_is_marked(found, meant, shown):
    assert marked(found, meant) == shown


def test_what_was_expected_is_marked_too_and_its_words_are_not():
    assert expected("HP; did you mean that?", "HP", "hp") == "<mark>HP</mark>; did you mean that?"
    assert (
        expected("Dell Inc., as inside the hash", "Dell Inc.", "Dell") == "Dell<mark> Inc.</mark>, as inside the hash"
    )
    assert expected("a value", "another", "<b>") == "a value"


@given(st.text("ab<*", max_size=6), st.text("ab<*", max_size=6) | st.none())
def test_marks_change_nothing_but_add_one_mark(found, meant):
    shown = marked(found, meant)
    assert shown.replace("<mark>", "").replace("</mark>", "") == escape(found)
    assert shown.count("<mark>") == shown.count("</mark>") <= 1
