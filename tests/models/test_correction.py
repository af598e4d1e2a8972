"""The networks that correct HAR, and how they are trained."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from make_us_rich.domain.forecast import HORIZON, LEVELS, QUANTILE_LEVELS, TARGETS
from make_us_rich.features.har import HAR as HAR_FEATURES
from make_us_rich.features.har import HAR_SEQUENCE
from make_us_rich.features.split import Parts
from make_us_rich.models.har import Har, fit_volatility
from synthetic import SETTINGS, TRAINING

COLUMNS = len(HAR_FEATURES.columns)
SCALED_RETURN = HAR_SEQUENCE.columns.index("scaled_return")
MEDIAN, UPPER = LEVELS.index(0.5), LEVELS.index(0.95)
SCORED = [LEVELS.index(level) for level in QUANTILE_LEVELS]
HAR = Har(lookback=1, symmetric_from=12, symmetry=0.5)


def har_quantiles(parts: Parts, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Those of HAR, fitted on the same windows."""
    fitted: Any = HAR.fit(parts, None, SETTINGS)  # type: ignore[arg-type]
    quantiles: dict[str, np.ndarray] = fitted.quantiles(inputs[:, -1:, :COLUMNS])
    return quantiles


def assert_is_har(fitted: Any, case: Any) -> None:
    inputs = case.parts.test.inputs()
    expected = har_quantiles(case.parts, inputs)
    for target, quantiles in fitted.quantiles(inputs).items():
        np.testing.assert_allclose(quantiles, expected[target], rtol=2e-5, atol=1e-8)


@pytest.mark.parametrize(("seed", "weight", "noise"), [(0, 0.01, 0), (1, 1, 1), (2, 30, 100), (3, 5, 10)])
def test_quantiles_never_cross_whatever_the_weights(
    network: Any, assert_ordered: Any, seed: int, weight: float, noise: float
) -> None:
    inputs = network.parts.test.inputs()[:5]
    inputs = inputs + np.random.default_rng(seed).normal(0, noise, inputs.shape).astype(np.float32)

    assert_ordered(network.with_weights(seed, weight).quantiles(inputs))


def test_a_signal_that_har_does_not_see_is_learned(network: Any) -> None:
    planted = two_regimes(network.parts)
    eager = network.architecture.model_copy(
        update={"members": 4, "max_epochs": 12, "patience": 12, "learning_rate": 0.03}
    )

    inputs = planted.test.inputs()
    found, har = eager.fit(planted, None, SETTINGS).quantiles(inputs), har_quantiles(planted, inputs)

    wild = inputs[:, -1, SCALED_RETURN] > 0
    outer = found["close"][:, 3, UPPER] / har["close"][:, 3, UPPER]
    assert outer[wild].mean() > 1.5 * outer[~wild].mean()


def two_regimes(parts: Parts) -> Parts:
    """In every other two days returns are six times as large; a channel of the sequence says so, and no range does."""
    whole = parts.train
    wild = np.arange(len(whole.closes)) // 48 % 2 == 0
    returns = np.diff(np.log(whole.closes)) * np.where(wild[1:], 3.0, 0.5)
    features = whole.features.copy()
    features[:, SCALED_RETURN] = np.where(np.roll(wild, -1), 1.0, -1.0)
    closes = np.exp(np.concatenate([[0.0], returns.cumsum()]))
    changed = replace(whole, features=features, prices=dict.fromkeys(TARGETS, closes))
    return Parts(*(changed.at(part.origins) for part in (parts.train, parts.validation, parts.test)))


def test_a_warm_start_begins_with_the_weights_of_the_previous_fit(network: Any) -> None:
    frozen = network.architecture.model_copy(update={"learning_rate": 1e-12, "weight_decay": 0.0})
    previous = network.with_weights(3, 0.01)

    fitted = frozen.fit(network.parts, None, SETTINGS, previous)

    before = previous.forecaster.members.state_dict()
    for name, weights in fitted.forecaster.members.state_dict().items():
        # A member that does not beat HAR gets zeros in its last layer.
        assert np.allclose(weights, before[name], atol=1e-9) or ".last." in name


def test_a_warm_start_takes_fewer_epochs_and_leaves_the_previous_fit_alone(network: Any) -> None:
    inputs = network.parts.test.inputs()
    before = network.fitted.quantiles(inputs)

    fitted = network.architecture.fit(network.parts, None, SETTINGS, network.fitted)

    assert len(fitted.history) == network.architecture.warm_start_epochs
    np.testing.assert_equal(network.fitted.quantiles(inputs), before)


def test_members_that_do_harm_are_dropped(network: Any) -> None:
    hopeless = network.architecture.model_copy(update={"learning_rate": 1e-12})

    assert_is_har(hopeless.fit(network.parts, None, SETTINGS, network.with_weights(5, 30.0)), network)


def test_a_market_with_one_holdout_block_is_forecast_by_har(network: Any) -> None:
    assert_is_har(network.fit(holdout_block_hours=10**6), network)


@pytest.mark.parametrize(("change", "message"), [({"lookback": 7}, "lookback 7"), ({"hidden_size": 3}, "hidden_size")])
def test_patches_and_heads_must_divide_evenly(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=f"{message}.* is not a multiple of"):
        type(TRAINING.patch_transformer).model_validate(TRAINING.patch_transformer.model_dump() | change)


# Holdouts

RECIPE = TRAINING.lstm.model_copy(update={"members": 3, "holdout_block_hours": 100})


