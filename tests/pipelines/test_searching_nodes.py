import json
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.evaluation.contest import joint_loss
from make_us_rich.evaluation.folds import WalkForward, walk_forward
from make_us_rich.features.feature_set import compute_features
from make_us_rich.features.windows import make_windows
from make_us_rich.models.har import Har
from make_us_rich.models.interface import Architecture
from make_us_rich.models.recipes import recipe_id
from make_us_rich.models.registry import TrainingParameters
from make_us_rich.models.walking import walk
from make_us_rich.pipelines.searching.nodes import choose_recipes, keep_trials, search_recipes, trace_trials
from make_us_rich.pipelines.searching.parameters import SearchingParameters, Space
from make_us_rich.pipelines.searching.search import Search
from make_us_rich.pipelines.searching.spaces import check_spaces, find_spaces
from make_us_rich.pipelines.searching.trials import Trial
from synthetic import CONFIGURED, REPO, RUN, SETTINGS, SMALL, STARTED, TRAINING, Features, line, simulated_klines

ROWS = 1_200
JUDGED = WalkForward(folds=2, hours=72, least_windows=100)
FIRST_JUDGED = ROWS - HORIZON - 2 * 72
"""Row of the first origin that the gate judges; the last one has its horizon after it."""
SPACES: dict[str, Any] = {"baseline": {"lookback": {"choices": [2, 24, 96]}}}
LIMITS: dict[str, Any] = {
    "trials": 6,
    "seconds": 60,
    "folds": 2,
    "hours": 72,
    "least_gain": 0.1,
    "seed": 42,
    "spaces": SPACES,
}


def configured(lookback: int) -> TrainingParameters:
    return TrainingParameters.model_validate(
        CONFIGURED | SMALL | {"baseline": SMALL["baseline"] | {"lookback": lookback}}
    )


def limits(**changes: Any) -> SearchingParameters:
    return SearchingParameters.model_validate(LIMITS | changes)


def search(klines: pd.DataFrame, training: TrainingParameters = TRAINING, **changes: Any) -> pd.DataFrame:
    features: Features = {"returns": lambda: compute_features("returns", klines)}
    lineup = line("baseline", training)
    return search_recipes(features, klines, lineup, "baseline", training, JUDGED, limits(**changes), RUN)


@cache
def searched() -> pd.DataFrame:
    return search(simulated_klines(rows=ROWS), configured(2))


def lookbacks(trials: pd.DataFrame) -> list[int]:
    return [json.loads(text)["lookback"] for text in trials["parameters"]]


def test_the_better_of_two_recipes_is_found() -> None:
    # A volatility that remembers two hours knows next to nothing.
    trials = search(simulated_klines(rows=ROWS), configured(2), spaces={"baseline": {"lookback": {"choices": [2, 96]}}})

    losses = dict(zip(lookbacks(trials), trials["loss"], strict=True))
    assert losses[96] < 0.9 * losses[2]
    assert choose_recipes(trials, {}, limits(), RUN) == {"baseline": configured(96).baseline.model_dump(mode="json")}


def test_the_configured_recipe_is_the_first_trial() -> None:
    assert lookbacks(searched())[0] == 2


def test_the_configured_baseline_is_as_good_as_itself() -> None:
    assert searched()["loss"][0] == pytest.approx(searched()["baseline_loss"][0], rel=1e-12)


def test_a_loss_is_the_gates_own_on_folds_that_end_before_its_first() -> None:
    klines = simulated_klines(rows=ROWS)
    windows = make_windows(compute_features("returns", klines), klines, 96, HORIZON)
    before = windows.origins[windows.origins + HORIZON <= FIRST_JUDGED]
    recipe = configured(96).baseline
    past = walk({"x": recipe}, {"x": windows}, walk_forward(before, windows.timestamps, JUDGED), SETTINGS)

    expected = joint_loss(past.targets, past.quantiles["x"], past.levels).mean()
    found = dict(zip(lookbacks(searched()), searched()["loss"], strict=True))
    assert found[96] == pytest.approx(expected, rel=1e-9)


