"""Scores of probabilities: right forecasts pass, wrong ones are seen, and nothing after a fold is used for it."""

import numpy as np
import pytest

from make_us_rich.backtest import events
from make_us_rich.backtest.backtest import Backtests
from make_us_rich.backtest.events import score_events
from make_us_rich.domain.forecast import LEVELS
from make_us_rich.domain.scenarios import scenario_ranks
from markets import HOUR, make_backtests, running, with_model


@pytest.fixture(scope="module")
def market() -> Backtests:
    """Eight folds of a random walk whose volatility changes from hour to hour: ``har`` knows it, the baseline not."""
    rng, windows, horizon = np.random.default_rng(5), 4_000, 24
    sigma = 0.005 * np.exp(0.5 * np.sin(np.arange(windows + horizon) / 200))
    steps = rng.normal(size=(windows + horizon, 20)) * sigma[:, None] / np.sqrt(20)
    ahead = np.arange(windows)[:, None] + np.arange(1, horizon + 1)
    targets = running(steps[ahead].reshape(windows, -1).cumsum(axis=1).reshape(windows, horizon, 20))
    known = np.sqrt((sigma[ahead] ** 2).cumsum(axis=1))
    usual = np.sqrt((sigma**2).mean() * np.arange(1, horizon + 1)) * np.ones((windows, 1))

    def forecast(outcomes: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return (scale[:, :, None] * np.quantile(outcomes / known, LEVELS, axis=0).T).astype(np.float32)

    fans = {
        target: {"baseline": forecast(outcomes, usual), "har": forecast(outcomes, known)}
        for target, outcomes in targets.items()
    }
    return make_backtests(targets, fans, np.repeat(np.arange(1, 9), 500))


def test_a_right_forecast_says_what_happens_and_beats_baseline_and_climatology(market: Backtests) -> None:
    scores = score_events(market, "har", seed=1)

    assert {(each.event, each.horizon) for each in scores.probabilities} == {
        (event, horizon) for event in ("close", "touch") for horizon in (1, 4, 24)
    }
    for each in scores.probabilities:
        assert each.outcomes == 8 * 4_000
        assert each.error < 0.025
        assert each.brier < each.baseline_brier
        assert each.brier < each.climatology_brier
        assert each.brier == pytest.approx(each.reliability - each.resolution + each.climatology_brier)
    assert [(risk.level, risk.horizon) for risk in scores.risks] == [(0.95, 1), (0.99, 1), (0.95, 24)]
    assert all(risk.kupiec_p > 0.01 for risk in scores.risks)
    assert scores.energy is not None
    assert scores.energy.own < scores.energy.baseline


def test_a_forecast_that_is_too_narrow_is_seen(market: Backtests) -> None:
    narrow = with_model(market, "har", lambda each: 0.6 * each.quantiles["har"])

    right, wrong = score_events(market, "har", seed=1), score_events(narrow, "har", seed=1)

    assert all(each.error > 0.05 for each in wrong.probabilities)
    assert wrong.risks[0].share > 0.12
    assert wrong.risks[0].kupiec_p < 1e-6
    assert wrong.energy is not None
    assert right.energy is not None
    assert wrong.energy.own > right.energy.own


def test_the_scenarios_of_a_fold_know_no_outcome_after_its_start(
    market: Backtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranked = []
    monkeypatch.setattr(events, "scenario_ranks", lambda *given: ranked.append(given[0]) or scenario_ranks(*given))
    score_events(market, "har", seed=1)

    opens, closes = market["close"].opens, market["close"].targets
    starts = [opens[market["close"].folds == fold][0] for fold in range(2, 9)]
    assert len(ranked) == len(starts)
    for start, outcomes in zip(starts, ranked, strict=True):
        known = np.flatnonzero((opens.astype("datetime64[h]").astype(int) % 8 == 0) & (opens <= start - 24 * HOUR))
        np.testing.assert_array_equal(outcomes[:, 0], closes[known[-200:]])
