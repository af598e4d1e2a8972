"""Exits, value at risk and contributions: by hand on a few paths, and against the forecast that they come from."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from make_us_rich.domain.distribution import normal_scores
from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.forecast import HORIZON, LEVELS, Forecast
from make_us_rich.domain.risk import Exits, Position, contributions, results, tail_risk
from make_us_rich.domain.scenarios import ScenarioRanks, scenario_ranks
from markets import running

LAST = 100.0
PATHS = np.array(
    [  # closes, highs until then, lows until then
        [[104.0, 103.0], [106.0, 106.0], [99.0, 99.0]],
        [[97.0, 99.0], [101.0, 101.0], [94.0, 94.0]],
        [[100.0, 101.0], [107.0, 107.0], [93.0, 93.0]],
        [[98.0, 102.0], [101.0, 103.0], [97.0, 96.0]],
        [[99.0, 106.0], [102.0, 106.0], [95.0, 95.0]],
    ]
)
LONG = Position(2, "long", stop=95, target=105)
SHORT = Position(2, "short", stop=105, target=95)


def make_forecast(seed: int = 0, drift: float = 0.0) -> Forecast:
    """A random walk of 0.5 % an hour, with the ranks of 300 simulated days."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.005, (4_000, HORIZON, 12)) / np.sqrt(12)
    fine = steps.reshape(len(steps), -1).cumsum(axis=1).reshape(steps.shape)
    outcomes = running(fine)
    returns = {target: np.quantile(values + drift, LEVELS, axis=0).T for target, values in outcomes.items()}
    opens = np.datetime64("2024-01-01T00", "ms") + np.arange(900) * np.timedelta64(8, "h")
    ranks = scenario_ranks(np.stack(list(outcomes.values()), axis=1)[:900], np.ones((900, HORIZON)), 1)
    widths = np.tile(np.linspace(0.005, 0.02, 900, dtype=np.float32)[:, None], (1, HORIZON))
    return Forecast(
        pair="btc_usdt",
        version="v",
        architecture="har",
        issued_at=datetime(2025, 1, 1, tzinfo=UTC),
        last_close=LAST,
        levels=(0.5,),
        quantiles=((LAST,),) * HORIZON,
        return_levels=LEVELS,
        returns=returns,
        ranks=ScenarioRanks(opens, ranks, widths),
    )


FORECAST = make_forecast()
PRICES = [*np.linspace(96, 99.9, 14).tolist(), *np.linspace(100.1, 104, 14).tolist()]


def test_what_comes_first_is_counted_and_adds_up_to_one() -> None:
    assert results(PATHS, LAST, LONG)[1] == Exits(target=0.2, stop=0.4, same_hour=0.2, neither=0.2)
    assert results(PATHS, LAST, SHORT)[1] == Exits(target=0.4, stop=0.2, same_hour=0.2, neither=0.2)
    assert results(PATHS, LAST, Position(1))[1].neither == 1


def test_a_position_ends_at_its_stop_its_target_or_the_last_close() -> None:
    assert results(PATHS, LAST, LONG)[0].tolist() == [10, -10, -10, 4, -10]
    assert results(PATHS, LAST, SHORT)[0].tolist() == [-10, 10, -10, -4, 10]
    assert results(PATHS, LAST, Position(1))[0].tolist() == [3, -1, 1, 2, 6]


