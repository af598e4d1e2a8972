"""pandas, imported when the first frame is made: the client works without it."""

from typing import Any


def __getattr__(name: str) -> Any:
    """An attribute of pandas; ModuleNotFoundError with the remedy where it is not installed."""
    try:
        import pandas as pd
    except ModuleNotFoundError as exc:
        raise ModuleNotFoundError("to_frame() needs pandas: pip install pandas", name=exc.name) from exc
    return getattr(pd, name)
