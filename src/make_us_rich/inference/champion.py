"""A published model, its manifest and its graph: from candles to a forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from make_us_rich.backtest.calibration import apply_scales, center_on_last_close, settle
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import BASELINE, QUANTILE_LEVELS, Forecast, scored_positions
from make_us_rich.domain.klines import HOUR, PRICE_COLUMNS
from make_us_rich.features.base import naive_utc, position_in_run
from make_us_rich.inference.session import CandleSession

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from make_us_rich.backtest.calibration import Quantiles
    from make_us_rich.domain.conformal import ConformalScales
    from make_us_rich.domain.manifest import Manifest
    from make_us_rich.domain.scenarios import ScenarioRanks
    from make_us_rich.inference.past import PastRecord

Fan = tuple[tuple[float, ...], ...]
"""Prices in quote currency, ``[horizon][level]``."""


class Champion:
    """The model that is served for a pair.

    Args:
        manifest: Description of the model.
        onnx_model: Its serialised graph; the caller has verified its checksum.
        scales: Calibration of its quantiles; None, or those of another version: the quantiles stay as fitted.
        baseline_onnx: The graph of the baseline that is stored beside it; None if there is none.
        past: What its recipe forecast before the fit; None if it is not stored.
        ranks: Of its scenarios; None if they are not stored.

    Raises:
        ArtifactError: A graph and the manifest disagree.
    """

    def __init__(
        self,
        manifest: Manifest,
        onnx_model: bytes,
        scales: ConformalScales | None = None,
        baseline_onnx: bytes | None = None,
        past: PastRecord | None = None,
        ranks: ScenarioRanks | None = None,
    ) -> None:
        self.manifest = manifest
        self.past = past
        self.ranks = ranks
        self.scales = scales if scales and scales.version == manifest.version else None
        name = f"{manifest.pair} {manifest.version}"
        self._model = CandleSession(onnx_model, name, manifest.reads, manifest)
        self._scored = scored_positions(manifest.levels)
        self._baseline: CandleSession | None = None
        if baseline_onnx is not None and manifest.baseline is not None:
            self._baseline = CandleSession(baseline_onnx, f"{name}: the baseline", manifest.baseline, manifest)

    @property
    def candles(self) -> int:
        """Closed candles in a row that one forecast needs."""
        return max(session.candles for session in (self._model, self._baseline) if session)

    def forecast(self, klines: pd.DataFrame) -> Forecast:
        """Forecast from the newest candle on; fall back to the baseline if the candles suffice only for it.

        Args:
            klines: Closed candles, oldest first, at least ``candles`` hours in a row at the end.

        Raises:
            DataError: There are fewer candles, or a gap or a bad value among the last ones, for the baseline too.
        """
        try:
            window = self._newest(klines, self.candles)
            returns = self.calibrate(self.quantiles(self._inputs(self._model, window)))
            baseline = self._baseline.quantiles(self._inputs(self._baseline, window)) if self._baseline else None
            return self._issue(window, self.manifest.architecture, returns, baseline)
        except DataError as exc:
            if self._baseline is None:
                raise
            try:
                window = self._newest(klines, self._baseline.candles)
                returns = settle(self._baseline.quantiles(self._inputs(self._baseline, window)))
            except DataError:
                raise exc from None
            reason = f"{self.manifest.architecture} cannot forecast: {exc}"
            return self._issue(window, BASELINE, returns, returns, reason)

    def quantiles(self, inputs: NDArray[np.float32]) -> Quantiles:
        """Quantiles of log returns by target, not calibrated; the median close is 0 unless the model has an edge.

        Args:
            inputs: Unscaled features, ``[window, lookback, feature]``.

        Returns:
            By target ``[window, horizon, level]``.
        """
        quantiles = self._model.quantiles(inputs)
        if not self.manifest.edge.publish:
            quantiles["close"] = center_on_last_close(quantiles["close"], self.manifest.levels)
        return quantiles

    def calibrate(self, quantiles: Quantiles, levels: tuple[float, ...] | None = None) -> Quantiles:
        """Quantiles of log returns as they are served; at other levels than the model's, which are given."""
        scaled = dict(quantiles)
        for target, values in quantiles.items():
            if self.scales is not None and (factors := self.scales.of(target)):
                tails, made = self.scales.tails.get(target, ()), levels or self.manifest.levels
                scaled[target] = apply_scales(values, np.asarray(factors), made, target, tails)
        return settle(scaled)

    def _issue(
        self,
        window: pd.DataFrame,
        architecture: str,
        returns: Quantiles,
        baseline: Quantiles | None,
        fallback: str | None = None,
    ) -> Forecast:
        last = window.iloc[-1]
        return Forecast(
            pair=self.manifest.pair,
            version=self.manifest.version,
            architecture=architecture,
            issued_at=(last["timestamp"] + HOUR).to_pydatetime(),
            last_close=float(last["close"]),
            levels=QUANTILE_LEVELS,
            quantiles=self._fan(window, returns),
            baseline=self._fan(window, baseline) if baseline else None,
            fallback=fallback,
            return_levels=self.manifest.levels,
            returns={target: values[0].astype(np.float64) for target, values in returns.items()},
            baseline_returns={target: values[0].astype(np.float64) for target, values in (baseline or {}).items()},
            ranks=self.ranks,
        )

    def _fan(self, window: pd.DataFrame, returns: Quantiles) -> Fan:
        """Closes at the scored levels, in quote currency."""
        close = float(window["close"].iloc[-1])
        scored = returns["close"][0][:, self._scored].astype(np.float64)
        return tuple(tuple(map(float, row)) for row in close * np.exp(scored))

    def _inputs(self, session: CandleSession, window: pd.DataFrame) -> NDArray[np.float32]:
        inputs = session.inputs(window)
        if not np.isfinite(inputs).all():
            raise self._unusable("there is a bad value among them", "fetch the pair again")
        return inputs

    def _newest(self, klines: pd.DataFrame, count: int) -> pd.DataFrame:
        """The newest candles, checked: feature sets without a warm-up do not notice a gap."""
        window = klines.tail(count)
        if len(window) < count:
            raise self._unusable(f"there are only {len(window)}", "fetch more of its history")
        opened = naive_utc(window["timestamp"])
        gaps = np.flatnonzero(position_in_run(opened)[1:] == 0)
        if len(gaps):
            before = np.datetime_as_string(opened[gaps[0]], unit="m")
            raise self._unusable(f"there is a gap after the one of {before} UTC", "fetch the pair again")
        prices = window[list(PRICE_COLUMNS)].to_numpy(np.float64)
        if not (np.isfinite(prices) & (prices > 0)).all():
            raise self._unusable("there is a bad value among them", "fetch the pair again")
        return window

    def _unusable(self, problem: str, remedy: str) -> DataError:
        need = f"{self.manifest.pair}: a forecast needs {self.candles} closed candles in a row"
        return DataError(f"{need}, {problem}", remedy)
