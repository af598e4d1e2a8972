import math
from dataclasses import replace

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.evaluation.scores import pinball
from make_us_rich.features.split import Parts
from make_us_rich.features.windows import Windows
from make_us_rich.models.baseline import FLOOR, Baseline, FittedBaseline, _pinball, ewma_weights, volatility
from make_us_rich.models.closed_form import hold_median
from synthetic import ROWS, SETTINGS, TRAINING, Prepared, prepare, prepared, simulated_klines

LOOKBACK = 6
MEDIAN = QUANTILE_LEVELS.index(0.5)


def fit(parts: Parts, *decays: float, lookback: int = TRAINING.baseline.lookback) -> FittedBaseline:
    recipe = Baseline(lookback=lookback, decays=decays or TRAINING.baseline.decays)
    return recipe.fit(parts, prepared().scalers["baseline"], SETTINGS)


def learned_from(parts: Parts) -> Windows:
    """The training windows: fit and validation."""
    return parts.fit.at(np.concatenate([parts.fit.origins, parts.validation.origins]))


def naive_volatility(returns: list[float], decay: float) -> float:
    """RiskMetrics' definition, newest return first."""
    pairs = [(decay**age, value) for age, value in enumerate(reversed(returns))]
    return math.sqrt(sum(weight * value**2 for weight, value in pairs) / sum(weight for weight, _ in pairs))


@pytest.fixture(scope="module")
def made() -> Prepared:
    return prepared()


@pytest.fixture(scope="module")
def fitted(made: Prepared) -> FittedBaseline:
    return fit(made.parts("baseline"))


@pytest.fixture(scope="module")
def session(fitted: FittedBaseline) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(fitted.to_onnx())


def test_each_weight_is_the_decay_times_the_next_and_all_add_up_to_one() -> None:
    # 0.25, 0.5, 1 over 1.75
    np.testing.assert_allclose(ewma_weights(0.5, 3), [1 / 7, 2 / 7, 4 / 7])


def test_the_volatility_of_every_window_is_that_of_a_naive_loop(made: Prepared) -> None:
    windows = made.parts("baseline").test
    column = windows.columns.index("log_return")

    expected = [naive_volatility(window[:, column].astype(float).tolist(), 0.94) for window in windows.inputs()]

    np.testing.assert_allclose(volatility(windows, ewma_weights(0.94, windows.lookback)), expected, rtol=1e-12)


def test_the_table_holds_the_quantiles_of_the_standardised_returns(made: Prepared) -> None:
    parts = made.parts("baseline")
    windows = learned_from(parts)
    column = windows.columns.index("log_return")
    sigmas = [naive_volatility(window[:, column].astype(float).tolist(), 0.94) for window in windows.inputs()]

    table = fit(parts, 0.94).table

    for horizon in (1, 4, HORIZON):
        ratios = pd.Series(windows.targets()[:, horizon - 1] / sigmas)
        low, high = ratios.quantile(0.05), ratios.quantile(0.95)
        assert table[horizon - 1, 0] == pytest.approx(min(low, 0), rel=1e-5)
        assert table[horizon - 1, -1] == pytest.approx(max(high, 0), rel=1e-5)


def test_the_median_is_held_at_the_last_close(fitted: FittedBaseline) -> None:
    assert (fitted.table[:, MEDIAN] == 0).all()


def test_a_quantile_on_the_wrong_side_of_the_last_close_is_held_there() -> None:
    table = np.array([[0.1, 0.2, 0.3]])

    np.testing.assert_array_equal(hold_median(table, (0.1, 0.5, 0.9)), [[0.0, 0.0, 0.3]])


