import logging
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.pipelines.evaluating.nodes import (
    choose_candidate,
    draw_errors,
    record_metrics,
    score_challengers,
    tell_metrics,
)
from synthetic import RUN, prepared, trained

BOTH = "baseline+lstm_levels"


def score_table(**crps: float) -> pd.DataFrame:
    """Scores of 24 horizons; the CRPS grows with the horizon."""
    horizons = np.arange(1, HORIZON + 1)
    tables = [
        pd.DataFrame(
            {
                "architecture": name,
                "horizon": horizons,
                "windows": 50,
                "crps": level * horizons,
                "rmse": 100.0 * horizons,
                "directional_accuracy": np.nan,
                "baseline_crps": crps["baseline"] * horizons,
                "baseline_rmse": 90.0 * horizons,
            }
        )
        for name, level in crps.items()
    ]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    made = prepared(BOTH)
    return score_challengers(made.features, made.klines, made.split, trained(BOTH))


def test_there_is_a_row_for_every_architecture_and_horizon(scores: pd.DataFrame) -> None:
    hours = list(range(1, HORIZON + 1))
    assert scores.groupby("architecture")["horizon"].apply(list).to_dict() == {"baseline": hours, "lstm_levels": hours}


def test_all_architectures_are_judged_on_the_windows_that_all_of_them_can_forecast(scores: pd.DataFrame) -> None:
    made = prepared(BOTH)
    both = [set(made.parts(name).test.origins.tolist()) for name in ("baseline", "lstm_levels")]

    assert scores["windows"].unique().tolist() == [len(set.intersection(*both))]


def test_the_baselines_errors_are_the_same_beside_every_architecture(scores: pd.DataFrame) -> None:
    beside = scores.pivot_table(index="horizon", columns="architecture", values="baseline_crps")

    assert (beside["baseline"] == beside["lstm_levels"]).all()


def test_the_baselines_own_skill_is_exactly_zero(scores: pd.DataFrame) -> None:
    assert (scores.loc[scores["architecture"] == "baseline", "crps_skill"] == 0).all()


def test_persistence_has_the_rmse_of_the_price_changes(scores: pd.DataFrame) -> None:
    test = prepared(BOTH).parts("baseline").test
    changes = test.last_closes() * (np.exp(test.targets()[:, 3]) - 1)

    found = scores.query("architecture == 'baseline' and horizon == 4")["rmse"].item()

    assert found == pytest.approx(np.sqrt(np.mean(changes**2)))


def test_the_lowest_mean_crps_is_chosen() -> None:
    choice = choose_candidate(score_table(baseline=1.0, lstm_levels=0.9), BOTH, RUN)

    assert choice == {
        "architecture": "lstm_levels",
        "reason": "lowest mean CRPS on the test part of baseline, lstm_levels",
    }


def test_only_what_was_asked_for_is_chosen() -> None:
    assert (
        choose_candidate(score_table(baseline=1.0, lstm_levels=5.0), "lstm_levels", RUN)["architecture"]
        == "lstm_levels"
    )


def test_a_fit_that_has_diverged_is_not_chosen() -> None:
    assert choose_candidate(score_table(baseline=1.0, lstm_levels=np.nan), BOTH, RUN)["architecture"] == "baseline"


def test_a_run_in_which_every_fit_has_diverged_ends_with_a_remedy() -> None:
    match = "btc_usdt: the forecasts of lstm_levels are not finite numbers; .* lower the learning rate"
    with pytest.raises(DataError, match=match):
        choose_candidate(score_table(baseline=1.0, lstm_levels=np.nan), "lstm_levels", RUN)


def test_an_architecture_that_was_not_trained_is_refused() -> None:
    with pytest.raises(DataError, match="btc_usdt: lstm_levels was not trained; run the preprocessing and training"):
        choose_candidate(score_table(baseline=1.0), BOTH, RUN)


def test_the_choice_is_told_with_both_errors(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "make_us_rich"):
        choose_candidate(score_table(baseline=1.0, lstm_levels=0.9), BOTH, RUN)

    (message,) = caplog.messages
    assert re.search(r"btc_usdt: .*lstm_levels.* 11\.25\b.* 12\.5\b", message)


def test_metrics_are_named_by_score_and_horizon() -> None:
    metrics = tell_metrics(score_table(baseline=1.0, lstm_levels=0.9), {"architecture": "lstm_levels"})

    assert metrics["crps_4h"] == pytest.approx(3.6)
    assert metrics["baseline_rmse_24h"] == 24 * 90
    # The mean of 1 to 24 is 12.5.
    assert metrics["crps_mean"] == pytest.approx(0.9 * 12.5)
    assert metrics["baseline_crps_mean"] == pytest.approx(12.5)
    assert metrics["crps_skill_mean"] == pytest.approx(0.1)
    assert metrics["test_windows"] == 50


def test_every_score_has_a_metric_at_1_4_and_24_hours(scores: pd.DataFrame) -> None:
    metrics = tell_metrics(scores, {"architecture": "baseline"})

    names = set(scores.columns) - {"architecture", "horizon", "windows"}
    expected = {f"{name}_{hours}h" for name in names for hours in (1, 4, 24)}
    assert metrics.keys() - {"crps_mean", "baseline_crps_mean", "crps_skill_mean", "test_windows"} == expected


def test_metrics_are_recorded_as_one_step() -> None:
    assert record_metrics({"crps": 0.5}) == {"crps": {"value": 0.5, "step": 0}}


def test_a_score_without_a_value_is_no_metric(scores: pd.DataFrame) -> None:
    scores["directional_accuracy"] = np.nan

    assert "directional_accuracy_1h" not in tell_metrics(scores, {"architecture": "baseline"})


def test_the_errors_are_a_figure_in_basis_points_that_plotly_accepts() -> None:
    import plotly.graph_objects as go

    figure: Any = go.Figure(draw_errors(score_table(baseline=0.001, lstm_levels=0.002)))

    assert {trace.name: trace.y[0] for trace in figure.data} == {
        "baseline": pytest.approx(10),
        "lstm_levels": pytest.approx(20),
    }
    assert figure.layout.yaxis.title.text == "CRPS, basis points (lower is better)"
