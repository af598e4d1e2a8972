"""Prometheus metrics: ages of models and candles, and the quality of the forecasts."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.forecasts.service import ForecastService

_GAUGES = {
    "model_age_seconds": "Age of the newest candle that the model was trained on.",
    "data_age_seconds": "Seconds since the newest candle closed.",
    "problems": "1 if the model, the candles or the forecast are not up to date.",
    "backtest_skill": "CRPS skill against the baseline in the backtest.",
    "backtest_coverage_80": "Backtest coverage of the calibrated 80 % interval.",
    "live_forecasts": "Recorded forecasts.",
    "live_missed_forecasts": "Hours without a forecast.",
    "live_unexplained_missed_forecasts": "Hours without a forecast and without a reason.",
    "live_drift": "Largest population stability index of the features.",
    "live_drifted": "1 if the features have drifted.",
    "live_skill": "CRPS skill of the served forecasts against the baseline.",
    "live_coverage": "Share of outcomes within the served interval.",
}


@dataclass(eq=False)
class ForecastCollector(Collector):
    """Gauges about models, candles and forecasts, computed when Prometheus scrapes."""

    service: ForecastService

    def collect(self) -> Iterable[Metric]:
        """All gauges, with a sample for each pair that has a value."""
        yield GaugeMetricFamily("make_us_rich_models", "Loaded models.", len(self.service.models.snapshot.models))
        samples = [(pair, *sample) for pair in self.service.pairs for sample in self._samples(pair)]
        for name, about in _GAUGES.items():
            labels = ["pair", "interval"] if name == "live_coverage" else ["pair"]
            gauge = GaugeMetricFamily(f"make_us_rich_{name}", about, labels=labels)
            for pair, found, value, *interval in samples:
                if found == name and value is not None:
                    gauge.add_metric([pair, *interval], float(value))
            yield gauge

    def _samples(self, pair: str) -> Iterable[tuple[str, float | None, *tuple[str, ...]]]:
        """Name, value, and the interval of a coverage."""
        service, now = self.service, self.service.candles.now()
        model, candles, scores = service.models.get(pair), service.candles.get(pair), service.history.scores.get(pair)
        yield "problems", service.problem(pair) is not None
        if candles:
            yield "data_age_seconds", (now - candles.closed_at).total_seconds()
        if model:
            manifest, scales = model.manifest, model.champion.scales
            yield "model_age_seconds", (now - (manifest.trained_until or manifest.data.end)).total_seconds()
            yield "backtest_skill", manifest.metrics.get("crps_skill_mean")
            if scales and scales.coverage_after:
                yield "backtest_coverage_80", sum(scales.coverage_after) / len(scales.coverage_after)
        if scores:
            yield "live_forecasts", scores.n_forecasts
            yield "live_missed_forecasts", scores.n_missed
            yield "live_unexplained_missed_forecasts", scores.n_unexplained
            yield "live_drift", scores.drift.psi
            yield "live_drifted", scores.drift.drifted
        # No skill or coverage while the served architecture has too few outcomes.
        window = scores.windows[0] if scores and scores.windows else None
        if model and window and window.architecture == model.manifest.architecture:
            yield "live_skill", window.overall.skill
            for interval in ("50", "80", "90"):
                yield "live_coverage", getattr(window.overall, f"coverage_{interval}"), interval
