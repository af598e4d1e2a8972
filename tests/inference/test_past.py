"""Out-of-sample forecasts before the fit and since, and the scales that they give."""

import io
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.domain.conformal import ConformalScales
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.forecast import HORIZON, LEVELS, QUANTILE_LEVELS, TARGETS
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.past import HISTORY_DAYS, PastRecord, measure_scales, past_forecasts, past_forecasts_of
from synthetic import published, simulated_klines

RULES = CalibrationParameters(window_days=60, min_forecasts=200)
FITTED = 720
"""Candles that the published model has seen; those after them are news to it."""
ROWS = 1_800
MEDIAN = LEVELS.index(0.5)
SCORED = [LEVELS.index(level) for level in QUANTILE_LEVELS]


def at(quantiles: np.ndarray, level: float) -> np.ndarray:
    column: np.ndarray = quantiles[:, :, LEVELS.index(level)].T.astype(float)
    return column


def naive_scores(targets: np.ndarray, quantiles: np.ndarray, target: str) -> np.ndarray:
    """How many times as wide each forecast would have had to be, ``[horizon, window]``."""
    if target == "high":
        return targets.T / at(quantiles, 0.8)
    if target == "low":
        return targets.T / at(quantiles, 0.2)
    low, median, high = (at(quantiles, level) for level in (0.1, 0.5, 0.9))
    distance = targets.T - median
    return np.where(distance > 0, distance / (high - median), distance / (low - median))


def naive_factors(scores: np.ndarray, rules: CalibrationParameters) -> list[float]:
    """Split conformal prediction, shrunk by the number of independent forecasts; see docs/models.md."""
    factors, count = [], scores.shape[1]
    for horizon, row in enumerate(scores, start=1):
        needed = sorted(row)[math.ceil(0.8 * (count + 1)) - 1]
        independent = count / horizon
        bounded = min(max(needed, rules.min_scale), rules.max_scale)
        factors.append(bounded ** (independent / (independent + rules.shrinkage)))
    return factors


# The record


@pytest.fixture(scope="module")
def backtests(backtest_of: Any) -> Any:
    return backtest_of("har", "lstm", folds=(800, 900))


@pytest.mark.parametrize("center", [True, False])
def test_a_record_holds_the_scores_of_the_calibration_window(backtests: Any, *, center: bool) -> None:
    record = past_forecasts_of(backtests, "lstm", RULES, center=center)

    opens = backtests["close"].opens
    recent = opens >= opens[-1] - np.timedelta64(RULES.window_days, "D")
    assert 0 < recent.sum() < len(opens)
    np.testing.assert_array_equal(record.opens, opens[recent])
    for target, backtest in backtests.items():
        quantiles = backtest.quantiles["lstm"][recent]
        if target == "close" and center:
            quantiles = quantiles - quantiles[:, :, [MEDIAN]]
        expected = naive_scores(backtest.targets[recent], quantiles, target)
        np.testing.assert_allclose(record.scores[target], expected, rtol=1e-4, atol=1e-5)


def test_a_record_holds_the_closes_of_the_last_days_at_the_scored_levels(backtests: Any) -> None:
    shifted, centered = (past_forecasts_of(backtests, "lstm", RULES, center=center) for center in (False, True))

    days = HISTORY_DAYS * 24 + 1
    expected = backtests["close"].quantiles["lstm"][-days:][:, :, SCORED]
    assert shifted.quantiles.shape == (days, HORIZON, len(QUANTILE_LEVELS))
    np.testing.assert_array_equal(shifted.quantiles, expected)
    assert (shifted.quantiles[:, :, 3] != 0).all()
    np.testing.assert_allclose(centered.quantiles, expected - expected[:, :, 3:4], atol=1e-7)


def test_a_recipe_that_was_not_tested_has_an_empty_record(backtests: Any) -> None:
    record = past_forecasts_of(backtests, "har+patch_transformer", RULES, center=True)

    again = PastRecord.from_bytes(record.to_bytes(), "btc_usdt")
    for made in (record, again):
        assert len(made.opens) == len(made.quantiles) == 0
        assert [each.size for each in made.scores.values()] == [0] * 3


def test_a_record_survives_its_file(backtests: Any) -> None:
    record = past_forecasts_of(backtests, "har", RULES, center=True)
    record.scores["high"][0, :3] = [0.0, np.inf, 1e9]

    again = PastRecord.from_bytes(record.to_bytes(), "btc_usdt")

    np.testing.assert_array_equal(again.opens, record.opens)
    np.testing.assert_array_equal(again.quantiles, record.quantiles)
    assert tuple(again.scores) == TARGETS
    np.testing.assert_array_equal(again.scores["high"][0, :3], [0.0, np.inf, np.inf])
    for target in TARGETS:
        np.testing.assert_allclose(again.scores[target][1:], record.scores[target][1:], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(again.tails[target], record.tails[target], rtol=1e-3)


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"junk",
        lambda content: content[: len(content) // 2],
        lambda _: npz(opens=np.zeros(3)),
        lambda _: npz(opens=np.array([None, "pickled"], object), quantiles=np.zeros(3), **dict.fromkeys(TARGETS, 0)),
    ],
)
def test_a_damaged_record_is_named_with_the_remedy(backtests: Any, damage: Callable[[bytes], bytes]) -> None:
    content = past_forecasts_of(backtests, "har", RULES, center=True).to_bytes()

    with pytest.raises(ArtifactError, match=r"^btc_usdt v1: its past forecasts are damaged; train the pair again$"):
        PastRecord.from_bytes(damage(content), "btc_usdt v1")


