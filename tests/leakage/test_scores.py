"""Scores show a leak: a random walk gives no skill, and a feature of tomorrow does."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from leakage.recorded import record_backtest
from make_us_rich.backtest.backtest import Backtest
from make_us_rich.backtest.comparison import compare_forecasts, mean_crps
from make_us_rich.backtest.folds import BacktestParameters
from make_us_rich.backtest.gate import GateInput, GateParameters, apply_gate
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.features.base import FeatureSet
from make_us_rich.features.har import HAR, har
from make_us_rich.features.registry import FEATURE_SETS
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.har import Har

PLAN = BacktestParameters(n_folds=4, test_size=168, calibration_size=24, train_size=1_500, min_train_size=1_000)
RULES = GateParameters(min_folds=4, min_test_size=168)
ROWS = HAR.warmup + 1_500 + 24 + 4 * 168 + 24 + 24
MARKETS = 8


class LeakingHar(Har):
    """It sees tomorrow's range in place of the volume."""

    feature_set: Literal["leaking"] = "leaking"  # type: ignore[assignment]


RECIPES = {
    "baseline": Baseline(lookback=720, decays=(0.97, 0.985, 0.995, 0.999)),
    # Without symmetric quantiles, which a random walk rewards.
    "har": Har(lookback=1, symmetric_from=1, symmetry=0),
    "leaking": LeakingHar(lookback=1, symmetric_from=1, symmetry=0),
}


def with_tomorrows_range(klines: pd.DataFrame) -> Mapping[str, ArrayLike]:
    high, low = (klines[name][::-1].rolling(24) for name in ("high", "low"))
    ahead = np.log(high.max() / low.min())[::-1].shift(-1)
    return {**har(klines), "volume_surge": np.log(ahead)}


@pytest.fixture(autouse=True)
def _leaking(monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = FeatureSet("leaking", HAR.columns, HAR.warmup, with_tomorrows_range)
    monkeypatch.setitem(FEATURE_SETS, "leaking", leaking)


def random_walk(seed: int) -> pd.DataFrame:
    """Candles of twelve steps of one size each: nothing of tomorrow is known."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(0, 0.002, (ROWS, 12))
    path = 100 * np.exp(steps.cumsum().reshape(ROWS, 12))
    opening = np.concatenate([[100], path[:-1, -1]])
    path = np.column_stack([opening, path])
    opened = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(ROWS), unit="h")
    prices = {"open": opening, "high": path.max(axis=1), "low": path.min(axis=1), "close": path[:, -1]}
    flows = {name: generator.exponential(9, ROWS) for name in ("volume", "quote_av", "tb_base_av", "tb_quote_av")}
    times = {"timestamp": opened, "close_time": opened + pd.Timedelta("59min 59.999s")}
    return pd.DataFrame({**times, **prices, **flows, "trades": 9, "ignore": 0.0}).astype(KLINE_DTYPES)


def compare(backtest: Backtest, name: str) -> tuple[float, bool]:
    """The skill of a model, and whether the gate publishes it."""
    own, baseline = (
        mean_crps(backtest.targets, backtest.quantiles[each], backtest.levels) for each in (name, "baseline")
    )
    verdict = apply_gate(GateInput(own, baseline, None, backtest.folds, coverage_90=0.9), RULES)
    return compare_forecasts(own, baseline, backtest.folds).skill, verdict.publish


def test_a_random_walk_teaches_nothing_that_the_gate_accepts_and_a_look_at_tomorrow_passes_it() -> None:
    recorded = [record_backtest(random_walk(seed), RECIPES, PLAN).backtests for seed in range(MARKETS)]
    markets = [each["close"].test_folds().scored() for each in recorded]

    skills, published = {}, {}
    for name in ("har", "leaking"):
        skills[name], published[name] = np.transpose([compare(each, name) for each in markets])

    assert skills["har"].mean() < 0.002
    assert skills["leaking"].mean() > 0.008
    # 5 % by chance: 0.4 of 8, two at two standard errors and a half.
    assert published["har"].sum() <= 2
    assert published["leaking"].sum() >= MARKETS / 2
