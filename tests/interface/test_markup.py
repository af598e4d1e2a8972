"""Text of others is never HTML."""

from hypothesis import given
from hypothesis import strategies as st

from interface import markup

TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS)
def test_what_is_filled_in_opens_no_tag_and_ends_no_attribute(text: str) -> None:
    filled = markup.fill('<p title="{text}">{text}</p>', text=text)

    assert filled.count("<") == 2
    assert filled.count('"') == 2
    assert "'" not in filled


@given(TEXTS)
def test_braces_in_a_text_are_left_alone(text: str) -> None:
    assert markup.fill("{text}", text="{" + text.replace("&", "") + "}").startswith("{")
