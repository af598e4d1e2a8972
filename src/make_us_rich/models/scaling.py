"""The scaler of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from make_us_rich.models.interface import Scaler

SCALED_TO = (-1, 1)
"""Where the scaler puts the lowest and the highest value that the fit windows see."""


def fit_scaler(seen: pd.DataFrame) -> Scaler:
    """Fit a min-max scaler.

    Args:
        seen: The rows that the fit windows see as inputs, and no others, ``[row, feature]``.
    """
    from sklearn.preprocessing import MinMaxScaler

    scaler: Scaler = MinMaxScaler(feature_range=SCALED_TO).fit(seen)
    return scaler
