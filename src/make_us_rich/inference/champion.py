"""A published model: its manifest and its graph, from candles to a forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import Forecast
from make_us_rich.domain.klines import HOUR
from make_us_rich.features.feature_set import compute_features, find_feature_set
from make_us_rich.inference.session import QuantileSession

if TYPE_CHECKING:
    import pandas as pd

    from make_us_rich.domain.manifest import Manifest


class Champion:
    """The model that is served for a pair.

    Args:
        manifest: What the model is.
        onnx_model: Its serialised graph; whoever loaded it has checked its checksum.

    Raises:
        ArtifactError: The graph and the manifest disagree.
    """

    def __init__(self, manifest: Manifest, onnx_model: bytes) -> None:
        self.manifest = manifest
        shapes = (manifest.lookback, len(manifest.columns)), (manifest.horizon, len(manifest.levels))
        self._session = QuantileSession(onnx_model, f"{manifest.pair} {manifest.version}", shapes)

    @property
    def candles(self) -> int:
        """Closed candles in a row that one forecast needs."""
        return self.manifest.lookback + find_feature_set(self.manifest.feature_set).warmup

    def forecast(self, klines: pd.DataFrame) -> Forecast:
        """Forecast from the newest candle on.

        Args:
            klines: Closed candles, oldest first, at least ``candles`` hours in a row at the end.

        Raises:
            DataError: There are fewer candles, or a gap among the last ones.
        """
        window = klines.tail(self.candles)
        features = compute_features(self.manifest.feature_set, window).tail(self.manifest.lookback)
        self._check(window, features)
        inputs = features[list(self.manifest.columns)].to_numpy(np.float32)
        last = window.iloc[-1]
        prices = float(last["close"]) * np.exp(self._session.quantiles(inputs[None])[0].astype(np.float64))
        return Forecast(
            pair=self.manifest.pair,
            version=self.manifest.version,
            architecture=self.manifest.architecture,
            issued_at=(last["timestamp"] + HOUR).to_pydatetime(),
            last_close=float(last["close"]),
            levels=self.manifest.levels,
            quantiles=tuple(tuple(map(float, row)) for row in prices),
        )

    def _check(self, window: pd.DataFrame, features: pd.DataFrame) -> None:
        if len(window) < self.candles or features.isna().to_numpy().any():
            raise DataError(
                f"{self.manifest.pair}: a forecast needs {self.candles} closed candles in a row,"
                f" there are {len(window)} with a gap or a bad value among them; fetch the pair again"
                if len(window) >= self.candles
                else f"{self.manifest.pair}: a forecast needs {self.candles} closed candles in a row,"
                f" there are only {len(window)}; fetch more of its history"
            )
