"""The one door to HTML: what comes from users, pairs or the API is always escaped, and never Markdown."""

from collections.abc import Iterable
from html import escape

import streamlit as st


def fill(template: str, **texts: object) -> str:
    """HTML of ours with texts of others in its places."""
    return template.format(**{name: escape(str(text)) for name, text in texts.items()})


def show(template: str, **texts: object) -> None:
    """Show HTML of ours with texts of others in its places."""
    st.html(fill(template, **texts))


def show_all(opening: str, parts: Iterable[str], closing: str) -> None:
    """Show what ``fill`` has made, one after the other, within a tag of ours."""
    st.html("".join([opening, *parts, closing]))