def test_what_the_gate_judges_changes_no_loss() -> None:
    klines = simulated_klines(rows=ROWS).copy()
    klines.loc[FIRST_JUDGED + 1 :, ["open", "high", "low", "close", "volume"]] *= 3

    np.testing.assert_array_equal(search(klines, configured(2))["loss"], searched()["loss"])


def test_the_hour_before_what_the_gate_judges_is_searched() -> None:
    klines = simulated_klines(rows=ROWS).copy()
    klines.loc[FIRST_JUDGED, "close"] *= 1.1

    assert (search(klines, configured(2))["loss"] != searched()["loss"]).all()


def test_the_same_seed_finds_the_same_recipes() -> None:
    again = search(simulated_klines(rows=ROWS), configured(2))

    same = ["number", "loss", "baseline_loss", "parameters", "recipe"]
    pd.testing.assert_frame_equal(again[same], searched()[same])


def test_a_trial_carries_its_recipes_identifier_and_the_runs_version() -> None:
    first = searched().iloc[0]

    assert first["recipe"] == recipe_id({"baseline": configured(2).baseline.model_dump(mode="json")})
    assert first["version"] == RUN.version
    assert str(searched()["at"].dtype) == "datetime64[ms, UTC]"


def test_an_architecture_without_a_space_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"lstm_levels has no space .*searching.spaces.lstm_levels, .*=baseline$"):
        search_recipes({}, simulated_klines(), {}, "lstm_levels", TRAINING, JUDGED, limits(), RUN)


def test_too_few_hours_before_those_that_the_gate_judges_are_told() -> None:
    with pytest.raises(DataError, match=r"before the hours that the gate judges, .*raise history_days"):
        search(simulated_klines(rows=500))


# The search itself, on losses made up.


def har(symmetric_from: int = 12, symmetry: float = 0.5) -> Har:
    return Har(lookback=1, symmetric_from=symmetric_from, symmetry=symmetry)


def distance(recipe: Architecture) -> Iterator[float]:
    """Lowest at a symmetry of 0.8."""
    assert isinstance(recipe, Har)
    yield from [1 + abs(recipe.symmetry - 0.8)] * 3


def tried(
    losses: Callable[[Architecture], Iterator[float]] = distance,
    clock: Callable[[], datetime] = lambda: STARTED,
    **changes: Any,
) -> list[Trial]:
    plain = Search(
        name="btc_usdt: har",
        configured=har(),
        known={},
        spaces={"symmetric_from": Space(low=1, high=24), "symmetry": Space(low=0, high=1)},
        losses=losses,
        baseline=(2.0, 2.0, 2.0),
        limits=limits(trials=20),
        clock=clock,
    )
    return list(replace(plain, **changes).trials())


def test_a_search_comes_near_the_best_there_is() -> None:
    best = min(tried(), key=lambda trial: trial.loss if math.isfinite(trial.loss) else math.inf)

    assert best.parameters["symmetry"] == pytest.approx(0.8, abs=0.1)


def test_what_an_earlier_search_found_is_tried_next() -> None:
    trials = tried(known=har(7, 0.25).model_dump())

    assert [trial.parameters for trial in trials[:2]] == [har().model_dump(), har(7, 0.25).model_dump()]


def test_what_an_earlier_search_found_outside_the_space_is_not_tried() -> None:
    trials = tried(known=har(99).model_dump(), limits=limits(trials=2))

    assert trials[1].parameters["symmetric_from"] <= 24


def test_whole_numbers_stay_whole() -> None:
    assert all(isinstance(trial.parameters["symmetric_from"], int) for trial in tried())


def test_no_more_recipes_are_tried_than_allowed() -> None:
    assert [trial.number for trial in tried(limits=limits(trials=3))] == [0, 1, 2]


