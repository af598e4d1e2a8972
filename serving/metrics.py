"""What Prometheus is told."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from make_us_rich.domain.live import LiveScores
from serving.store.stores import Stores

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Requests:
    """Requests and how long they took, by method, route and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._count = Counter("make_us_rich_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "make_us_rich_request_seconds",
            "Until an answer was complete.",
            ("route",),
            registry=registry,
            buckets=_BUCKETS,
        )
        # Finding a child by its labels takes longer than counting does.
        self._counter = cache(self._count.labels)
        self._timer = cache(self._seconds.labels)

    def note(self, labels: tuple[str, str, str], seconds: float) -> None:
        """Count one request.

        Args:
            labels: Method, route as it is declared, status.
            seconds: How long it took.
        """
        self._counter(*labels).inc()
        self._timer(labels[1]).observe(seconds)


class StoreCollector(Collector):
    """Ages and quality of what is served, read when Prometheus asks."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def collect(self) -> Iterable[Metric]:
        """One gauge a figure, labelled by pair."""
        yield self._gauge("models", "Models that are loaded.", {"": float(len(self._stores.models.shelf.served))})
        yield self._gauge("model_age_seconds", "Since the newest candle that the model's fit has seen.", self._models())
        yield self._gauge("data_age_seconds", "Since the newest candle closed.", self._candles())
        yield self._gauge("problems", "1 where a model, candles or a forecast are not the newest.", self._problems())
        yield self._gauge("judged_skill", "CRPS skill against the baseline on the folds.", self._skill())
        yield self._gauge("relived_coverage_80", "Outcomes within the 80 % interval, re-lived.", self._covered())
        yield from self._live()

    def _gauge(self, name: str, about: str, values: dict[str, float]) -> Metric:
        labelled = "" not in values
        gauge = GaugeMetricFamily(f"make_us_rich_{name}", about, labels=["pair"] if labelled else [])
        for pair, value in values.items():
            gauge.add_metric([pair] if labelled else [], value)
        return gauge

    def _live(self) -> Iterable[Metric]:
        """What the monitoring has found of the forecasts that were served."""
        scores = self._stores.live.scores
        yield self._gauge("live_skill", "CRPS skill against the baseline as served.", _figures(scores, _skill_of))
        yield _coverage(scores)
        yield self._gauge("live_forecasts", "Forecasts in the record.", _figures(scores, lambda each: each.issued))
        yield self._gauge("live_holes", "Hours without a forecast.", _figures(scores, lambda each: each.holes))
        unexplained = _figures(scores, lambda each: each.unexplained)
        yield self._gauge("live_unexplained_holes", "Hours without a forecast that nothing explains.", unexplained)
        drift = _figures(scores, lambda each: each.drift.psi)
        yield self._gauge("live_drift", "Largest population stability index of the inputs.", drift)
        drifted = _figures(scores, lambda each: each.drift.drifted)
        yield self._gauge("live_drifted", "1 where the inputs have drifted.", drifted)

    def _models(self) -> dict[str, float]:
        now = self._stores.candles.now()
        served = self._stores.models.shelf.served.items()
        return {
            pair: (now - (each.manifest.trained_until or each.manifest.data.end)).total_seconds()
            for pair, each in served
        }

    def _candles(self) -> dict[str, float]:
        now = self._stores.candles.now()
        there = {pair: self._stores.candles.get(pair) for pair in self._stores.models.pairs}
        return {pair: (now - candles.closed_at).total_seconds() for pair, candles in there.items() if candles}

    def _problems(self) -> dict[str, float]:
        return {pair: float(self._stores.forecasts.problem(pair) is not None) for pair in self._stores.models.pairs}

    def _skill(self) -> dict[str, float]:
        metrics = {pair: each.manifest.metrics for pair, each in self._stores.models.shelf.served.items()}
        return {pair: each["crps_skill_mean"] for pair, each in metrics.items() if "crps_skill_mean" in each}

    def _covered(self) -> dict[str, float]:
        widths = {pair: each.champion.widths for pair, each in self._stores.models.shelf.served.items()}
        return {
            pair: sum(w.coverage_after) / len(w.coverage_after) for pair, w in widths.items() if w and w.coverage_after
        }


def _figures(scores: Mapping[str, LiveScores], figure: Callable[[LiveScores], float | None]) -> dict[str, float]:
    """One figure by pair, where there is one."""
    found = {pair: figure(each) for pair, each in scores.items()}
    return {pair: float(value) for pair, value in found.items() if value is not None}


def _skill_of(scores: LiveScores) -> float | None:
    return scores.windows[0].whole.skill if scores.windows else None


def _coverage(scores: Mapping[str, LiveScores]) -> Metric:
    about = "Outcomes within the interval as served."
    gauge = GaugeMetricFamily("make_us_rich_live_coverage", about, labels=["pair", "interval"])
    for pair, each in scores.items():
        for nominal in (50, 80, 90):
            share = getattr(each.windows[0].whole, f"coverage_{nominal}") if each.windows else None
            if share is not None:
                gauge.add_metric([pair, str(nominal)], share)
    return gauge
