"""The colours of charts in either theme: blue, orange and grey, which colour-blind people tell apart as well."""

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Palette:
    """Colours by what they stand for; those of the theme itself are in ``.streamlit/config.toml``."""

    text: str
    muted: str
    grid: str
    background: str
    up: str
    down: str
    model: str
    baseline: str
    outcome: str
    good: str
    bad: str


LIGHT = Palette(
    text="#1c2733",
    muted="#5b6875",
    grid="#e3e8ed",
    background="#ffffff",
    up="#2b6cb0",
    down="#c05621",
    model="#1f5f9e",
    baseline="#7a8793",
    outcome="#1c2733",
    good="#1f5f9e",
    bad="#b8480f",
)
DARK = Palette(
    text="#e6ebf0",
    muted="#9aa7b4",
    grid="#2a343f",
    background="#12181f",
    up="#63a9e8",
    down="#f0a060",
    model="#6fb3ef",
    baseline="#93a0ac",
    outcome="#e6ebf0",
    good="#6fb3ef",
    bad="#f3a76b",
)


def current() -> Palette:
    """The colours of the theme that the browser shows."""
    return DARK if st.context.theme.type == "dark" else LIGHT
