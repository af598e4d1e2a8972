import math
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from make_us_rich.candles.frame import to_klines
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.evaluation.folds import WalkForward, fold_parts, walk_forward
from make_us_rich.evaluation.scores import crps
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features
from make_us_rich.features.split import Parts, split_rows, split_windows
from make_us_rich.features.windows import Windows, make_windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.closed_form import symmetric_quantiles
from make_us_rich.models.har import FittedHar, Har
from make_us_rich.models.interface import Architecture, FittedModel, Scaler
from synthetic import SETTINGS, simulated_klines

REPO = Path(__file__).resolve().parents[2]
ROWS, FEATURES = 3000, len(FEATURE_SETS["har"].columns)
RECIPE = Har(lookback=1, symmetric_from=12, symmetry=0.5)
SYMMETRIC = Har(lookback=1, symmetric_from=1, symmetry=1)
BASELINE = Baseline(lookback=168, decays=(0.94, 0.97, 0.985, 0.995))
MEDIAN = QUANTILE_LEVELS.index(0.5)
RANGE = FEATURE_SETS["har"].columns.index("log_range_1h")


class NoScaler:
    """It is not asked."""

    scale_ = np.ones(FEATURES)
    min_ = np.zeros(FEATURES)


SCALER: Scaler = NoScaler()


@cache
def parts(lookback: int = 1) -> Parts:
    return split(simulated_klines(rows=ROWS), lookback)


def split(klines: pd.DataFrame, lookback: int = 1) -> Parts:
    features = compute_features("har", klines)
    cut = split_rows(pd.DatetimeIndex(klines["timestamp"]), 0.1, 0.2, HORIZON)
    return split_windows(make_windows(features, klines, lookback, HORIZON), cut)


@cache
def fit(recipe: Har = RECIPE) -> FittedHar:
    return recipe.fit(parts(recipe.lookback), SCALER, SETTINGS)


@cache
def session(lookback: int = 1) -> QuantileSession:
    model = fit(RECIPE.model_copy(update={"lookback": lookback}))
    return QuantileSession(model.to_onnx(), "har", ((lookback, FEATURES), (HORIZON, len(QUANTILE_LEVELS))))


@pytest.fixture(scope="module", autouse=True)
def _fitted() -> None:
    """Fitted once, before a test is timed."""
    for lookback in (1, 3):
        session(lookback)


def learned_from() -> Windows:
    """The training windows: fit and validation."""
    made = parts()
    return made.fit.at(np.concatenate([made.fit.origins, made.validation.origins]))


def naive_volatility(windows: Windows, origin: int, horizon: int) -> float:
    """Root of the summed squared hourly ranges of the hours after an origin."""
    ranges = [math.exp(float(windows.features[origin + ahead, RANGE])) for ahead in range(1, horizon + 1)]
    return math.sqrt(sum(value**2 for value in ranges))


def independent_log_sigma(horizon: int, inputs: np.ndarray) -> np.ndarray:
    """Least squares with a column of ones for one horizon, unscaled; no hour is quite still (decision 0015)."""
    windows = learned_from()
    variances = [naive_volatility(windows, int(origin), horizon) ** 2 for origin in windows.origins]
    least = 0.02 * sum(variances) / len(variances)
    target = [math.log(math.sqrt(variance + least)) for variance in variances]
    design = np.column_stack([np.ones(len(windows)), windows.inputs()[:, -1].astype(np.float64)])
    weights = np.linalg.lstsq(design, np.array(target), rcond=None)[0]
    return np.column_stack([np.ones(len(inputs)), inputs]) @ weights


@pytest.mark.parametrize("horizon", [1, 4, HORIZON])
def test_the_volatility_is_that_of_least_squares(horizon: int) -> None:
    inputs = parts().test.inputs()[:, -1]

    found = fit().line.log_sigma(inputs)[:, horizon - 1]

    np.testing.assert_allclose(found, independent_log_sigma(horizon, inputs), atol=2e-4)


def test_an_early_table_holds_the_quantiles_of_the_standardised_returns() -> None:
    windows = learned_from()
    sigma = np.exp(independent_log_sigma(4, windows.inputs()[:, -1]))
    ratios = pd.Series(windows.targets()[:, 3] / sigma)

    table = fit().table[3]

    expected = [ratios.quantile(level) for level in QUANTILE_LEVELS]
    expected[MEDIAN] = 0
    np.testing.assert_allclose(table, expected, rtol=1e-3)


