import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.backtest.comparison import mean_crps
from make_us_rich.backtest.folds import BacktestParameters, make_folds
from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.forecast import HORIZON, LEVELS, QUANTILE_LEVELS, scored_positions
from make_us_rich.features.registry import compute_features
from make_us_rich.features.windows import make_windows
from make_us_rich.models.backtesting import run_backtest
from make_us_rich.models.base import Architecture
from make_us_rich.models.har import Har
from make_us_rich.models.registry import TrainingParameters, config_hash
from make_us_rich.pipelines.tuning.nodes import select_best_params, tune_architectures, update_trials
from make_us_rich.pipelines.tuning.search import Search
from make_us_rich.pipelines.tuning.spaces import Space, TuningParameters, check_spaces, find_spaces
from synthetic import (
    CONFIGURED,
    RUN,
    SETTINGS,
    SMALL,
    TRAINING,
    Features,
    configured_parameters,
    line,
    simulated_klines,
)

ROWS = 1_200
BACKTEST = BacktestParameters(n_folds=2, test_size=72, min_train_size=100)
FIRST_OF_GATE = ROWS - HORIZON - 2 * 72
"""Row of the first origin that the gate uses; the last one has its horizon after it."""
LIMITS: dict[str, Any] = {
    "n_trials": 6,
    "timeout": 60,
    "n_folds": 2,
    "test_size": 72,
    "min_gain": 0.1,
    "seed": 42,
    "spaces": {"baseline": {"lookback": {"choices": [2, 24, 96]}}},
}
HAR = Har(lookback=1, symmetric_from=12, symmetry=0.5)


def configured(lookback: int) -> TrainingParameters:
    baseline = SMALL["baseline"] | {"lookback": lookback}
    return TrainingParameters.model_validate(CONFIGURED | SMALL | {"baseline": baseline})


def limits(**changes: Any) -> TuningParameters:
    return TuningParameters.model_validate(LIMITS | changes)


def tune(klines: pd.DataFrame, training: TrainingParameters = TRAINING, **changes: Any) -> pd.DataFrame:
    features: Features = {"returns": lambda: compute_features("returns", klines)}
    candidates = line("baseline", training)
    return tune_architectures(features, klines, candidates, "baseline", training, BACKTEST, limits(**changes), RUN)


@cache
def tuned() -> pd.DataFrame:
    return tune(simulated_klines(rows=ROWS), configured(2))


def losses_by_lookback() -> dict[int, float]:
    lookbacks = [json.loads(text)["lookback"] for text in tuned()["parameters"]]
    return dict(zip(lookbacks, tuned()["loss"], strict=True))


def test_the_better_recipe_is_found_after_the_configured_one() -> None:
    # A volatility that remembers two hours knows next to nothing.
    losses, first = losses_by_lookback(), tuned().iloc[0]

    assert next(iter(losses)) == 2
    assert losses[96] < 0.9 * losses[2]
    assert losses[2] == pytest.approx(first["baseline_loss"], rel=1e-12)
    assert first["recipe"] == config_hash({"baseline": configured(2).baseline.model_dump(mode="json")})
    assert first["version"] == RUN.version
    assert str(tuned()["at"].dtype) == "datetime64[ms, UTC]"


def test_a_loss_is_the_gates_own_on_folds_that_end_before_its_first() -> None:
    klines = simulated_klines(rows=ROWS)
    windows = make_windows(compute_features("returns", klines), klines, 96, HORIZON)
    before = windows.origins[windows.origins + HORIZON <= FIRST_OF_GATE]
    folds = make_folds(before, windows.timestamps, BACKTEST)
    past = run_backtest({"x": configured(96).baseline}, {"x": windows}, folds, SETTINGS)["close"]

    quantiles = past.quantiles["x"][:, :, scored_positions(LEVELS)]
    expected = mean_crps(past.targets, quantiles, QUANTILE_LEVELS).mean()
    assert losses_by_lookback()[96] == pytest.approx(expected, rel=1e-9)


