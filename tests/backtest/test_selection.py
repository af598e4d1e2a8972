from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from make_us_rich.backtest.backtest import Backtests
from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.backtest.gate import GateParameters
from make_us_rich.backtest.multiple_testing import DTYPES, count_since_promotion, verdict_rows
from make_us_rich.backtest.selection import CHAMPION, BacktestContext, as_served, evaluate_challenger, keep_served
from make_us_rich.domain.evaluation import ChallengerResult, EvaluationReport
from make_us_rich.domain.forecast import HORIZON, LEVELS, QUANTILE_LEVELS, TARGETS
from markets import make_backtests, ranged, running, with_model
from synthetic import judgement

CALIBRATION, HOURS, FOLDS = 48, 72, 8
RULES = GateParameters(min_test_size=HOURS)
NORMAL = stats.norm.ppf(LEVELS)


def fan(sigma: np.ndarray, width: float = 1.0) -> np.ndarray:
    """Quantiles of normal returns, ``[window, horizon, level]``."""
    steps = np.sqrt(np.arange(1, HORIZON + 1))
    return (width * sigma[:, None, None] * steps[:, None] * NORMAL).astype(np.float32)


def backtest_with(quantiles: Mapping[str, np.ndarray], targets: np.ndarray) -> Backtests:
    """Of forecasts of the closes; highs and lows are the highest and the lowest close, forecast as their positive part.

    A fan that is wider than another stays so, hence the same models have skill.
    """
    folds = np.repeat(np.arange(FOLDS + 1), [CALIBRATION, *[HOURS] * FOLDS])
    return make_backtests(running(targets[..., None]), ranged(quantiles), folds)


def context_of(backtests: Backtests, **calibration: int) -> BacktestContext:
    parameters = CalibrationParameters(**{"min_forecasts": 10_000} | calibration)
    return BacktestContext(backtests, RULES, parameters, n_comparisons=1, newer_hours=0)


def evaluate(backtests: Backtests, name: str, *faults: str) -> ChallengerResult:
    context = context_of(backtests)
    return evaluate_challenger(context, name, {}, as_served(context, name), faults)


@pytest.fixture(scope="module")
def market() -> tuple[np.ndarray, np.ndarray]:
    """A volatility of its own for each origin, ``[window]``, and the returns of the hours after it."""
    rng = np.random.default_rng(5)
    count = CALIBRATION + FOLDS * HOURS
    sigma = np.exp(rng.normal(-5, 0.8, count))
    return sigma, (sigma[:, None] * rng.normal(size=(count, HORIZON))).cumsum(axis=1)


@pytest.fixture(scope="module")
def backtests(market: tuple[np.ndarray, np.ndarray]) -> Backtests:
    sigma, targets = market
    flat = np.full_like(sigma, np.exp(-4.7))
    quantiles = {"baseline": fan(flat), "good": fan(sigma), "blind": fan(flat, 1.05), "shifted": fan(sigma) + 0.02}
    return backtest_with(quantiles, targets)


def test_skills_of_highs_and_lows_are_shares_of_the_baselines_loss_on_the_test_folds(backtests: Backtests) -> None:
    good, levels = evaluate(backtests, "good"), np.array(QUANTILE_LEVELS)
    at = [LEVELS.index(level) for level in QUANTILE_LEVELS]
    loss = {}
    for target in ("high", "low"):
        tested = backtests[target].test_folds()
        for name in ("good", "baseline"):
            errors = tested.targets[:, :, None] - tested.quantiles[name][:, :, at]
            loss[target, name] = np.maximum(levels * errors, (levels - 1) * errors).mean()
    high, low = (1 - loss[target, "good"] / loss[target, "baseline"] for target in ("high", "low"))

    assert (good.high_crps_skill, good.low_crps_skill) == pytest.approx((high, low))
    far_off = with_model(backtests, "good", lambda each: each.quantiles["good"] + np.float32(0.05))
    refused = evaluate(backtests | {"high": far_off["high"]}, "good").verdict
    assert refused.reason.startswith("refused: its highs are"), "good closes do not make up for them"


def test_what_is_served_is_nested_and_kept_by_target_without_the_calibration_fold(backtests: Backtests) -> None:
    context = context_of(backtests, min_forecasts=24, shrinkage=0)
    served = as_served(context, "good")

    kept = keep_served(backtests, {"good": served})

    close, high, low = (kept[target].quantiles["good"] for target in ("close", "high", "low"))
    assert len(close) == len(high) == len(low) == FOLDS * HOURS
    assert (high >= np.maximum(close, 0)).all()
    assert (low <= np.minimum(close, 0)).all()
    assert all(list(each.quantiles) == ["baseline", "good"] for each in kept.values())
    np.testing.assert_array_equal(
        kept["high"].quantiles["baseline"], backtests["high"].quantiles["baseline"][CALIBRATION:]
    )


