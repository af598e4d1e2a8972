import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from make_us_rich.backtest.comparison import diebold_mariano, long_run_variance
from make_us_rich.backtest.probability_scores import (
    backtest_value_at_risk,
    brier_score,
    calibration_error,
    energy_score,
    reliability_curve,
)
from make_us_rich.domain.errors import DataError


def naive_t(advantages: list[float], horizon: int) -> float:
    """Word for word from the papers: a double loop over pairs of origins, both weightings, the larger one."""
    count, mean = len(advantages), math.fsum(advantages) / len(advantages)
    equal = falling = 0.0
    for one in range(count):
        for other in range(count):
            lag = abs(one - other)
            if lag < horizon:
                product = (advantages[one] - mean) * (advantages[other] - mean) / count
                equal += product
                falling += (1 - lag / horizon) * product
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    return mean / math.sqrt(max(equal, falling) / count) * math.sqrt(correction)


@pytest.mark.parametrize("horizon", [1, 2, 5, 24])
def test_t_equals_its_naive_twin_and_the_other_way_round_is_the_other_tail(horizon: int) -> None:
    loss_a, loss_b = np.cumsum(np.random.default_rng(horizon).normal(size=(2, 60)), axis=1)

    forth, back = diebold_mariano(loss_a, loss_b, horizon), diebold_mariano(loss_b, loss_a, horizon)

    assert forth.t == pytest.approx(naive_t((loss_b - loss_a).tolist(), horizon), rel=1e-9)
    assert (forth.t, forth.p) == pytest.approx((-back.t, 1 - back.p))


def test_at_two_hours_it_is_what_the_formula_gives_by_hand() -> None:
    """d = 1, 2, 3, 4: autocovariances 5/4 and 5/16, V = 15/8, t = 2.5 / sqrt(15/32) * sqrt(3/8) = sqrt(5)."""
    outcome = diebold_mariano([0, 0, 0, 0], [1, 2, 3, 4], 2)

    x = math.sqrt(5 / 3)  # P(T > t) of three degrees of freedom, in closed form with x = t / sqrt(3).
    assert outcome.t == pytest.approx(math.sqrt(5), rel=1e-12)
    assert outcome.p == pytest.approx(0.5 - (x / (1 + x * x) + math.atan(x)) / math.pi, rel=1e-9)


@pytest.mark.parametrize(("advantage", "t", "p"), [(0.5, math.inf, 0), (-0.5, -math.inf, 1), (0, 0, 0.5)])
def test_an_advantage_that_never_varies_is_certain(advantage: float, t: float, p: float) -> None:
    outcome = diebold_mariano(np.ones(50), np.ones(50) + advantage, 24)

    assert (outcome.t, outcome.p) == (t, p)


@given(arrays(np.float64, st.integers(30, 60), elements=st.floats(-1e3, 1e3)), st.integers(0, 29))
def test_the_variance_is_never_negative(values: np.ndarray, lags: int) -> None:
    assert long_run_variance(values, lags) >= 0


@pytest.mark.parametrize(("horizon", "low", "high"), [(24, 0.03, 0.075), (1, 0.3, 1)])
def test_overlapping_errors_of_equal_forecasts_pass_at_five_per_cent_only_with_their_lags(
    horizon: int, low: float, high: float
) -> None:
    """1,000 samples of 8 folds of 336 hours; 3.4 standard errors around 5 % at most."""
    shocks = np.random.default_rng(4).standard_t(5, size=(1_000, 2_688 + 23))
    sums = np.cumsum(np.pad(shocks, ((0, 0), (1, 0))), axis=1)
    advantages = sums[:, 24:] - sums[:, :-24]

    passed = np.mean([diebold_mariano(np.zeros(2_688), row, horizon).p < 0.05 for row in advantages])

    assert low < passed < high