def test_each_horizon_has_the_decay_with_the_lowest_pinball_loss(made: Prepared) -> None:
    parts = made.parts("baseline")
    decays = (0.5, 0.8, 0.9, 0.97)
    windows = learned_from(parts)

    def losses(decay: float) -> np.ndarray:
        forecast = fit(parts, decay).quantiles(windows.inputs())
        errors = windows.targets()[:, :, None] - forecast
        levels = np.array(QUANTILE_LEVELS)
        return np.where(errors > 0, levels * errors, (levels - 1) * errors).mean(axis=(0, 2))

    best = np.argmin([losses(decay) for decay in decays], axis=0)
    chosen = fit(parts, *decays)

    assert len(set(best)) > 1
    for ahead, index in enumerate(best):
        np.testing.assert_array_equal(chosen.weights[:, ahead], fit(parts, decays[index]).weights[:, ahead])
        np.testing.assert_array_equal(chosen.table[ahead], fit(parts, decays[index]).table[ahead])


def test_the_history_has_a_row_for_each_decay(fitted: FittedBaseline) -> None:
    assert fitted.history["step"].tolist() == [0, 1]


def test_a_market_that_stood_still_has_the_smallest_volatility(fitted: FittedBaseline) -> None:
    frozen = np.zeros((1, TRAINING.baseline.lookback, 12), np.float32)

    np.testing.assert_allclose(fitted.quantiles(frozen)[0], FLOOR * fitted.table, rtol=1e-6)


def test_a_market_that_always_stood_still_can_be_fitted() -> None:
    klines = simulated_klines().copy()
    klines[["open", "high", "low", "close"]] = 100.0
    frozen = prepare(klines).parts("baseline")

    assert (fit(frozen).quantiles(frozen.test.inputs()) == 0).all()


def test_the_fit_looks_at_no_test_window() -> None:
    klines = simulated_klines().copy()
    start = pd.Timestamp(prepared().split["test_start"])
    later = klines["timestamp"] >= start
    klines.loc[later, ["open", "high", "low", "close"]] *= np.linspace(1, 3, int(later.sum()))[:, None]

    changed, before = prepare(klines).parts("baseline"), prepared().parts("baseline")

    assert not np.array_equal(changed.test.targets(), before.test.targets())
    np.testing.assert_array_equal(fit(changed).table, fit(before).table)
    np.testing.assert_array_equal(fit(changed).weights, fit(before).weights)


def test_the_fit_learns_from_the_validation_windows_too(made: Prepared) -> None:
    parts = made.parts("baseline")
    without = replace(parts, validation=parts.validation.at(parts.validation.origins[:0]))

    assert not np.array_equal(fit(parts).table, fit(without).table)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.just(TRAINING.baseline.lookback), st.just(12)),
        elements=st.floats(-0.5, 0.5, width=32),
    )
)
def test_onnx_equals_numpy(session: onnxruntime.InferenceSession, fitted: FittedBaseline, inputs: np.ndarray) -> None:
    (found,) = session.run(["quantiles"], {"features": inputs})

    np.testing.assert_allclose(found, fitted.quantiles(inputs), rtol=1e-5, atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 0.2))
def test_quantiles_ascend(fitted: FittedBaseline, seed: int, scale: float) -> None:
    inputs = np.random.default_rng(seed).normal(0, scale, (3, TRAINING.baseline.lookback, 12)).astype(np.float32)

    assert (np.diff(fitted.quantiles(inputs), axis=-1) >= 0).all()


def test_the_graph_ignores_features_beside_the_return(
    session: onnxruntime.InferenceSession, fitted: FittedBaseline, made: Prepared
) -> None:
    inputs = made.parts("baseline").test.inputs().copy()
    others = np.arange(inputs.shape[2]) != fitted.column
    expected = fitted.quantiles(inputs)
    inputs[:, :, others] = np.nan
    wider = np.concatenate([inputs, np.full((*inputs.shape[:2], 3), np.nan, np.float32)], axis=2)

    (found,) = session.run(["quantiles"], {"features": wider})

    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_candles_are_as_many_as_the_tests_think() -> None:
    assert len(simulated_klines()) == ROWS


@given(level=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_the_loss_that_chooses_the_decay_is_the_pinball_loss_to_the_last_bit(level: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    targets, quantiles = draw.normal(size=(50, 24)), draw.normal(size=(50, 24))
    expected = pinball(targets, quantiles[:, :, None], [level]).mean(axis=(0, 2))

    np.testing.assert_array_equal(_pinball(targets, quantiles.copy(), level), expected)