def test_a_symmetric_table_holds_the_quantiles_of_the_absolute_standardised_returns() -> None:
    windows = learned_from()
    sigma = np.exp(independent_log_sigma(HORIZON, windows.inputs()[:, -1]))
    sizes = pd.Series(np.abs(windows.targets()[:, -1]) / sigma)

    table = fit(SYMMETRIC).table[-1]

    widths = [sizes.quantile(share) for share in (0.5, 0.8, 0.9)]
    np.testing.assert_allclose(table, [-widths[2], -widths[1], -widths[0], 0, *widths], rtol=1e-3)


def test_quantiles_of_an_even_sample_are_symmetric() -> None:
    ratios = np.array([[-3.0], [1.0], [-2.0], [4.0]])

    # Half of the sizes 1, 2, 3, 4 are below 2.5.
    np.testing.assert_allclose(symmetric_quantiles(ratios, (0.25, 0.5, 0.75)), [[-2.5, 0, 2.5]])


def test_symmetry_draws_later_horizons_and_no_earlier_ones() -> None:
    found, half, full = (
        fit(RECIPE.model_copy(update={"symmetry": symmetry})).table.astype(np.float64) for symmetry in (0, 0.5, 1)
    )

    np.testing.assert_array_equal(half[:11], found[:11])
    np.testing.assert_allclose(half[11:], (found[11:] + full[11:]) / 2, rtol=1e-5)
    np.testing.assert_allclose(full[11:], -full[11:, ::-1], rtol=1e-6)
    assert not np.allclose(found[11:], -found[11:, ::-1], rtol=1e-2)


def test_the_median_is_held_at_the_last_close() -> None:
    assert (fit().quantiles(parts().test.inputs())[:, :, MEDIAN] == 0).all()


seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, scale=st.floats(0.1, 50))
def test_quantiles_ascend_whatever_the_features(seed: int, scale: float) -> None:
    inputs = np.random.default_rng(seed).normal(0, scale, (5, 1, FEATURES)).astype(np.float32)

    quantiles = fit().quantiles(inputs)

    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_a_forecast_stays_within_twice_what_was_seen() -> None:
    wild = np.full((1, 1, FEATURES), 1e6, np.float32)
    fitted = independent_log_sigma(1, learned_from().inputs()[:, -1])

    widest = fit().quantiles(wild * np.sign(fit().line.weights[:, 0]))[0, 0, -1]

    assert widest == pytest.approx(2 * math.exp(fitted.max()) * fit().table[0, -1], rel=1e-3)


@given(seed=seeds, batch=st.integers(1, 30), scale=st.floats(0.01, 10), lookback=st.sampled_from([1, 3]))
def test_onnx_equals_numpy(seed: int, batch: int, scale: float, lookback: int) -> None:
    noise = np.random.default_rng(seed).normal(0, scale, (batch, lookback, FEATURES)).astype(np.float32)
    inputs = parts(lookback).test.inputs()[:batch] + noise

    expected = fit(RECIPE.model_copy(update={"lookback": lookback})).quantiles(inputs)

    np.testing.assert_allclose(session(lookback).quantiles(inputs), expected, rtol=1e-5, atol=1e-8)


def test_single_precision_is_enough_on_real_windows() -> None:
    inputs = parts().test.inputs()
    sigma = np.exp(independent_log_sigma(HORIZON, inputs[:, -1]))[:, None]

    np.testing.assert_allclose(session().quantiles(inputs)[:, -1], sigma * fit().table[-1], rtol=1e-3, atol=1e-5)


def test_the_graph_is_a_valid_one() -> None:
    import onnx

    onnx.checker.check_model(onnx.load_from_string(fit().to_onnx()), full_check=True)
    ends = onnxruntime.InferenceSession(fit().to_onnx()).get_inputs()
    assert [(end.name, end.shape) for end in ends] == [("features", ["batch", 1, FEATURES])]


def test_only_the_newest_candle_is_looked_at() -> None:
    three = RECIPE.model_copy(update={"lookback": 3})
    inputs = parts(3).test.inputs().copy()
    expected = fit(three).quantiles(inputs)
    inputs[:, :-1] = np.nan

    np.testing.assert_array_equal(fit(three).quantiles(inputs), expected)


def test_the_fit_looks_at_no_test_window() -> None:
    klines = simulated_klines(rows=ROWS).copy()
    later = klines.index >= ROWS - ROWS // 10
    klines.loc[later, ["open", "high", "low", "close"]] *= np.linspace(1, 3, int(later.sum()))[:, None]
    klines.loc[later, ["high", "volume"]] *= 1.5

    changed = split(klines)
    refitted = RECIPE.fit(changed, SCALER, SETTINGS)

    assert not np.array_equal(changed.test.targets(), parts().test.targets())
    assert refitted.to_onnx() == fit().to_onnx()