def test_a_median_without_an_edge_is_served_as_the_last_close_and_one_with_an_edge_stays(
    backtests: Backtests, market: tuple[np.ndarray, np.ndarray]
) -> None:
    sigma, targets = market
    knowing = fan(sigma) + targets[:, :, None].astype(np.float32) / 2

    shifted = as_served(context_of(backtests), "shifted")
    kept = as_served(context_of(backtest_with({"baseline": fan(sigma), "knowing": knowing}, targets)), "knowing")

    assert shifted.edge.reason.startswith("no edge: mean absolute error")
    expected = backtests["close"].quantiles["good"][CALIBRATION:]
    np.testing.assert_allclose(shifted.quantiles["close"][:, :, 3:-3], expected[:, :, 3:-3], atol=1e-7)
    assert kept.edge.publish, kept.edge.reason
    np.testing.assert_array_equal(kept.quantiles["close"][:, :, 3:-3], knowing[CALIBRATION:, :, 3:-3])


def test_the_first_fold_is_calibrated_on_the_calibration_fold(market: tuple[np.ndarray, np.ndarray]) -> None:
    sigma, targets = market
    quantiles = {"baseline": fan(sigma), "wide": fan(sigma, 3.0)}
    context = context_of(backtest_with(quantiles, targets), min_forecasts=24, shrinkage=0)

    served = as_served(context, "wide").quantiles

    for target, level in (("close", -4), ("high", -4), ("low", 3)):
        first = served[target][0, 0, level] / fan(sigma, 3.0)[CALIBRATION, 0, level]
        assert first == pytest.approx(0.5), "three times too wide, and no scale is smaller than a half"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("level", [0.25, 0.15])
def test_a_forecast_that_is_not_finite_is_refused_in_words_at_a_scored_level_or_another(
    backtests: Backtests, target: str, level: float
) -> None:
    broken = backtests[target].quantiles["good"].copy()
    broken[-1, 3, LEVELS.index(level)] = np.nan

    result = evaluate(backtests | {target: with_model(backtests, "good", lambda _: broken)[target]}, "good")

    assert result.verdict.reason == "refused: its losses are not finite numbers"
    assert (result.skill, result.p, result.high_crps_skill) == (None, None, None)


def test_the_champion_is_compared_on_the_same_folds(backtests: Backtests) -> None:
    with_champion = with_model(backtests, CHAMPION, lambda each: each.quantiles["good"])

    verdict = evaluate(with_champion, "good").verdict

    assert verdict.reason == "unchanged: as good as the champion, which stays; no newer candles"


AT = datetime(2025, 3, 1, 12, tzinfo=UTC)

Row = tuple[float, str, str, bool]
"""Hours before ``AT``, recipe, version, whether it was chosen and may be published; without a recipe the baseline."""


def log_of(*rows: Row) -> pd.DataFrame:
    names = ("at", "recipe", "version", "chosen")
    frame = pd.DataFrame([dict(zip(names, (AT - timedelta(hours=row[0]), *row[1:]), strict=True)) for row in rows])
    architectures = frame["recipe"].map(lambda recipe: "har" if recipe else "baseline")
    frame = frame.assign(architecture=architectures, publish=frame["chosen"], reason="")
    return frame.reindex(columns=list(DTYPES)).astype(DTYPES)


@pytest.mark.parametrize(
    ("rows", "promoted", "expected"),
    [
        pytest.param([(1, "a", "v1", False), (2, "a", "v0", False)], (), 1, id="once a day"),
        pytest.param([(24, "a", "v1", False), (48, "a", "v0", False)], (), 3, id="again the next day"),
        pytest.param([(72, "a", "v0", False), (48, "a", "v1", True), (24, "b", "v2", False)], ("v1",), 2, id="since"),
        pytest.param([(48, "a", "v1", True), (24, "b", "v2", False)], (), 3, id="killed before the promotion"),
        pytest.param([(48, "a", "v0", False), (47, "", "v1", True)], ("v1",), 2, id="the baseline is no promotion"),
    ],
)
def test_recipes_are_counted_by_day_since_the_last_promotion(
    rows: list[Row], promoted: tuple[str, ...], expected: int
) -> None:
    assert count_since_promotion(log_of(*rows), pd.DataFrame(), promoted).count(["a"], AT) == expected


def test_every_trial_of_tuning_since_the_promotion_counts() -> None:
    trials = pd.DataFrame({"at": pd.to_datetime([AT - timedelta(hours=60), AT - timedelta(hours=1)], utc=True)})
    verdicts = log_of((48, "a", "v1", True))

    assert count_since_promotion(verdicts, trials, ("v1",)).count(["a"], AT) == 2
    assert count_since_promotion(verdicts, trials, ()).count(["a"], AT) == 4


def test_the_log_has_one_row_a_challenger_with_its_figures() -> None:
    rows = verdict_rows(EvaluationReport.model_validate(judgement("har")), {"har": "0123456789ab"})

    both = pd.concat([rows, rows], ignore_index=True)

    assert {name: str(dtype) for name, dtype in both.dtypes.items()} == DTYPES
    assert rows[["architecture", "recipe", "chosen", "publish", "folds_won", "dm_t"]].to_dict("records") == [
        {"architecture": "har", "recipe": "0123456789ab", "chosen": True, "publish": True, "folds_won": 8, "dm_t": 3.5}
    ]