def test_only_hours_before_those_of_the_gate_change_a_loss() -> None:
    after, before = (simulated_klines(rows=ROWS).copy() for _ in range(2))
    after.loc[FIRST_OF_GATE + 1 :, ["open", "high", "low", "close", "volume"]] *= 3
    before.loc[FIRST_OF_GATE, "close"] *= 1.1

    np.testing.assert_array_equal(tune(after, configured(2))["loss"], tuned()["loss"])
    assert (tune(before, configured(2))["loss"] != tuned()["loss"]).all()


def test_too_few_hours_before_those_of_the_gate_are_refused() -> None:
    with pytest.raises(DataError, match=r"before the hours that the gate uses, .*raise history_days"):
        tune(simulated_klines(rows=500))


# The search, on losses made up.


def distance(recipe: Architecture) -> Iterator[float]:
    """Lowest at a symmetry of 0.8."""
    assert isinstance(recipe, Har)
    yield from [1 + abs(recipe.symmetry - 0.8)] * 3


def search(
    losses: Callable[[Architecture], Iterator[float]] = distance, n_trials: int = 20, **changes: Any
) -> list[dict[str, Any]]:
    spaces = {"symmetric_from": Space(low=1, high=24), "symmetry": Space(low=0, high=1)}
    plain = Search("btc_usdt", "har", HAR, {}, spaces, losses, (2.0, 2.0, 2.0), limits(n_trials=n_trials))
    return replace(plain, **changes).trials()


def recipes(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(trial["parameters"]) for trial in trials]


def test_the_search_comes_near_the_best_and_is_reproducible() -> None:
    trials = search()
    best = min((trial for trial in trials if not trial["reason"]), key=lambda trial: trial["loss"])

    assert json.loads(best["parameters"])["symmetry"] == pytest.approx(0.8, abs=0.1)
    assert all(isinstance(recipe["symmetric_from"], int) for recipe in recipes(trials))
    assert recipes(search()) == recipes(trials)


def test_no_recipe_is_tried_twice() -> None:
    trials = search(spaces={"symmetric_from": Space(choices=(1, 12))})

    assert sorted(recipe["symmetric_from"] for recipe in recipes(trials)) == [1, 12]


def test_no_trial_begins_after_the_timeout_but_the_first(caplog: pytest.LogCaptureFixture) -> None:
    def slow(recipe: Architecture) -> Iterator[float]:
        time.sleep(0.2)
        yield from distance(recipe)

    with caplog.at_level(logging.INFO, "make_us_rich"):
        (trial,) = search(slow, limits=limits(timeout=0.1))

    assert trial["seconds"] > 0.2
    assert caplog.messages[-1] == "btc_usdt: har: timeout of 0.1 s after 1 trials"


def test_a_recipe_that_fails_ends_its_trial_with_the_reason_and_a_fault_of_the_program_ends_the_search() -> None:
    ends = iter([1.0, math.inf, DataError("the loss became infinite", "lower it"), ZeroDivisionError()])

    def losses(recipe: Architecture) -> Iterator[float]:
        end = next(ends)
        yield 1.0
        if isinstance(end, Exception):
            raise end
        yield from (end, 1.0)

    trials = search(losses, n_trials=3)

    assert [trial["reason"] for trial in trials] == [
        "",
        "its loss in fold 2 is not a finite number",
        "it cannot be fitted: the loss became infinite; lower it",
    ]
    assert [math.isnan(trial["loss"]) for trial in trials] == [False, True, True]
    with pytest.raises(ZeroDivisionError):
        search(losses)


@pytest.mark.parametrize(
    ("volatilities", "worse", "fitted"),
    [((1.0, 1.0, 1.0), True, [3, 3, 3, 3, 3, 2, 2, 2]), ((1.0, 9.0, 9.0), False, [3] * 8)],
)
def test_a_recipe_worse_than_half_of_the_others_is_pruned_and_a_volatile_fold_is_no_reason(
    volatilities: tuple[float, ...], worse: bool, fitted: list[int]
) -> None:
    counts: list[int] = []

    def losses(recipe: Architecture) -> Iterator[float]:
        counts.append(0)
        number = len(counts)
        for volatility in volatilities:
            counts[-1] += 1
            yield volatility * number if worse else volatility / number

    trials = search(losses, baseline=volatilities, n_trials=8)

    assert counts == fitted
    assert (trials[5]["reason"] == "pruned after fold 2 of 3: worse than half of the others") is worse