@pytest.mark.parametrize(
    ("position", "message"),
    [
        (Position(1, "long", stop=101), "stop 101 of a long position is not below the last close, 100"),
        (Position(1, "long", target=100), "target 100 of a long position is not above"),
        (Position(1, "short", stop=99), "stop 99 of a short position is not above"),
        (Position(1, "short", target=101), "target 101 of a short position is not below"),
    ],
)
def test_a_stop_or_target_on_the_wrong_side_is_refused(position: Position, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        position.check(LAST)
    LONG.check(LAST)
    SHORT.check(LAST)


def test_tail_risk_of_known_gains() -> None:
    found = tail_risk(np.arange(-500, 500), 0.95)

    assert found.value_at_risk == pytest.approx(450.5)
    assert found.expected_shortfall == pytest.approx(np.arange(451, 501).mean())


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_contributions_add_up_to_the_portfolios_shortfall(level: float) -> None:
    rng = np.random.default_rng(3)
    gains = {name: rng.standard_t(4, 1_000) * scale for name, scale in {"btc": 1.0, "eth": 2.0, "chz": -0.5}.items()}
    total = tail_risk(np.sum(list(gains.values()), axis=0), level)

    assert sum(contributions(gains, level).values()) == pytest.approx(total.expected_shortfall)
    alone = contributions({"btc": gains["btc"]}, level)["btc"]
    assert alone == pytest.approx(tail_risk(gains["btc"], level).expected_shortfall)


def test_value_at_risk_is_the_quantile_of_the_close() -> None:
    for hours, level in ((1, 0.95), (4, 0.99), (24, 0.95)):
        gains, _ = results(FORECAST.scenarios()[:, :, :hours], LAST, Position(1))
        expected = LAST - FORECAST.quantile("close", hours, 1 - level)
        assert tail_risk(gains, level).value_at_risk == pytest.approx(expected, rel=0.02)


def test_probabilities_are_monotone_in_price_and_hour_and_never_contradict_each_other() -> None:
    above, below = FORECAST.probabilities(PRICES).value, FORECAST.probabilities(PRICES, below=True).value
    touch = FORECAST.touches(PRICES).value
    beyond = np.where(np.array(PRICES) > LAST, above, below)

    np.testing.assert_allclose(above + below, 1, atol=1e-9)
    assert (np.diff(above, axis=1) <= 1e-12).all()
    assert (np.diff(touch[:, :14], axis=1) >= -1e-12).all()
    assert (np.diff(touch[:, 14:], axis=1) <= 1e-12).all()
    assert (np.diff(touch, axis=0) >= -1e-9).all()
    assert (touch >= beyond - 1e-9).all()


def test_scenarios_agree_with_the_probabilities() -> None:
    paths = FORECAST.scenarios()
    touches, closes = FORECAST.touches(PRICES).value.T, FORECAST.probabilities(PRICES).value.T
    for price, touch, above in zip(PRICES, touches, closes, strict=True):
        reached = paths[:, 1] >= price if price > LAST else paths[:, 2] <= price
        np.testing.assert_allclose((paths[:, 0] > price).mean(axis=0), above, atol=0.006)
        # The running maximum of the paths lifts highs and lows a little.
        assert (reached.mean(axis=0) >= touch - 0.006).all()
        np.testing.assert_allclose(reached.mean(axis=0), touch, atol=0.04)


def test_what_is_not_forecast_is_refused() -> None:
    closes_alone = replace(FORECAST, returns={"close": FORECAST.returns["close"]}, ranks=None)

    with pytest.raises(ParameterError, match="high is not forecast; choose from close"):
        closes_alone.touch(101, 1)
    with pytest.raises(ParameterError, match="horizon 25 is not forecast; choose 1 to 24 hours"):
        FORECAST.quantile("close", 25, 0.5)
    with pytest.raises(DataError, match="btc_usdt: 0 past origins give no scenarios; train the pair again"):
        closes_alone.scenarios()


def test_volatility_is_ranked_among_the_last_years() -> None:
    normal = normal_scores(LEVELS) / (normal_scores(LEVELS)[LEVELS.index(0.9)] * 2)
    fans = (np.tile(width * normal, (HORIZON, 1)) for width in (0.004, 0.03))
    calm, wild = (replace(FORECAST, returns=dict(FORECAST.returns) | {"close": fan}).volatility(24) for fan in fans)
    spread = [FORECAST.volatility(hours).sigma for hours in range(1, HORIZON + 1)]

    assert all(later > sooner for sooner, later in pairwise(spread))
    assert FORECAST.volatility(1).sigma == pytest.approx(0.005, rel=0.1)
    assert FORECAST.volatility(1).annual == pytest.approx(spread[0] * np.sqrt(8_766))
    assert (calm.word, calm.percentile) == ("calm", 0)
    assert (wild.word, wild.percentile) == ("wild", 100)


def test_a_forecast_reads_as_one_line() -> None:
    returns = {"close": np.log([[0.99, 1, 1.01]] * HORIZON)}
    shown = replace(FORECAST, return_levels=(0.05, 0.5, 0.95), returns=returns)

    assert str(shown) == (
        "btc_usdt 2025-01-01 00:00 UTC, last close 100: next hour 100, 90 % between 99 and 101 (har, version v)"
    )