# The scales


def model() -> Champion:
    return Champion(*published())


@cache
def klines(rows: int = ROWS) -> pd.DataFrame:
    return simulated_klines(rows=rows)


def own_scores(rows: int = ROWS) -> dict[str, np.ndarray]:
    """Of the published model on the candles after its fit."""
    forecasts = past_forecasts(model(), klines(rows), RULES.window_days)
    return {target: naive_scores(past.targets, past.quantiles, target) for target, past in forecasts.items()}


def record_before(hours: int, until: int = FITTED - HORIZON - 1) -> PastRecord:
    """Made-up scores of some hours before the fit, each target on its own level."""
    opened = klines()["timestamp"].dt.tz_localize(None).to_numpy("datetime64[ms]")[until]
    opens = opened - np.arange(hours)[::-1] * np.timedelta64(1, "h")
    draw = np.random.default_rng(5)
    scores = {
        target: middle * draw.gamma(4, 0.25, (HORIZON, hours))
        for target, middle in zip(TARGETS, (1, 3, 0.5), strict=True)
    }
    return PastRecord(opens, scores, np.empty((0, HORIZON, len(QUANTILE_LEVELS)), np.float32))


def assert_scales(scales: ConformalScales, scores: dict[str, np.ndarray], rules: CalibrationParameters = RULES) -> None:
    assert scales.forecasts == scores["close"].shape[1]
    for target in TARGETS:
        np.testing.assert_allclose(scales.of(target), naive_factors(scores[target], rules), rtol=1e-4)
    close = scores["close"]
    np.testing.assert_allclose(scales.coverage_before, (close <= 1).mean(axis=1), atol=2 / close.shape[1])
    after = close <= np.array(scales.factors)[:, None]
    np.testing.assert_allclose(scales.coverage_after, after.mean(axis=1), atol=2 / close.shape[1])


def test_past_forecasts_begin_with_the_last_candle_of_the_fit_and_end_a_day_before_now() -> None:
    found = past_forecasts(model(), klines(), RULES.window_days)

    opened = klines()["timestamp"].dt.tz_localize(None).to_numpy("datetime64[ms]")
    assert tuple(found) == TARGETS
    for target, past in found.items():
        assert (past.target, past.levels) == (target, LEVELS)
        np.testing.assert_array_equal(past.opens, opened[FITTED - 1 : -HORIZON])
    close, high = (klines()[name].to_numpy() for name in ("close", "high"))
    highest = [np.log(high[FITTED : FITTED + hour].max() / close[FITTED - 1]) for hour in range(1, HORIZON + 1)]
    np.testing.assert_allclose(found["high"].targets[0], np.maximum(highest, 0))


def test_a_record_goes_before_the_models_own_forecasts() -> None:
    record = record_before(200)

    scales = measure_scales(model(), klines(), RULES, record)

    own = own_scores()
    both = {target: np.concatenate([record.scores[target], own[target]], axis=1) for target in TARGETS}
    assert_scales(scales, both)
    assert scales != measure_scales(model(), klines(), RULES)


def test_a_record_older_than_the_calibration_window_does_not_count() -> None:
    record = record_before(400, until=FITTED - HORIZON - 1)
    month = CalibrationParameters(window_days=46, min_forecasts=200)

    scales = measure_scales(model(), klines(), month, record)

    # The newest candle opens 1,104 hours after the oldest origin that counts, and 1,080 after the last of the fit.
    moment = ROWS - 1 - 46 * 24
    counted = FITTED - HORIZON - 1 - moment + 1
    own = own_scores()
    both = {target: np.concatenate([record.scores[target][:, -counted:], own[target]], axis=1) for target in TARGETS}
    assert_scales(scales, both, month)


def test_a_record_of_an_earlier_release_leaves_the_tails_to_the_scale_of_the_interval() -> None:
    scales = measure_scales(model(), klines(), RULES, record_before(200))

    assert scales.tails == dict.fromkeys(TARGETS, ())


def test_too_few_forecasts_leave_every_scale_at_one() -> None:
    scales = measure_scales(model(), klines(FITTED + HORIZON + 50), RULES, record_before(100))

    assert scales.forecasts == 100 + 51
    assert scales.factors == scales.high_factors == scales.low_factors == (1.0,) * HORIZON
