"""The page Account."""

from interface import frame


def show() -> None:
    """The page."""
    frame.header("Account")
