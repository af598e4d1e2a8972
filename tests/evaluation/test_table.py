import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.evaluation.table import INTERVALS, score_by_horizon
from make_us_rich.features.windows import Windows

CLOSES = np.array([100.0, 110.0, 99.0, 99.0, 120.0])


@pytest.fixture
def windows() -> Windows:
    """Three forecasts of two hours."""
    return Windows(
        features=np.zeros((5, 1), np.float32),
        closes=CLOSES,
        timestamps=np.datetime64("2025-01-01", "ms") + np.arange(5) * np.timedelta64(1, "h"),
        origins=np.array([0, 1, 2]),
        lookback=1,
        horizon=2,
        columns=("x",),
    )


def around(points: np.ndarray, widths: tuple[float, ...] = (-3, -2, -1, 0, 1, 2, 3)) -> np.ndarray:
    """Quantiles around points ``[window, horizon]``, a hundredth of log return apart."""
    return (points[:, :, None] + 0.01 * np.array(widths)).astype(np.float32)


@pytest.fixture
def table(windows: Windows) -> pd.DataFrame:
    persistence = around(np.zeros((3, 2)))
    return score_by_horizon(windows, around(windows.targets()), persistence, QUANTILE_LEVELS)


def test_there_is_a_row_for_each_horizon(table: pd.DataFrame) -> None:
    assert table["horizon"].tolist() == [1, 2]
    assert table["windows"].tolist() == [3, 3]


def test_a_perfect_median_has_no_error_in_price(table: pd.DataFrame) -> None:
    np.testing.assert_allclose(table[["rmse", "mae", "mape"]], 0, atol=1e-4)


def test_the_baselines_price_errors_are_in_quote_currency(table: pd.DataFrame) -> None:
    # From 100 to 110, from 110 to 99, from 99 to 99.
    assert table["baseline_mae"][0] == pytest.approx((10 + 11 + 0) / 3)
    assert table["baseline_rmse"][0] == pytest.approx(np.sqrt((100 + 121 + 0) / 3))
    assert table["baseline_mape"][0] == pytest.approx((10 / 110 + 11 / 99) / 3)


def test_the_crps_is_twice_the_mean_pinball_loss(table: pd.DataFrame) -> None:
    # The outcome lies 0.03, 0.02, 0.01 above the quantiles 0.05, 0.1, 0.25, and as far below their mirrors.
    one_side = 0.05 * 0.03 + 0.1 * 0.02 + 0.25 * 0.01

    np.testing.assert_allclose(table["crps"], 2 * 2 * one_side / 7, rtol=1e-5)


def test_the_skill_is_the_share_of_the_baselines_crps_that_is_gone(table: pd.DataFrame) -> None:
    np.testing.assert_allclose(table["crps_skill"], 1 - table["crps"] / table["baseline_crps"])


def test_outcomes_at_the_median_lie_within_every_interval(table: pd.DataFrame) -> None:
    np.testing.assert_array_equal(table[["coverage_50", "coverage_80", "coverage_90"]], 1)


def test_the_baselines_coverage_counts_the_outcomes_within(table: pd.DataFrame) -> None:
    # Only the market that stood still ends within 0.03 of the last close.
    np.testing.assert_allclose(table["baseline_coverage_90"][0], 1 / 3)


def test_persistence_is_right_about_half_of_the_directions(table: pd.DataFrame) -> None:
    assert table["baseline_directional_accuracy"][0] == 0.5
    assert table["directional_accuracy"][0] == 1


def test_each_interval_spans_its_nominal_coverage() -> None:
    for nominal, (low, high) in INTERVALS.items():
        assert high - low == pytest.approx(nominal / 100)
