from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.backtest.backtest import Backtests
from make_us_rich.domain.forecast import LEVELS, TARGETS
from make_us_rich.pipelines.training.nodes import run_backtest
from synthetic import PLAN, RUN, TRAINING, Prepared, fit, line, prepared, simulated_klines, walked

BOTH = "baseline+lstm_levels"


def backtest_of_candidates(made: Prepared, candidates: dict[str, Any], n_folds: int = PLAN.n_folds) -> Backtests:
    plan = PLAN.model_copy(update={"n_folds": n_folds})
    return run_backtest(made.features, made.klines, made.scalers, candidates, TRAINING, plan, RUN)


@pytest.mark.parametrize(("scaled", "candidates"), [("baseline", BOTH), (BOTH, "baseline")])
def test_only_candidates_with_a_scaler_are_fitted(scaled: str, candidates: str) -> None:
    assert list(fit(replace(prepared(scaled), candidates=line(candidates)))) == ["baseline"]


def test_every_challenger_forecasts_every_hour_of_all_folds_up_to_the_newest_known_outcome() -> None:
    backtests, newest = walked(BOTH), simulated_klines()["timestamp"].iloc[-1].tz_convert(None)

    assert list(backtests) == list(TARGETS)
    for target, backtest in backtests.items():
        assert (backtest.target, backtest.levels) == (target, LEVELS)
        shapes = {name: quantiles.shape for name, quantiles in backtest.quantiles.items()}
        assert shapes == dict.fromkeys(("lstm_levels", "baseline"), (216, 24, 21))
        assert np.unique(backtest.folds, return_counts=True)[1].tolist() == [72, 72, 72]
        assert (np.diff(backtest.opens) == np.timedelta64(1, "h")).all()
        assert pd.Timestamp(backtest.opens[-1]) == newest - pd.Timedelta("24h")


def test_a_champion_of_two_members_forecasts_their_mean() -> None:
    made = prepared(BOTH)
    members = made.candidates["challengers"]
    other = members["baseline"] | {"decays": [0.8]}

    alone = backtest_of_candidates(made, made.candidates | {"champion": {"baseline": other}})
    both = {"baseline": other, "lstm_levels": members["lstm_levels"]}
    together = backtest_of_candidates(made, made.candidates | {"champion": both})

    for target in TARGETS:
        fans = alone[target].quantiles
        expected = np.mean([fans["champion"], fans["lstm_levels"]], axis=0, dtype=np.float64)
        np.testing.assert_array_equal(together[target].quantiles["champion"], expected.astype(np.float32))
        assert not np.array_equal(fans["champion"], fans["baseline"])


def test_candles_that_do_not_suffice_for_the_folds_refuse_every_challenger_in_words() -> None:
    made = prepared(BOTH)

    backtests = backtest_of_candidates(made, made.candidates, n_folds=99)

    assert list(backtests) == list(TARGETS)
    for backtest in backtests.values():
        assert len(backtest) == 0
        assert backtest.refused["lstm_levels"].startswith("99 folds of 72 hours need more than 7128 forecast origins")
        assert backtest.candidates == made.candidates["challengers"]


def test_a_challenger_without_a_scaler_is_refused_and_the_others_are_tested() -> None:
    for backtest in backtest_of_candidates(prepared(), line(BOTH)).values():
        assert backtest.refused == {"lstm_levels": "there are too few candles in a row to fit it"}
        assert list(backtest.quantiles) == ["baseline"]
