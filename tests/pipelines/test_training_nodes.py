import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.errors import DataError
from make_us_rich.models.challengers import Challengers
from make_us_rich.pipelines.training.nodes import draw_training_curve, fit_challengers, tell_history, trace_losses
from synthetic import RUN, TRAINING, prepared, simulated_klines, trained

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
    made = prepared()
    with caplog.at_level(logging.INFO, "make_us_rich"):
        fit_challengers(made.features, made.klines, made.split, made.scalers, "baseline", TRAINING, RUN)

    assert caplog.messages == ["btc_usdt: fitting baseline"]


def test_fitting_changes_none_of_its_inputs() -> None:
    klines = simulated_klines().copy()
    made = replace(prepared(), klines=klines)
    split = dict(made.split)

    fit_challengers(made.features, klines, split, made.scalers, "baseline", TRAINING, RUN)

    pd.testing.assert_frame_equal(klines, simulated_klines())
    assert split == made.split


def test_a_split_of_other_rows_is_refused() -> None:
    made = prepared()
    with pytest.raises(DataError, match="the split was made for 5 candles and there are 720"):
        fit_challengers(made.features, made.klines, made.split | {"rows": 5}, made.scalers, "baseline", TRAINING, RUN)


def test_an_architecture_that_preprocessing_was_not_asked_for_is_refused() -> None:
    made = prepared()
    with pytest.raises(DataError, match="btc_usdt: lstm_levels has no scaler; run the preprocessing pipeline"):
        fit_challengers(made.features, made.klines, made.split, made.scalers, BOTH, TRAINING, RUN)


def test_an_architecture_that_is_not_asked_for_is_not_fitted() -> None:
    made = prepared(BOTH)

    fitted = fit_challengers(made.features, made.klines, made.split, made.scalers, "baseline", TRAINING, RUN)

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
