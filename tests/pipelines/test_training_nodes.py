import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.errors import DataError
from make_us_rich.evaluation.judging import mean_of
from make_us_rich.models.challengers import Challengers
from make_us_rich.pipelines.training.nodes import (
    draw_training_curve,
    fit_challengers,
    tell_history,
    trace_losses,
    walk_forward,
)
from synthetic import PLAN, RUN, TRAINING, line, prepared, simulated_klines, trained, walked

BOTH = "baseline+lstm_levels"
HISTORY = pd.DataFrame(
    {
        "architecture": ["baseline", "lstm_levels", "lstm_levels"],
        "step": [0, 0, 1],
        "train_loss": [0.5, 3.0, 2.0],
        "validation_loss": [np.nan, 4.0, 3.5],
    }
)


@pytest.fixture(scope="module")
def challengers() -> Challengers:
    return trained(BOTH)


def test_every_architecture_that_is_asked_for_is_fitted(challengers: Challengers) -> None:
    assert list(challengers) == ["baseline", "lstm_levels"]


def test_a_challenger_carries_its_hyperparameters(challengers: Challengers) -> None:
    assert challengers["lstm_levels"].architecture == TRAINING.lstm_levels


def test_each_fit_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    made, lineup = prepared(), line("baseline")
    with caplog.at_level(logging.INFO, "make_us_rich.pipelines.training"):
        fit_challengers(made.features, made.klines, made.split, made.scalers, lineup, TRAINING, RUN)

    assert [text for text in caplog.messages if "fitting" in text] == ["btc_usdt: fitting baseline"]


def test_fitting_changes_none_of_its_inputs() -> None:
    klines = simulated_klines().copy()
    made = replace(prepared(), klines=klines)
    split = dict(made.split)

    fit_challengers(made.features, klines, split, made.scalers, line("baseline"), TRAINING, RUN)

    pd.testing.assert_frame_equal(klines, simulated_klines())
    assert split == made.split


def test_a_split_of_other_rows_is_refused() -> None:
    made = prepared()
    with pytest.raises(DataError, match="the split was made for 5 candles and there are 720"):
        fit_challengers(
            made.features, made.klines, made.split | {"rows": 5}, made.scalers, line("baseline"), TRAINING, RUN
        )


def test_a_challenger_without_a_scaler_is_not_fitted() -> None:
    made = prepared()

    fitted = fit_challengers(made.features, made.klines, made.split, made.scalers, line(BOTH), TRAINING, RUN)

    assert list(fitted) == ["baseline"]


def test_an_architecture_that_is_not_asked_for_is_not_fitted() -> None:
    made = prepared(BOTH)

    fitted = fit_challengers(made.features, made.klines, made.split, made.scalers, line("baseline"), TRAINING, RUN)

    assert list(fitted) == ["baseline"]


def test_the_history_names_the_architecture_of_each_step(challengers: Challengers) -> None:
    history = tell_history(challengers)

    assert history.columns.tolist() == ["architecture", "step", "train_loss", "validation_loss"]
    assert history["architecture"].tolist() == ["baseline", "baseline", "lstm_levels", "lstm_levels"]
    assert history["step"].tolist() == [0, 1, 0, 1]


def test_losses_are_recorded_by_architecture_and_step_without_those_that_are_not_there() -> None:
    assert trace_losses(HISTORY) == {
        "baseline.train_loss": [{"step": 0.0, "value": 0.5}],
        "lstm_levels.train_loss": [{"step": 0.0, "value": 3.0}, {"step": 1.0, "value": 2.0}],
        "lstm_levels.validation_loss": [{"step": 0.0, "value": 4.0}, {"step": 1.0, "value": 3.5}],
    }


def test_the_curve_is_a_figure_that_plotly_accepts() -> None:
    import plotly.graph_objects as go

    figure: Any = go.Figure(draw_training_curve(HISTORY))

    curves = {trace.name: list(zip(trace.x, trace.y, strict=True)) for trace in figure.data}
    assert curves == {
        "baseline: train loss": [(0, 0.5)],
        "lstm_levels: train loss": [(0, 3.0), (1, 2.0)],
        "lstm_levels: validation loss": [(0, 4.0), (1, 3.5)],
    }


def test_every_challenger_forecasts_every_hour_of_the_lead_in_and_the_folds() -> None:
    walk = walked(BOTH)

    assert {name: quantiles.shape for name, quantiles in walk.quantiles.items()} == {
        "lstm_levels": (216, 24, 7),
        "baseline": (216, 24, 7),
    }
    assert np.unique(walk.folds, return_counts=True)[1].tolist() == [72, 72, 72]
    assert (np.diff(walk.opens) == np.timedelta64(1, "h")).all()


def test_the_last_judged_hour_is_the_newest_whose_outcomes_have_come() -> None:
    newest = simulated_klines()["timestamp"].iloc[-1].tz_convert(None)

    assert pd.Timestamp(walked(BOTH).opens[-1]) == newest - pd.Timedelta("24h")


def test_the_champions_recipe_is_walked_once_where_a_challenger_has_the_same() -> None:
    made = prepared(BOTH)
    lineup = made.lineup | {"champion": {"lstm_levels": made.lineup["challengers"]["lstm_levels"]}}

    walk = walk_forward(made.features, made.klines, made.scalers, lineup, TRAINING, PLAN, RUN)

    np.testing.assert_array_equal(walk.quantiles["champion"], walk.quantiles["lstm_levels"])
    assert list(walk.quantiles) == ["baseline", "lstm_levels", "champion"]


def test_a_champion_of_two_members_forecasts_their_mean() -> None:
    made = prepared()
    decays = [{**made.lineup["challengers"]["baseline"], "decays": [decay]} for decay in (0.8, 0.99)]
    alone = [
        walk_forward(
            made.features, made.klines, made.scalers, made.lineup | {"champion": {"baseline": one}}, TRAINING, PLAN, RUN
        ).quantiles["champion"]
        for one in decays
    ]

    assert not np.array_equal(*alone)
    np.testing.assert_array_equal(mean_of(alone), np.mean(alone, axis=0, dtype=np.float64).astype(np.float32))


def test_candles_that_do_not_do_for_the_folds_refuse_every_challenger_in_words() -> None:
    made = prepared(BOTH)
    plan = PLAN.model_copy(update={"folds": 99})

    walk = walk_forward(made.features, made.klines, made.scalers, made.lineup, TRAINING, plan, RUN)

    assert len(walk) == 0
    assert walk.refused["lstm_levels"].startswith("99 folds of 72 hours need more than 7128 forecast origins")


def test_a_challenger_without_a_scaler_is_refused_and_the_others_are_walked() -> None:
    made = prepared()

    walk = walk_forward(made.features, made.klines, made.scalers, line(BOTH), TRAINING, PLAN, RUN)

    assert walk.refused == {"lstm_levels": "there are too few candles in a row to fit it"}
    assert list(walk.quantiles) == ["baseline"]
