"""What a leak does to the scores: nothing is learned from a random walk, and a look at tomorrow is."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from leakage.causality import assert_causal
from leakage.walked import Relived, relive
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.evaluation.contest import Contest, contest, joint_loss
from make_us_rich.evaluation.folds import WalkForward
from make_us_rich.evaluation.gate import Evidence, GateRules, judge
from make_us_rich.features import har
from make_us_rich.features.feature_set import FEATURE_SETS, FeatureSet, compute_features
from make_us_rich.models.baseline import Baseline
from make_us_rich.models.har import Har
from synthetic import simulated_klines

PLAN = WalkForward(folds=4, hours=168, lead_in_hours=24, train_hours=1_500, least_windows=1_000)
RULES = GateRules(folds=4, fold_hours=168)
ROWS = har.WARMUP + 1_500 + 24 + 4 * 168 + 24 + 24
MARKETS = 12


class LeakingHar(Har):
    """It is told tomorrow's range in place of the volume."""

    feature_set: Literal["leaking"] = "leaking"  # type: ignore[assignment]


RECIPES = {
    "baseline": Baseline(lookback=720, decays=(0.97, 0.985, 0.995, 0.999)),
    # Not drawn towards symmetry, which a random walk rewards.
    "har": Har(lookback=1, symmetric_from=1, symmetry=0),
    "leaking": LeakingHar(lookback=1, symmetric_from=1, symmetry=0),
}


def with_tomorrows_range(klines: pd.DataFrame) -> Mapping[str, ArrayLike]:
    high, low = (klines[name][::-1].rolling(24) for name in ("high", "low"))
    ahead = np.log(high.max() / low.min())[::-1].shift(-1)
    return {**har.har(klines), "volume_surge": np.log(ahead)}


@pytest.fixture(autouse=True)
def _leaking(monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = FeatureSet("leaking", har.COLUMNS, har.WARMUP, with_tomorrows_range)
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


def losses(relived: Relived) -> dict[str, np.ndarray]:
    walk = relived.walk.judged()
    return {name: joint_loss(walk.targets, quantiles, walk.levels) for name, quantiles in walk.quantiles.items()}


def contest_of(relived: Relived, name: str) -> Contest:
    lost = losses(relived)
    return contest(lost[name], lost["baseline"], relived.walk.judged().folds)


def is_published(relived: Relived, name: str) -> bool:
    lost, folds = losses(relived), relived.walk.judged().folds
    return judge(Evidence(lost[name], lost["baseline"], None, folds, coverage_90=0.9), RULES).publish


def test_a_random_walk_teaches_nothing_that_the_gate_accepts_and_a_look_at_tomorrow_passes_it() -> None:
    markets = [relive(random_walk(seed), RECIPES, PLAN) for seed in range(MARKETS)]

    skills = {name: np.mean([contest_of(each, name).skill for each in markets]) for name in ("har", "leaking")}
    published = {name: sum(is_published(each, name) for each in markets) for name in ("har", "leaking")}

    assert skills["har"] < 0.002
    assert skills["leaking"] > 0.008
    # 5 % by chance: 0.6 of 12, two at two standard errors.
    assert published["har"] <= 2
    assert published["leaking"] >= MARKETS / 2


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "LTCUSDT"])
def test_tomorrows_range_is_worth_over_five_percent_of_the_crps_and_several_honest_models(symbol: str) -> None:
    walked = relive(simulated_klines(symbol, ROWS), RECIPES, PLAN)

    leaking, honest = (contest_of(walked, name).skill for name in ("leaking", "har"))

    assert leaking > 0.05
    assert leaking > 2 * honest


def test_the_suite_catches_what_the_scores_only_hint_at() -> None:
    klines = simulated_klines(rows=ROWS)

    with pytest.raises(AssertionError, match=r"\['volume_surge'\] up to row \d+ know of later candles"):
        assert_causal(lambda candles: compute_features("leaking", candles), klines, [har.WARMUP])