def test_no_trial_begins_after_the_seconds_are_over(caplog: pytest.LogCaptureFixture) -> None:
    moments = iter(STARTED + timedelta(seconds=10 * tick) for tick in range(99))

    with caplog.at_level(logging.INFO, "make_us_rich"):
        trials = tried(clock=lambda: next(moments), limits=limits(trials=20, seconds=60))

    # Each trial asks the clock before it, at its begin and at its end: 30 seconds.
    assert len(trials) == 2
    assert [trial.seconds for trial in trials] == [10, 10]
    assert caplog.messages[-1] == "btc_usdt: har: 60 seconds are over after 2 trials"


def test_the_first_recipe_is_tried_however_little_time_there_is() -> None:
    moments = iter(STARTED + timedelta(hours=tick) for tick in range(99))

    assert len(tried(clock=lambda: next(moments))) == 1


def test_no_recipe_is_tried_twice() -> None:
    trials = tried(spaces={"symmetric_from": Space(choices=(1, 12))})

    assert sorted(trial.parameters["symmetric_from"] for trial in trials) == [1, 12]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_its_trial_and_not_the_search(bad: float) -> None:
    def losses(recipe: Architecture) -> Iterator[float]:
        yield 1.0
        yield bad if recipe != har() else 1.0
        yield 1.0

    trials = tried(losses, limits=limits(trials=3))

    assert [trial.reason for trial in trials] == ["", *["its loss in fold 2 is not a finite number"] * 2]
    assert math.isnan(trials[1].loss)


def test_a_recipe_that_cannot_be_fitted_ends_its_trial_with_the_reason() -> None:
    def losses(recipe: Architecture) -> Iterator[float]:
        if recipe != har():
            raise DataError("the loss became infinite; lower the learning rate")
        yield from (1.0, 1.0, 1.0)

    trials = tried(losses, limits=limits(trials=2))

    assert trials[1].reason == "it cannot be fitted: the loss became infinite; lower the learning rate"


def test_a_fault_of_the_program_ends_the_search() -> None:
    def losses(recipe: Architecture) -> Iterator[float]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tried(losses)


def test_a_recipe_worse_than_half_of_the_others_is_given_up_from_its_second_fold_on() -> None:
    fitted: list[int] = []

    def ever_worse(recipe: Architecture) -> Iterator[float]:
        fitted.append(0)
        for _ in range(3):
            fitted[-1] += 1
            yield float(len(fitted))

    trials = tried(ever_worse, limits=limits(trials=8))

    assert fitted == [3, 3, 3, 3, 3, 2, 2, 2]
    assert trials[5].reason == "given up after fold 2 of 3: worse than half of the others"


def test_a_wild_fold_is_no_reason_to_give_up() -> None:
    fitted: list[int] = []

    def ever_better(recipe: Architecture) -> Iterator[float]:
        fitted.append(0)
        for volatility in (1.0, 9.0, 9.0):
            fitted[-1] += 1
            yield volatility / len(fitted)

    tried(ever_better, baseline=(1.0, 9.0, 9.0), limits=limits(trials=8))

    assert fitted == [3] * 8


# Spaces.


@pytest.mark.parametrize(
    ("spaces", "told"),
    [
        ({"gru": {}}, r"gru: there is no such architecture; choose from baseline, har"),
        ({"har": {"symmetri": {"low": 0, "high": 1}}}, r"har\.symmetri: there is no such hyperparameter"),
        ({"har": {"feature_set": {"choices": ["har"]}}}, r"har\.feature_set: there is no such hyperparameter"),
        ({"har": {"symmetry": {"low": 0, "high": 2}}}, r"har\.symmetry: 2\.0: Input should be less than or equal to 1"),
        (
            {"har": {"symmetric_from": {"low": 0.5, "high": 24}}},
            r"har\.symmetric_from: 0\.5: Input should be a valid int",
        ),
        ({"har": {"symmetric_from": {"choices": ["late", 12]}}}, r"har\.symmetric_from: late: Input should be a valid"),
    ],
)
def test_a_space_that_does_not_fit_is_named_by_its_path(spaces: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=rf"^parameter searching\.spaces\.{told}.*correct it in conf/"):
        check_spaces(limits(spaces=spaces).spaces, TRAINING)


