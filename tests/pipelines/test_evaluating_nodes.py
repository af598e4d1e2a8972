import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.evaluation.table import ALL, ANY, KEYS
from make_us_rich.evaluation.walk import Walk, no_walk
from make_us_rich.pipelines.evaluating.nodes import print_figures, record_metrics, score_walk, tell_metrics
from re_lived import walk_of
from synthetic import RUN

HAR = {"architecture": "har"}


@pytest.fixture(scope="module")
def walk() -> Walk:
    return walk_of("har")


@pytest.fixture(scope="module")
def scores(walk: Walk) -> pd.DataFrame:
    return score_walk(walk)


def row_of(scores: pd.DataFrame, architecture: str, horizon: int) -> Any:
    """The row of all folds."""
    whole = scores[(scores["fold"] == ALL) & (scores["volatility"] == ANY) & (scores["horizon"] == horizon)]
    return whole[whole["architecture"] == architecture].squeeze()


def test_metrics_are_those_of_the_choice_on_all_folds(scores: pd.DataFrame) -> None:
    metrics, row = tell_metrics(scores, HAR), row_of(scores, "har", 4)

    assert metrics["rmse_4h"] == row["rmse"]
    assert metrics["baseline_rmse_4h"] == row["baseline_rmse"]
    assert metrics["coverage_80_4h"] == row["coverage_80"]
    assert metrics["test_windows"] == row["windows"] == 72


def test_the_mean_of_the_horizons_is_told_with_its_test(scores: pd.DataFrame) -> None:
    metrics, rows = tell_metrics(scores, HAR), [row_of(scores, "har", hours) for hours in range(1, HORIZON + 1)]

    assert metrics["crps_mean"] == pytest.approx(np.mean([row["crps"] for row in rows]))
    assert metrics["crps_skill_mean"] == pytest.approx(1 - metrics["crps_mean"] / metrics["baseline_crps_mean"])
    assert metrics["dm_t_mean"] == row_of(scores, "har", ALL)["dm_t"]


def test_every_score_has_a_metric_at_1_4_and_24_hours_and_on_average(scores: pd.DataFrame) -> None:
    names = set(scores.columns) - set(KEYS)

    expected = {f"{name}_{span}" for name in names for span in ("1h", "4h", "24h", "mean")}

    assert tell_metrics(scores, HAR).keys() == expected | {"test_windows"}


def test_a_score_without_a_value_is_no_metric(scores: pd.DataFrame) -> None:
    still = scores.assign(directional_accuracy=np.nan, dm_t=np.inf)

    assert not {"directional_accuracy_1h", "dm_t_mean"} & tell_metrics(still, HAR).keys()


def test_a_pair_too_young_for_the_folds_has_no_metrics() -> None:
    scores = score_walk(no_walk(QUANTILE_LEVELS, {"har": "too few candles"}))

    assert tell_metrics(scores, {"architecture": "baseline"}) == {}


def test_metrics_are_recorded_as_one_step() -> None:
    assert record_metrics({"crps": 0.5}) == {"crps": {"value": 0.5, "step": 0}}


def test_the_page_has_every_figure_under_the_runs_version() -> None:
    figures = [{"data": [{"y": [number]}], "layout": {}} for number in range(4)]

    page = print_figures(*figures, run=RUN)

    assert f"<h1>btc_usdt, version {RUN.version}</h1>" in page
    assert all(json.dumps(figure) in page for figure in figures)
