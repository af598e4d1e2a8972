"""A published model: its manifest and its graph, from candles to a forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import BASELINE, Forecast
from make_us_rich.domain.klines import HOUR, PRICE_COLUMNS
from make_us_rich.evaluation.calibration import apply_widths, centre
from make_us_rich.features.hours import follows, naive_utc
from make_us_rich.inference.graph import Graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.domain.manifest import Manifest
    from make_us_rich.domain.widths import Widths


Fan = tuple[tuple[float, ...], ...]
"""Prices in quote currency, ``[horizon][level]``."""


class Champion:
    """The model that is served for a pair.

    Args:
        manifest: What the model is.
        onnx_model: Its serialised graph; whoever loaded it has checked its checksum.
        widths: How its widths are calibrated; None, or those of another version: as they were fitted.
        baseline_onnx: The graph of the baseline that is stored beside it; None where there is none.

    Raises:
        ArtifactError: A graph and the manifest disagree.
    """

    def __init__(
        self, manifest: Manifest, onnx_model: bytes, widths: Widths | None = None, baseline_onnx: bytes | None = None
    ) -> None:
        self.manifest = manifest
        self.widths = widths if widths and widths.version == manifest.version else None
        name, output = f"{manifest.pair} {manifest.version}", (manifest.horizon, len(manifest.levels))
        self._graph = Graph(onnx_model, name, manifest.reads, output)
        self._baseline: Graph | None = None
        if baseline_onnx is not None and manifest.baseline is not None:
            self._baseline = Graph(baseline_onnx, f"{name}: the baseline", manifest.baseline, output)

    @property
    def candles(self) -> int:
        """Closed candles in a row that one forecast needs."""
        return max(graph.candles for graph in (self._graph, self._baseline) if graph)

    def forecast(self, klines: pd.DataFrame) -> Forecast:
        """Forecast from the newest candle on; where the candles do for the baseline alone, it stands in and says why.

        Args:
            klines: Closed candles, oldest first, at least ``candles`` hours in a row at the end.

        Raises:
            DataError: There are fewer candles, or a gap or a bad value among the last ones, for the baseline too.
        """
        try:
            window = self._checked(klines, self.candles)
            returns = self._calibrated(self.quantiles(self._inputs(self._graph, window)))
        except DataError as exc:
            return self._stand_in(klines, exc)
        beside = self._fan(self._baseline, window) if self._baseline else None
        return self._told(window, self.manifest.architecture, _prices(window, returns), beside)

    def _stand_in(self, klines: pd.DataFrame, why: DataError) -> Forecast:
        if self._baseline is None:
            raise why
        try:
            window = self._checked(klines, self._baseline.candles)
            fan = self._fan(self._baseline, window)
        except DataError:
            raise why from None
        return self._told(window, BASELINE, fan, fan, f"{self.manifest.architecture} cannot forecast: {why}")

    def _told(
        self, window: pd.DataFrame, architecture: str, fan: Fan, baseline: Fan | None, stand_in: str | None = None
    ) -> Forecast:
        last = window.iloc[-1]
        return Forecast(
            pair=self.manifest.pair,
            version=self.manifest.version,
            architecture=architecture,
            issued_at=(last["timestamp"] + HOUR).to_pydatetime(),
            last_close=float(last["close"]),
            levels=self.manifest.levels,
            quantiles=fan,
            baseline=baseline,
            stand_in=stand_in,
        )

    def quantiles(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Quantiles of log(close[t+h] / close[t]), not calibrated; the median is 0 unless the model has an edge.

        Args:
            inputs: Unscaled features, ``[window, lookback, feature]``.

        Returns:
            ``[window, horizon, level]``.
        """
        found = self._graph.quantiles(inputs)
        return found if self.manifest.edge.publish else centre(found, self.manifest.levels).astype(np.float32)

    def _calibrated(self, quantiles: NDArray[np.float32]) -> NDArray[np.floating]:
        if self.widths is None:
            return quantiles
        return apply_widths(quantiles, np.asarray(self.widths.factors), self.manifest.levels)

    def _fan(self, graph: Graph, window: pd.DataFrame) -> Fan:
        return _prices(window, graph.quantiles(self._inputs(graph, window)))

    def _inputs(self, graph: Graph, window: pd.DataFrame) -> NDArray[np.float32]:
        inputs = graph.inputs(window)
        self._require(np.isfinite(inputs))
        return inputs

    def _checked(self, klines: pd.DataFrame, count: int) -> pd.DataFrame:
        window = klines.tail(count)
        if len(window) < count:
            raise DataError(f"{self._need()}, there are only {len(window)}; fetch more of its history")
        opened = naive_utc(pd.DatetimeIndex(window["timestamp"]))
        # Not every feature set has a warm-up that a gap would interrupt.
        gaps = np.flatnonzero(~follows(opened)[1:])
        if len(gaps):
            after = np.datetime_as_string(opened[gaps[0]], unit="m")
            raise DataError(f"{self._need()}, there is a gap after the one of {after} UTC; fetch the pair again")
        prices = window[list(PRICE_COLUMNS)].to_numpy(np.float64)
        self._require(np.isfinite(prices) & (prices > 0))
        return window

    def _require(self, good: NDArray[np.bool_]) -> None:
        if not good.all():
            raise DataError(f"{self._need()}, there is a bad value among them; fetch the pair again")

    def _need(self) -> str:
        return f"{self.manifest.pair}: a forecast needs {self.candles} closed candles in a row"


def _prices(window: pd.DataFrame, returns: NDArray[np.floating]) -> Fan:
    """Quote currency, from log returns after the last candle, ``[1, horizon, level]``."""
    close = float(window["close"].iloc[-1])
    return tuple(tuple(map(float, row)) for row in close * np.exp(returns[0].astype(np.float64)))
