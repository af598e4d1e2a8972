"""Which ground the browser shows."""

import streamlit as st

from interface.palette import Palette, palette


def colours() -> Palette:
    """The colours for the theme that the browser shows; a light one until it has told."""
    return palette("dark" if st.context.theme.type == "dark" else "light")
