import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.evaluation.scores import (
    coverage,
    crps,
    directional_accuracy,
    mae,
    mape,
    pinball,
    rmse,
    skill,
)

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
WINDOWS, HORIZON = 7, 3


@pytest.fixture
def targets() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 5, (WINDOWS, HORIZON))


@pytest.fixture
def quantiles(targets: np.ndarray) -> np.ndarray:
    spread = np.random.default_rng(1).normal(0, 5, (WINDOWS, HORIZON, len(LEVELS)))
    return np.sort(100 + spread, axis=-1)


def naive_pinball(target: float, quantile: float, level: float) -> float:
    return level * (target - quantile) if target >= quantile else (1 - level) * (quantile - target)


def test_pinball_equals_its_naive_twin(targets: np.ndarray, quantiles: np.ndarray) -> None:
    losses = pinball(targets, quantiles, LEVELS)

    assert losses.shape == quantiles.shape
    for window, hour, level in np.ndindex(losses.shape):
        expected = naive_pinball(targets[window, hour], quantiles[window, hour, level], LEVELS[level])
        assert losses[window, hour, level] == pytest.approx(expected, rel=1e-12)


def test_crps_is_twice_the_mean_pinball_over_the_levels(targets: np.ndarray, quantiles: np.ndarray) -> None:
    scores = crps(targets, quantiles, LEVELS)

    assert scores.shape == targets.shape
    for window, hour in np.ndindex(scores.shape):
        pairs = zip(quantiles[window, hour], LEVELS, strict=True)
        losses = [naive_pinball(targets[window, hour], quantile, level) for quantile, level in pairs]
        assert scores[window, hour] == pytest.approx(2 * math.fsum(losses) / len(LEVELS), rel=1e-12)


def test_crps_of_many_levels_is_that_of_the_uniform_distribution() -> None:
    """On [0, 1] at y: y^2 - y + 1/3, by integrating (F(x) - 1{x >= y})^2."""
    levels = (np.arange(2000) + 0.5) / 2000

    assert crps([0.3], levels[None], levels.tolist())[0] == pytest.approx(0.3**2 - 0.3 + 1 / 3, abs=1e-6)


@given(st.floats(-3, 3), st.floats(0.01, 0.99))
def test_pinball_is_lowest_at_the_quantile_of_the_sample(shift: float, level: float) -> None:
    sample = np.arange(101.0)
    best = np.quantile(sample, level, method="inverted_cdf")

    losses = pinball(sample, np.broadcast_to(best + shift, (101, 1)), [level]).mean()

    assert losses >= pinball(sample, np.broadcast_to(best, (101, 1)), [level]).mean() - 1e-9


def test_coverage_counts_both_ends() -> None:
    targets = np.array([[1.0, 5.0], [2.0, 6.0], [3.1, 7.0], [0.9, 8.0]])

    shares = coverage(targets, np.full((4, 2), 1.0), np.full((4, 2), 3.0))

    assert shares.tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("score", "naive"),
    [
        (rmse, lambda pairs: math.sqrt(math.fsum((y - f) ** 2 for y, f in pairs) / len(pairs))),
        (mae, lambda pairs: math.fsum(abs(y - f) for y, f in pairs) / len(pairs)),
        (mape, lambda pairs: math.fsum(abs(y - f) / abs(y) for y, f in pairs) / len(pairs)),
    ],
)
def test_point_errors_equal_their_naive_twins_at_each_horizon(score, naive, targets: np.ndarray) -> None:
    forecast = np.full_like(targets, 101.0)

    expected = [naive(list(zip(targets[:, hour], forecast[:, hour], strict=True))) for hour in range(HORIZON)]

    np.testing.assert_allclose(score(targets, forecast), expected, rtol=1e-12)


def test_a_single_series_gives_a_single_number() -> None:
    assert float(mae([1.0, 2.0], [2.0, 4.0])) == 1.5


def test_mape_is_a_share() -> None:
    assert float(mape([100.0, 200.0], [101.0, 202.0])) == pytest.approx(0.01)


def test_skill_is_zero_for_the_baseline_and_one_for_perfection() -> None:
    assert skill([2.0, 0.0, 3.0], [2.0, 2.0, 2.0]).tolist() == [0.0, 1.0, -0.5]


def test_directional_accuracy_leaves_out_hours_with_an_unchanged_close() -> None:
    moves = [0.01, -0.02, 0.0, 0.03]
    forecast = [0.5, 0.5, 0.5, 0.5]

    assert float(directional_accuracy(moves, forecast)) == pytest.approx(2 / 3)


def test_a_forecast_without_a_direction_counts_half() -> None:
    assert float(directional_accuracy([0.01, -0.02, 0.0], [0.0, 0.0, 0.0])) == 0.5


def test_directional_accuracy_is_undefined_where_nothing_moved() -> None:
    accuracy = directional_accuracy([[0.0, 0.1], [0.0, -0.1]], [[0.1, 0.1], [0.1, 0.1]])

    assert np.isnan(accuracy[0])
    assert accuracy[1] == 0.5
