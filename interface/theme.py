"""What the browser is like: its ground, and whether it is a phone."""

import streamlit as st

from interface.palette import Palette, palette


def colours() -> Palette:
    """The colours for the theme that the browser shows; a light one until it has told."""
    return palette("dark" if st.context.theme.type == "dark" else "light")


def is_phone() -> bool:
    """Whether the browser says that it is one that is used with a finger."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")
