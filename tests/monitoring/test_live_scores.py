"""Live scores: the same formulas as on the folds, by window and horizon."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.domain.live import WindowScores
from make_us_rich.monitoring.scores import MIN_OUTCOMES, pit_shares, score_window

NOW = datetime(2025, 3, 1, tzinfo=UTC) + timedelta(hours=672)


@pytest.fixture(scope="module")
def record(walk: Any, klines: pd.DataFrame) -> pd.DataFrame:
    """Four weeks of forecasts with all outcomes."""
    made: pd.DataFrame = walk.record(klines, 672)
    return made


def score(record: pd.DataFrame, days: int = 30) -> WindowScores:
    return score_window(record, NOW, days)


def test_a_window_has_the_forecasts_of_its_days(record: pd.DataFrame) -> None:
    week, month = score(record, 7), score(record)

    assert (week.days, week.n_forecasts, month.n_forecasts) == (7, 167, 672)
    assert [row.skill for row in month.horizons] == [0.0] * 24, "the baseline's forecasts are equal"


def test_outcomes_count_from_their_hour_on_and_too_few_have_no_score(walk: Any, klines: pd.DataFrame) -> None:
    count = MIN_OUTCOMES + 23
    window = score(walk.record(klines.head(count), count))
    *_, scored, few = window.horizons

    assert [row.n_outcomes for row in window.horizons] == [count - horizon for horizon in range(1, 25)]
    assert window.overall.n_outcomes == few.n_outcomes == MIN_OUTCOMES - 1
    assert (scored.skill is not None, len(scored.pit)) == (True, 8)
    assert (few.skill, few.crps, few.coverage_80, few.pit) == (None, None, None, ())


def test_skill_is_the_share_of_the_baselines_loss_that_is_gone(walk: Any, klines: pd.DataFrame) -> None:
    record = walk.record(klines, 672, baseline=3.0)
    one = score(record).horizons[0]

    moves = np.log(record.loc[record["horizon"] == 1, "outcome"] / record.loc[record["horizon"] == 1, "last_close"])
    losses = []
    for scale in (1.0, 3.0):
        errors = moves.to_numpy()[:, None] - scale * walk.sigma * walk.normal
        levels = np.array(QUANTILE_LEVELS)
        losses.append(2 * np.where(errors > 0, levels * errors, (levels - 1) * errors).mean())
    assert one.skill == pytest.approx(1 - losses[0] / losses[1])
    assert one.baseline_crps == pytest.approx(losses[1])


def test_highs_and_lows_are_scored_beside_the_baselines(walk: Any, klines: pd.DataFrame) -> None:
    window = score(walk.record(klines, 672, baseline=3.0))

    for row in (window.overall, window.horizons[0], window.horizons[23]):
        assert row.high_n_outcomes == row.low_n_outcomes == row.n_outcomes
        assert row.high_skill > 0.3
        assert row.low_skill > 0.3
    one = window.horizons[0]
    # Independent at one hour, so the standard error of the share above the 0.9 quantile is 1.2 points. A hundred steps
    # an hour miss a part of the highest points.
    assert sum(one.high_pit[-2:]) == pytest.approx(0.1, abs=0.04)
    assert sum(one.low_pit[:2]) == pytest.approx(0.1, abs=0.04)


def test_a_missing_candle_leaves_closes_that_are_scored_and_highs_that_are_not(walk: Any, klines: pd.DataFrame) -> None:
    hours = 60
    first, *_, last = score(walk.record(klines.drop(index=30), hours)).horizons

    # A close is missing once at each horizon, but is one of the next 24 candles of 24 origins.
    assert (first.n_outcomes, first.high_n_outcomes) == (59, 59)
    assert (last.n_outcomes, last.high_n_outcomes) == (59, 59 - 23)


def test_a_version_without_a_baseline_is_covered_and_has_no_skill(record: pd.DataFrame) -> None:
    baseline = [name for name in record if name.startswith("baseline")]
    window = score(record.assign(**dict.fromkeys(baseline, np.nan)))

    assert window.horizons[0].skill is None
    assert window.horizons[0].coverage_80 is not None
    assert window.overall.n_outcomes == 0


@pytest.mark.parametrize(
    ("targets", "shares"),
    [([0.0, 1.5, 1.5, 9.0], [0.25, 0.5, 0.0, 0.25]), ([2.0], [0, 0.5, 0.5, 0])],
    ids=["between the quantiles", "on a quantile: half on either side"],
)
def test_the_pit_histogram_counts_between_the_quantiles(targets: list[float], shares: list[float]) -> None:
    quantiles = np.tile(np.array([1.0, 2, 3]), (len(targets), 1))

    assert pit_shares(np.array(targets), quantiles).tolist() == shares
