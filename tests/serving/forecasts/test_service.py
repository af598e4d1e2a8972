"""One forecast for each champion and candle, and the response that is made from it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_files import HOUR
from make_us_rich.backtest.calibration import Quantiles
from make_us_rich.client.schemas import Prediction
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.forecast import LEVELS
from make_us_rich.replay import Faults, ReplayServer
from make_us_rich.repository import ModelRepository
from serving.forecasts.prediction import make_prediction
from serving.forecasts.service import ForecastService

from ..conftest import NOW, TEN


@pytest.fixture
def service(open_service: Callable[..., ForecastService]) -> ForecastService:
    """With a forecast of btc_usdt."""
    return open_service()


def answer(service: ForecastService, now: datetime = NOW) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(service.get("btc_usdt").body(now, service.problem("btc_usdt")))
    return made


def test_the_response_is_the_models_forecast_with_five_days_of_candles_and_without_an_edge_the_last_close(
    service: ForecastService, project: Path
) -> None:
    frame = service.candles.get("btc_usdt").frame
    forecast = ModelRepository.open("base", project).model("btc_usdt").forecast(frame)
    made = Prediction.model_validate(answer(service))

    assert (made.forecast.issued_at, made.forecast.last_close) == (TEN, forecast.last_close)
    assert made.forecast.levels == list(forecast.levels)
    for row, expected in zip(made.forecast.quantiles, forecast.quantiles, strict=True):
        assert row == pytest.approx(expected, rel=1e-9)
    assert {len(column) for column in made.data.model_dump().values()} == {120}
    assert (made.data.timestamp[0], made.data.timestamp[-1]) == (TEN - 120 * HOUR, TEN - HOUR)
    assert made.simulated
    assert made.prediction == pytest.approx(made.data.close[-1], rel=1e-9)
    assert (made.prediction_at, made.stale_reason) == (TEN + HOUR, None)
    assert answer(service, TEN + 3.5 * HOUR)["prediction_at"] == "2025-03-01T14:00:00Z"
    assert (made.forecast.edge.proven, made.forecast.edge.reason) == (
        False,
        "no edge: the point forecast is the last close",
    )
    assert made.forecast.baseline.quantiles == made.forecast.quantiles


def test_a_fallback_has_neither_the_models_calibration_nor_its_edge(service: ForecastService) -> None:
    issued, frame = service.get("btc_usdt"), service.candles.get("btc_usdt").frame
    fallback = replace(issued.forecast, fallback="har cannot forecast: there is a gap")
    made = make_prediction(issued.champion, fallback, frame, simulated=False).forecast

    assert (made.fallback, made.calibration) == (fallback.fallback, None)
    assert (made.edge.proven, made.edge.reason) == (False, fallback.fallback)
    assert answer(service)["forecast"]["fallback"] is None


def test_it_is_computed_once_a_candle_and_listeners_are_called(
    service: ForecastService, exchange: ReplayServer
) -> None:
    calls: list[str] = []
    service.listeners.append(lambda: calls.append("published"))
    first = service.get("btc_usdt")
    service.refresh_candles()
    service.refresh_models()
    assert (service.get("btc_usdt"), calls) == (first, [])

    exchange.clock.advance(HOUR)
    service.refresh_candles()
    assert answer(service)["forecast"]["issued_at"] == "2025-03-01T11:00:00Z"
    assert calls == ["published"]


def test_new_conformal_scales_make_a_new_forecast(service: ForecastService, project: Path) -> None:
    before = answer(service)["forecast"]
    scales = {"version": before["version"], "at": TEN.isoformat(), "forecasts": 900, "factors": [2.0] * 24}
    record = scales | {"coverage_before": [0.7] * 24, "coverage_after": [0.8] * 24}
    (project / "data/06_models/btc_usdt/conformal_scales.json").write_text(json.dumps(record))
    service.refresh_models()

    after = answer(service)["forecast"]
    assert after["calibration"]["scales"] == [2.0] * 24
    assert after["quantiles"][0][-1] / after["last_close"] == pytest.approx(
        (before["quantiles"][0][-1] / before["last_close"]) ** 2, rel=1e-6
    )


def test_candles_with_a_gap_give_no_forecast_and_the_reason(
    open_service: Callable[..., ForecastService], exchange: ReplayServer
) -> None:
    exchange.faults = Faults({"gaps": 0.2})
    service = open_service()

    assert service.get("btc_usdt") is None
    assert "a forecast needs" in str(service.problem("btc_usdt"))


@pytest.mark.parametrize(
    ("target", "level", "value", "reason"),
    [
        ("close", 0.25, np.nan, "the quantiles are not finite prices in ascending order"),
        ("close", 0.25, 0.5, "the quantiles are not finite prices in ascending order"),
        ("close", 0.005, -np.inf, "its closes are not finite quantiles in ascending order"),
        ("high", 0.15, np.nan, "its highs are not finite quantiles in ascending order"),
        ("low", 0.15, -0.5, "its lows are not finite quantiles in ascending order"),
    ],
)
def test_a_graph_whose_output_is_not_finite_or_ascending_is_refused(
    service: ForecastService, target: str, level: float, value: float, reason: str
) -> None:
    champion = service.models.get("btc_usdt").champion
    graph = champion._model
    service.check(champion)

    def broken(inputs: np.ndarray) -> Quantiles:
        made = graph.__class__.quantiles(graph, inputs)
        made[target][0, 3, LEVELS.index(level)] = value
        return made

    graph.quantiles = broken
    with pytest.raises(ArtifactError, match=f"{reason}; roll back"):
        service.check(champion)
