"""Live scores: the same formulas as on the folds, by window and horizon."""

import numpy as np
import pandas as pd
import pytest

from live_records import HOUR, NORMAL, SIGMA, START, made_record, walked_klines
from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.live.record import typed
from make_us_rich.live.scores import live_through, pit_shares, score_windows

KLINES = walked_klines(700)
NOW = START + 672 * HOUR


def windows(record: pd.DataFrame, *days: int):
    return score_windows(live_through(record), NOW, days)


def test_a_window_has_the_forecasts_of_its_days() -> None:
    week, month = windows(made_record(KLINES, 672), 7, 30)

    assert (week.days, week.forecasts, month.forecasts) == (7, 167, 672)


def test_what_has_not_come_true_is_not_scored() -> None:
    (window,) = windows(made_record(KLINES.head(672), 672), 30)

    assert (window.horizons[0].forecasts, window.horizons[23].forecasts, window.whole.forecasts) == (671, 648, 648)


def test_equal_forecasts_have_no_skill() -> None:
    (window,) = windows(made_record(KLINES, 672), 30)

    assert [row.skill for row in window.horizons] == [0.0] * 24


def test_skill_is_the_share_of_the_baselines_loss_that_is_gone() -> None:
    record = made_record(KLINES, 672, scale=1.0, baseline=3.0)
    (window,) = windows(record, 30)

    moves = np.log(record.loc[record["horizon"] == 1, "outcome"] / record.loc[record["horizon"] == 1, "last_close"])
    losses = []
    for scale in (1.0, 3.0):
        errors = moves.to_numpy()[:, None] - scale * SIGMA * np.array(NORMAL)
        levels = np.array(QUANTILE_LEVELS)
        losses.append(2 * np.where(errors > 0, levels * errors, (levels - 1) * errors).mean())
    assert window.horizons[0].skill == pytest.approx(1 - losses[0] / losses[1])
    assert window.horizons[0].baseline_crps == pytest.approx(losses[1])


def test_coverage_of_the_true_distribution_is_nominal() -> None:
    (window,) = windows(made_record(walked_klines(6_000, seed=3), 672), 30)

    # Independent at one hour: a standard error of 1.5 points.
    assert window.horizons[0].coverage_80 == pytest.approx(0.8, abs=0.05)
    assert window.horizons[0].coverage_50 == pytest.approx(0.5, abs=0.06)


def test_a_version_without_a_baseline_is_covered_and_has_no_skill() -> None:
    record = made_record(KLINES, 100)
    bare = record.assign(**dict.fromkeys([name for name in record if name[0] == "b"], np.nan))
    (window,) = windows(bare, 30)

    assert window.horizons[0].skill is None
    assert window.horizons[0].coverage_80 is not None
    assert window.whole.forecasts == 0


def test_an_empty_record_has_no_scores() -> None:
    (window,) = windows(typed(pd.DataFrame()), 7)

    assert (window.forecasts, window.whole.crps, window.horizons[0].skill) == (0, None, None)


def test_the_pit_histogram_counts_between_the_quantiles() -> None:
    quantiles = np.tile(np.array([1.0, 2, 3]), (4, 1))

    assert pit_shares(np.array([0.0, 1.5, 1.5, 9.0]), quantiles).tolist() == [0.25, 0.5, 0.0, 0.25]


def test_an_outcome_on_a_quantile_counts_half_on_either_side() -> None:
    assert pit_shares(np.array([2.0]), np.array([[1.0, 2, 3]])).tolist() == [0, 0.5, 0.5, 0]