@pytest.mark.parametrize(
    ("losses", "horizon", "problem"),
    [
        (([1, 1, 1], [1, 1, 1, 1]), 1, r"losses of shape \(3,\) and \(4,\); pass one loss for each origin"),
        (([1, 1], [1, 2]), 2, "2 origins are too few for a horizon of 2 hours; use more folds or hours"),
        (([1, math.nan, 1], [1, 2, 3]), 1, "a loss is not a finite number; look at the training curve"),
    ],
)
def test_losses_that_cannot_be_compared_are_refused(
    losses: tuple[list[float], list[float]], horizon: int, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        diebold_mariano(*losses, horizon)


RNG = np.random.default_rng(0)


def test_the_energy_score_equals_its_naive_twin_across_chunks() -> None:
    outcomes, paths = RNG.normal(size=(120, 3)), RNG.normal(size=(120, 6, 3))

    scores = energy_score(outcomes, paths)

    for window in (0, 7, 8, 119):
        near = [math.dist(path, outcomes[window]) for path in paths[window]]
        apart = [math.dist(one, other) for one in paths[window] for other in paths[window]]
        assert scores[window] == pytest.approx(math.fsum(near) / 6 - math.fsum(apart) / 72, rel=1e-6)


def test_the_decomposition_is_murphys_where_a_bin_holds_one_probability() -> None:
    """0.2 five times, happened once; 0.8 five times, happened thrice; base rate 0.4."""
    forecast, event = np.repeat([0.2, 0.8], 5), np.array([1, 0, 0, 0, 0, 1, 1, 1, 0, 0])

    brier = brier_score(forecast, event)

    assert (brier.reliability, brier.resolution, brier.uncertainty) == pytest.approx((0.02, 0.04, 0.24))
    assert brier_score(np.full(10, 0.4), event).score == pytest.approx(brier.uncertainty)
    assert calibration_error(forecast, event) == pytest.approx(0.1)


def test_the_reliability_curve_leaves_out_bins_with_few_outcomes() -> None:
    forecast, event = np.array([0.3] * 20 + [0.35] * 20 + [0.95] * 19), np.array([1] * 10 + [0] * 30 + [1] * 19)

    assert [each.model_dump() for each in reliability_curve(forecast, event)] == [
        pytest.approx({"said": 0.325, "happened": 0.25, "outcomes": 40})
    ]
    last = reliability_curve(forecast, event, min_outcomes=19)[1]
    assert (last.said, last.happened, last.outcomes) == pytest.approx((0.95, 1, 19))


@pytest.mark.parametrize(("forecast", "event"), [([1.1], [1]), ([math.nan], [1]), ([0.5], [1, 0]), ([], [])])
def test_what_is_no_probability_is_refused(forecast: list[float], event: list[int]) -> None:
    with pytest.raises(DataError, match=r"probabilities of shape|a probability is not within 0 to 1"):
        brier_score(forecast, event)


@pytest.mark.parametrize(
    ("windows", "probability", "lowest", "highest"),
    [(510, 0.01, 2, 10), (1000, 0.01, 5, 16), (255, 0.05, 7, 20), (1000, 0.05, 38, 64)],
)
def test_kupiecs_published_regions(windows: int, probability: float, lowest: int, highest: int) -> None:
    """Numbers of exceedances that are not rejected at 5 %: Kupiec's table, as in Jorion's Value at Risk, table 6.2."""
    counts = [
        count
        for count in range(100)
        if backtest_value_at_risk(np.arange(windows) < count, probability).coverage.p > 0.05
    ]

    assert (counts[0], counts[-1]) == (lowest, highest)


@pytest.mark.parametrize(
    ("probability", "runs", "coverage", "independence"),
    [(0.05, [7] + [1] * 13, 3.91, 9.53), (0.01, [5, 1], 3.498, 25.837)],
)
def test_jorions_published_examples(probability: float, runs: list[int], coverage: float, independence: float) -> None:
    """Value at Risk, chapter 6: 20 exceedances in 252 days, 6 of them after another one; and 6, of which 4."""
    clusters = np.concatenate([[False] * 10 + [True] * length for length in runs])
    exceeded = np.append(clusters, [False] * (253 - len(clusters)))

    outcome = backtest_value_at_risk(exceeded, probability)

    assert backtest_value_at_risk(exceeded[1:], probability).coverage.statistic == pytest.approx(coverage, abs=0.005)
    assert outcome.independence.statistic == pytest.approx(independence, abs=0.005)
    assert outcome.joint.statistic == pytest.approx(coverage + independence, abs=0.01)
    for test, freedom in ((outcome.coverage, 1), (outcome.independence, 1), (outcome.joint, 2)):
        assert test.p == pytest.approx(stats.chi2.sf(test.statistic, freedom), rel=1e-9)


def test_no_exceedance_is_no_error_and_one_window_is() -> None:
    assert backtest_value_at_risk(np.zeros(50), 0.01).independence.p == 1
    with pytest.raises(DataError, match=r"exceedances of shape \(1,\); pass two or more windows"):
        backtest_value_at_risk([True], 0.01)