# Spaces.


@pytest.mark.parametrize(
    ("spaces", "problem"),
    [
        ({"gru": {}}, r"gru: there is no such architecture; choose from baseline, har"),
        ({"har": {"symmetri": {"low": 0, "high": 1}}}, r"har\.symmetri: there is no such hyperparameter"),
        ({"har": {"feature_set": {"choices": ["har"]}}}, r"har\.feature_set: there is no such hyperparameter"),
        ({"har": {"symmetry": {"low": 0, "high": 2}}}, r"har\.symmetry: 2\.0: Input should be less than or equal to 1"),
        ({"har": {"symmetric_from": {"choices": ["late", 12]}}}, r"har\.symmetric_from: late: Input should be a valid"),
    ],
)
def test_a_space_that_does_not_fit_is_named_by_its_path(spaces: dict[str, Any], problem: str) -> None:
    with pytest.raises(ParameterError, match=rf"^parameter tuning\.spaces\.{problem}.*correct it in conf/"):
        check_spaces(limits(spaces=spaces).spaces, TRAINING)


@pytest.mark.parametrize(
    ("spaces", "problem"),
    [
        ({"lstm": {}}, r"baseline has no search space.*tuning.spaces.baseline, .*=lstm$"),
        ({"baseline": {"lookback": {"low": 3, "high": 9}}}, r"spaces\.baseline\.lookback: the configured value, 2, is"),
        ({"baseline": {"lookback": {"choices": [1, 3]}}}, r"spaces\.baseline\.lookback: the configured value, 2, is"),
    ],
)
def test_tuning_needs_a_space_that_contains_the_configured_recipe(spaces: dict[str, Any], problem: str) -> None:
    with pytest.raises(ParameterError, match=problem):
        tune(simulated_klines(rows=ROWS), configured(2), spaces=spaces)


def test_the_configured_spaces_contain_the_configured_recipes() -> None:
    parameters = configured_parameters()
    spaces, training = TuningParameters.model_validate(parameters["tuning"]).spaces, parameters["training"]

    check_spaces(spaces, TrainingParameters.model_validate(training))
    assert all(
        find_spaces(name, spaces, TrainingParameters.model_validate(training).architecture(name)) for name in spaces
    )


# What is made of the trials.


def table(*losses: float) -> pd.DataFrame:
    parameters = [json.dumps({"n": number}) for number in range(len(losses))]
    return pd.DataFrame({"architecture": "har", "number": range(len(losses)), "loss": losses, "parameters": parameters})


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ([2.0, 1.79, 1.81], {"har": {"n": 1}}),
        ([2.0, 1.81, math.nan], {}),
        ([math.nan, 3.0], {"har": {"n": 1}}),
        ([math.nan, math.nan], {}),
    ],
)
def test_the_best_recipe_is_stored_where_it_beats_the_configured_one(
    losses: list[float], found: dict[str, dict[str, int]]
) -> None:
    stored = {"har": {"n": 9}, "lstm": {"n": 8}}

    assert select_best_params(table(*losses), stored, limits(), False, RUN) == {"lstm": {"n": 8}} | found
    assert stored == {"har": {"n": 9}, "lstm": {"n": 8}}


def test_a_dry_run_counts_no_trial_and_changes_no_parameters() -> None:
    stored, new = table(3.0), table(2.0, 1.0)

    assert len(update_trials(pd.DataFrame(), new, True)) == 0
    pd.testing.assert_frame_equal(update_trials(stored, new, True), stored)
    assert select_best_params(new, {"lstm": {"n": 8}}, limits(), True, RUN) == {"lstm": {"n": 8}}
