"""The bot's record: what has not come true when a forecast is issued plans no trade."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from examples.freqtrade.backtest import MODEL, PastAnswers, past_forecasts
from examples.freqtrade.strategies.sizing import Plan, make_plan
from make_us_rich.backtest.backtest import Backtests
from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.domain.forecast import HORIZON, LEVELS
from markets import HOUR, make_backtests, running

FIRST, SIZE = 727, 32
"""A fold begins 23 hours after an origin of the scenarios' grid, one hour before its last outcome."""
FOLDS = np.repeat([0, 1, 2], [FIRST, SIZE, SIZE])
OPENS = np.datetime64("2025-01-01", "ms") + np.arange(len(FOLDS)) * HOUR
PARAMETERS = SimpleNamespace(calibration=CalibrationParameters(min_forecasts=300), training=SimpleNamespace(seed=1))


@pytest.fixture(scope="module")
def backtests() -> Backtests:
    """Two test folds of a random walk."""
    generator = np.random.default_rng(3)
    walk = generator.normal(0, 0.01, (len(FOLDS), HORIZON)).cumsum(axis=1)
    widths = generator.gamma(9, 0.003, (len(FOLDS), 1, 1)) * np.sqrt(np.arange(1, HORIZON + 1))[:, None]
    sides = {"close": (-1, 1), "high": (0, 1), "low": (-1, 0)}
    fans = {target: {MODEL: widths * np.linspace(*side, len(LEVELS))} for target, side in sides.items()}
    return make_backtests(running(walk[..., None]), fans, FOLDS, opens=OPENS)


def plans(backtests: Backtests) -> list[Plan]:
    made = [make_plan(PastAnswers(each), "btc_usdt", each.issued_at) for each in past_forecasts(backtests, PARAMETERS)]
    assert None not in made
    return made


@pytest.mark.parametrize("window", [FIRST, FIRST + 9, FIRST + SIZE])
def test_no_plan_changes_with_outcomes_that_have_not_come(backtests: Backtests, window: int) -> None:
    moment = OPENS[window]
    comes = OPENS[:, None] + np.arange(1, HORIZON + 1) * HOUR
    later = (moment < OPENS)[:, None, None]
    changed = {
        target: replace(
            each,
            targets=np.where(comes > moment, 9 * each.targets, each.targets),
            quantiles={MODEL: np.where(later, 3 * each.quantiles[MODEL], each.quantiles[MODEL])},
        )
        for target, each in backtests.items()
    }

    before, after = plans(backtests), plans(changed)

    issued = [plan.issued_at <= pd.Timestamp(moment, tz="UTC") + pd.Timedelta(hours=1) for plan in before]
    assert sum(issued) == window - FIRST + 1
    assert before[: sum(issued)] == after[: sum(issued)]
    assert before[-1] != after[-1]
