"""A published model: its manifest and its graph, from candles to a forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from make_us_rich.domain.errors import ArtifactError, DataError
from make_us_rich.domain.forecast import Forecast
from make_us_rich.domain.klines import HOUR, PRICE_COLUMNS
from make_us_rich.evaluation.calibration import apply_widths, centre
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features, find_feature_set
from make_us_rich.features.hours import follows, naive_utc
from make_us_rich.inference.session import QuantileSession

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.domain.manifest import Manifest
    from make_us_rich.domain.widths import Widths


class Champion:
    """The model that is served for a pair.

    Args:
        manifest: What the model is.
        onnx_model: Its serialised graph; whoever loaded it has checked its checksum.
        widths: How its widths are calibrated; None, or those of another version: as they were fitted.

    Raises:
        ArtifactError: The graph and the manifest disagree.
    """

    def __init__(self, manifest: Manifest, onnx_model: bytes, widths: Widths | None = None) -> None:
        self.manifest = manifest
        self.widths = widths if widths and widths.version == manifest.version else None
        _check_features(manifest)
        shapes = (manifest.lookback, len(manifest.columns)), (manifest.horizon, len(manifest.levels))
        self._session = QuantileSession(onnx_model, f"{manifest.pair} {manifest.version}", shapes)

    @property
    def candles(self) -> int:
        """Closed candles in a row that one forecast needs."""
        return find_feature_set(self.manifest.feature_set).depth(self.manifest.lookback)

    def forecast(self, klines: pd.DataFrame) -> Forecast:
        """Forecast from the newest candle on.

        Args:
            klines: Closed candles, oldest first, at least ``candles`` hours in a row at the end.

        Raises:
            DataError: There are fewer candles, or a gap or a bad value among the last ones.
        """
        window = klines.tail(self.candles)
        self._check_candles(window)
        features = compute_features(self.manifest.feature_set, window).tail(self.manifest.lookback)
        inputs = features[list(self.manifest.columns)].to_numpy(np.float32)
        self._require(np.isfinite(inputs))
        last = window.iloc[-1]
        prices = float(last["close"]) * np.exp(self._calibrated(self.quantiles(inputs[None]))[0].astype(np.float64))
        return Forecast(
            pair=self.manifest.pair,
            version=self.manifest.version,
            architecture=self.manifest.architecture,
            issued_at=(last["timestamp"] + HOUR).to_pydatetime(),
            last_close=float(last["close"]),
            levels=self.manifest.levels,
            quantiles=tuple(tuple(map(float, row)) for row in prices),
        )

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Quantiles of log(close[t+h] / close[t]), not calibrated; the median is 0 unless the model has an edge.

        Args:
            inputs: Unscaled features, ``[window, lookback, feature]``.

        Returns:
            ``[window, horizon, level]``.
        """
        found = self._session.quantiles(inputs)
        return found if self.manifest.edge.publish else centre(found, self.manifest.levels).astype(np.float32)

    def _calibrated(self, quantiles: NDArray[np.float32]) -> NDArray[np.floating]:
        if self.widths is None:
            return quantiles
        return apply_widths(quantiles, np.asarray(self.widths.factors), self.manifest.levels)

    def _check_candles(self, window: pd.DataFrame) -> None:
        if len(window) < self.candles:
            raise DataError(f"{self._need()}, there are only {len(window)}; fetch more of its history")
        opened = naive_utc(pd.DatetimeIndex(window["timestamp"]))
        # Not every feature set has a warm-up that a gap would interrupt.
        gaps = np.flatnonzero(~follows(opened)[1:])
        if len(gaps):
            after = np.datetime_as_string(opened[gaps[0]], unit="m")
            raise DataError(f"{self._need()}, there is a gap after the one of {after} UTC; fetch the pair again")
        prices = window[list(PRICE_COLUMNS)].to_numpy(np.float64)
        self._require(np.isfinite(prices) & (prices > 0))

    def _require(self, good: NDArray[np.bool_]) -> None:
        if not good.all():
            raise DataError(f"{self._need()}, there is a bad value among them; fetch the pair again")

    def _need(self) -> str:
        return f"{self.manifest.pair}: a forecast needs {self.candles} closed candles in a row"


def _check_features(manifest: Manifest) -> None:
    known = FEATURE_SETS.get(manifest.feature_set)
    if known is None or known.columns != manifest.columns:
        raise ArtifactError(
            f"{manifest.pair} {manifest.version}: made on the features {', '.join(manifest.columns)}"
            f" of {manifest.feature_set!r}, which this release does not compute; train the pair again"
        )