def test_the_history_is_the_loss_of_the_training_windows() -> None:
    windows = learned_from()
    forecast = fit().quantiles(windows.inputs())

    expected = crps(windows.targets(), forecast, QUANTILE_LEVELS).mean() / 2

    assert fit().history["train_loss"].tolist() == [pytest.approx(expected, rel=1e-5)]


def test_a_market_that_always_stood_still_can_be_fitted() -> None:
    klines = simulated_klines(rows=ROWS).copy()
    klines[["open", "high", "low", "close"]], klines["volume"] = 100.0, 0.0
    frozen = split(klines)

    assert (RECIPE.fit(frozen, SCALER, SETTINGS).quantiles(frozen.test.inputs()) == 0).all()


def test_a_market_that_mostly_stands_still_can_be_fitted() -> None:
    klines = simulated_klines(rows=ROWS).copy()
    prices = ["open", "high", "low", "close"]
    klines[prices] = (klines[prices] / 200).round() * 200
    coarse = split(klines)
    assert (coarse.fit.targets()[:, 0] == 0).mean() > 0.25

    quantiles = RECIPE.fit(coarse, SCALER, SETTINGS).quantiles(coarse.test.inputs())

    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_where_prices_hardly_move_the_volatility_stays_near_what_it_was() -> None:
    """Three hours of four without a move are an e^4th of the others: their number is not to be forecast instead."""
    klines = simulated_klines(rows=ROWS).copy()
    prices = ["open", "high", "low", "close"]
    klines[prices] = (klines[prices] / 600).round() * 600
    coarse = split(klines)
    assert (coarse.fit.targets()[:, 0] == 0).mean() > 0.6

    log_sigma = RECIPE.fit(coarse, SCALER, SETTINGS).line.log_sigma(coarse.test.inputs()[:, -1])

    assert np.ptp(log_sigma, axis=0).max() < np.log(100)


def random_walk(rows: int, seed: int) -> pd.DataFrame:
    """Candles of a walk with 60 independent normal steps an hour: nothing in it can be forecast."""
    rng = np.random.default_rng(seed)
    path = 100 * np.exp(rng.normal(0, 0.0006, (rows, 60)).cumsum().reshape(rows, 60))
    opened = [1_704_067_200_000 + 3_600_000 * row for row in range(rows)]
    volume = rng.exponential(50, rows)
    candles = zip(opened, path[:, 0], path.max(1), path.min(1), path[:, -1], volume, strict=True)
    return to_klines([[*candle, candle[0] + 3_599_999, 0, 1, 0, 0, 0] for candle in candles], "WALK")


def skill_of_har(klines: pd.DataFrame, plan: WalkForward) -> np.ndarray:
    """Walk-forward CRPS skill against the baseline, ``[horizon]``."""
    windows = {recipe: _windows(klines, recipe) for recipe in (RECIPE, BASELINE)}
    common = np.intersect1d(*(each.origins for each in windows.values()))
    losses = []
    for recipe, each in windows.items():
        folds = fold_parts(each, walk_forward(common, each.timestamps, plan))
        losses.append(np.mean([_loss(recipe.fit(fold, SCALER, SETTINGS), fold.test) for fold in folds], axis=0))
    return 1 - losses[0] / losses[1]


def _windows(klines: pd.DataFrame, recipe: Architecture) -> Windows:
    return make_windows(compute_features(recipe.feature_set, klines), klines, recipe.lookback, HORIZON)


def _loss(fitted: FittedModel, test: Windows) -> np.ndarray:
    return crps(test.targets(), fitted.quantiles(test.inputs()), QUANTILE_LEVELS).mean(axis=0)


@settings(max_examples=2, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10))
def test_on_a_random_walk_there_is_no_skill(seed: int) -> None:
    skill = skill_of_har(random_walk(7000, seed), WalkForward(folds=4, hours=600))

    assert skill[0] < 0.01
    assert skill.mean() < 0.01


def test_on_real_candles_there_is_skill(market_data: Path) -> None:
    raw = pd.read_csv(market_data / "BTCUSDT-1h.csv.gz")
    klines = to_klines(raw.to_numpy(object).tolist(), "BTCUSDT")

    skill = skill_of_har(klines, WalkForward())

    assert 0.02 < skill[0] < 0.08
    assert 0.01 < skill.mean() < 0.06


def test_the_configured_recipe_is_the_one_tested_here() -> None:
    configured = yaml.safe_load((REPO / "conf" / "base" / "parameters_training.yml").read_text("utf-8"))

    assert Har.model_validate(configured["training"]["har"]) == RECIPE