@pytest.mark.parametrize("space", [{"low": 3, "high": 9}, {"choices": [1, 3]}])
def test_a_search_has_to_hold_the_configured_recipe(space: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"spaces\.baseline\.lookback: the configured value, 2, is not in it"):
        search(simulated_klines(rows=ROWS), configured(2), spaces={"baseline": {"lookback": space}})


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({}, "give low and high, or choices"),
        ({"low": 1}, "give low and high, or choices"),
        ({"low": 1, "high": 2, "choices": [1]}, "give low and high, or choices"),
        ({"low": 2, "high": 2}, "low must be below high"),
        ({"low": 0, "high": 2, "log": True}, "log is for a range that begins above 0"),
        ({"choices": [1, 2], "log": True}, "log is for a range that begins above 0"),
        ({"from": 2}, "Extra inputs are not permitted"),
    ],
)
def test_a_space_is_a_range_or_choices(space: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Space.model_validate(space)


def test_the_configured_spaces_fit_the_configured_architectures() -> None:
    shipped = yaml.safe_load((REPO / "conf/base/parameters_searching.yml").read_text())["searching"]

    spaces = SearchingParameters.model_validate(shipped).spaces
    values = TrainingParameters.model_validate(CONFIGURED)
    check_spaces(spaces, values)
    assert all(find_spaces(name, spaces, values.architecture(name)) for name in spaces)


# What is made of the trials.


def table(**losses: list[float]) -> pd.DataFrame:
    rows = [
        {"architecture": name, "number": number, "loss": loss, "parameters": json.dumps({"n": number})}
        for name, values in losses.items()
        for number, loss in enumerate(values)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ([3.0, 2.0, 2.5], {"har": {"n": 1}}),
        ([2.0, 3.0, math.nan], {}),
        ([2.0, 2.0], {}),
        ([2.0, 1.81], {}),
        ([2.0, 1.79], {"har": {"n": 1}}),
        ([math.nan, 3.0], {"har": {"n": 1}}),
        ([math.nan, math.nan], {}),
    ],
)
def test_the_best_recipe_is_kept_where_it_beats_the_configured_one(
    losses: list[float], found: dict[str, dict[str, int]]
) -> None:
    assert choose_recipes(table(har=losses), {}, limits(), RUN) == found


def test_what_earlier_searches_found_stays_for_architectures_that_were_not_searched() -> None:
    stored = {"har": {"n": 9}, "lstm": {"n": 8}}

    assert choose_recipes(table(har=[2.0, 3.0]), stored, limits(), RUN) == {"lstm": {"n": 8}}
    assert stored == {"har": {"n": 9}, "lstm": {"n": 8}}


def test_trials_are_added_to_those_of_earlier_searches() -> None:
    earlier, new = searched().head(1), searched().tail(2)

    kept = keep_trials(earlier, new)

    assert kept["parameters"].tolist() == [*earlier["parameters"], *new["parameters"]]
    assert (kept.dtypes == searched().dtypes).all()


def test_the_first_trials_there_are_are_kept_as_they_are() -> None:
    pd.testing.assert_frame_equal(keep_trials(pd.DataFrame(), searched()), searched())


def test_losses_are_recorded_by_trial_with_the_lowest_so_far() -> None:
    assert trace_trials(table(har=[3.0, math.nan, 2.0, 2.5])) == {
        "har.trial_loss": [{"step": 0, "value": 3.0}, {"step": 2, "value": 2.0}, {"step": 3, "value": 2.5}],
        "har.best_loss": [{"step": 0, "value": 3.0}, {"step": 2, "value": 2.0}, {"step": 3, "value": 2.0}],
    }
