"""The page Admin."""

from interface import frame


def show() -> None:
    """The page."""
    frame.header("Admin")