@pytest.fixture(scope="module")
def windows(case_of: Any) -> Any:
    return case_of("lstm").parts.train_validation()


@pytest.fixture(scope="module")
def holdouts(windows: Any) -> Any:
    from make_us_rich.models.correction_fit import assign_holdouts

    return assign_holdouts(windows, RECIPE)


def test_every_window_is_held_out_by_one_member(holdouts: Any) -> None:
    assert (holdouts.held_out.sum(axis=1) == 1).all()
    assert holdouts.held_out.any(axis=0).all()


def test_a_member_learns_from_every_window_that_shares_no_target_with_its_holdout(windows: Any, holdouts: Any) -> None:
    origins, inner = windows.origins, slice(HORIZON, -HORIZON)
    for held_out, learned in zip(holdouts.held_out.T, holdouts.learned.T, strict=True):
        distance = np.abs(origins[:, None] - origins[held_out]).min(axis=1)

        assert not (learned & (distance < HORIZON)).any()
        np.testing.assert_array_equal(learned[inner], (distance > HORIZON)[inner])


def test_a_later_fit_assigns_the_same_hours_to_the_same_member(windows: Any, holdouts: Any) -> None:
    from make_us_rich.models.correction_fit import assign_holdouts

    later = assign_holdouts(windows.at(windows.origins[177:]), RECIPE)

    np.testing.assert_array_equal(later.held_out, holdouts.held_out[177:])


def test_a_ratio_is_over_the_volatility_of_a_fit_without_its_block(windows: Any, holdouts: Any) -> None:
    from make_us_rich.models.correction_fit import out_of_fold_ratios

    found = out_of_fold_ratios(windows, holdouts)

    newest = windows.features[windows.origins, :COLUMNS].astype(float)
    for held_out, learned in zip(holdouts.held_out.T, holdouts.learned.T, strict=True):
        log_sigma = fit_volatility(windows.at(windows.origins[learned])).log_sigma(newest[held_out])

        for target in TARGETS:
            expected = windows.targets(target)[held_out] / np.exp(log_sigma)
            np.testing.assert_array_equal(found[target][held_out], expected)


# Corrections of the table

TABLE = np.array([[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0], [-4.0, -2.0, -1.0, 0.0, 1.0, 3.0, 4.0]])
CONSTANT, LINE, PARABOLA, INNER, MIDDLE, OUTER = range(6)


def corrected(table: np.ndarray, index: int, value: float, levels: tuple[float, ...] = QUANTILE_LEVELS) -> np.ndarray:
    """Quantiles of one window after one correction, ``[horizon, level]``."""
    import torch

    from make_us_rich.models.correction import MonotoneQuantiles

    corrections: Any = torch.zeros(1, 6)
    corrections[0, index] = value
    quantiles: np.ndarray = MonotoneQuantiles(table, levels)(corrections)[0].numpy()
    return quantiles


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (INNER, [-3.5, -1.5, -1, 0, 1, 1.5, 2.5]),
        (MIDDLE, [-3.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5]),
        (OUTER, [-5, -1, -0.5, 0, 0.5, 1, 3]),
    ],
)
def test_a_correction_scales_one_step(index: int, expected: Any) -> None:
    np.testing.assert_allclose(corrected(TABLE, index, np.log(2))[0], expected, rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_scored_levels_are_corrected_alike_whatever_the_levels_between_them(seed: int) -> None:
    import torch

    from make_us_rich.models.correction import MonotoneQuantiles

    draw = np.random.default_rng(seed)
    table = draw.exponential(size=(HORIZON, len(LEVELS))).cumsum(axis=1)
    table -= table[:, [MEDIAN]]
    corrections = torch.from_numpy(draw.uniform(-0.5, 0.5, (5, 6)).astype(np.float32))

    every = MonotoneQuantiles(table, LEVELS)(corrections).numpy()
    scored = MonotoneQuantiles(table[:, SCORED], QUANTILE_LEVELS)(corrections).numpy()

    assert every.shape == (5, HORIZON, len(LEVELS))
    assert (np.diff(every, axis=-1) >= 0).all()
    np.testing.assert_allclose(every[:, :, SCORED], scored, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("index", range(6))
def test_highs_and_lows_follow_the_correction_of_the_volatility_and_no_other(network: Any, index: int) -> None:
    import torch

    inputs, model = network.parts.test.inputs()[:5], network.with_weights(0, 0.0)
    before = model.quantiles(inputs)
    with torch.no_grad():
        for member in model.forecaster.members:
            member.last.bias[index] = np.arctanh(np.log(0.8) / 0.5)
    after = model.quantiles(inputs)

    position = 2 * np.log(np.arange(1, HORIZON + 1)) / np.log(HORIZON) - 1
    curves = {CONSTANT: np.ones(HORIZON), LINE: position, PARABOLA: (3 * position**2 - 1) / 2}
    factors = (0.8 ** curves.get(index, np.zeros(HORIZON)))[:, None]
    close = after["close"]
    np.testing.assert_allclose(after["high"], np.maximum(factors * before["high"], np.maximum(close, 0)), rtol=1e-5)
    np.testing.assert_allclose(after["low"], np.minimum(factors * before["low"], np.minimum(close, 0)), rtol=1e-5)
    if index in curves:
        np.testing.assert_allclose(close, factors * before["close"], rtol=1e-5)
    else:
        assert (np.abs(close[:, :, [0, -1]]) < np.abs(before["close"][:, :, [0, -1]])).all()
