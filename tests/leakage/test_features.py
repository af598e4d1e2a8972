"""No feature of a candle changes with a later candle, or has an open one; and features that do are caught."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest

from leakage.causality import Compute, assert_causal
from make_us_rich.domain.klines import HOUR, KLINE_COLUMNS
from make_us_rich.features.registry import FEATURE_SETS, compute_features
from make_us_rich.features.windows import make_windows
from make_us_rich.pipelines.fetching.nodes import FetchingParameters, check_klines
from synthetic import RUN, configured_parameters, simulated_klines

GAP = 60
"""The row before which three hours are missing."""
LOOKBACK = 24
by_feature_set = pytest.mark.parametrize("name", sorted(FEATURE_SETS))


def market(name: str) -> pd.DataFrame:
    """A gap, the warm-up after it, and a week of complete rows."""
    klines = simulated_klines(rows=GAP + 3 + FEATURE_SETS[name].warmup + 168)
    return klines.drop(range(GAP, GAP + 3)).reset_index(drop=True)


def origins_of(name: str) -> tuple[int, ...]:
    """The first row, those at the gap and where the warm-up ends, one well after it, and the last but one."""
    complete = GAP + FEATURE_SETS[name].warmup
    return 0, GAP - 1, GAP, complete - 1, complete, complete + 100, complete + 166


def inputs(name: str, klines: pd.DataFrame) -> pd.DataFrame:
    """What a model is given at each row: ``LOOKBACK`` rows of every feature, as a view and as a copy, and the close."""
    windows = make_windows(compute_features(name, klines), klines, LOOKBACK, horizon=1)
    whole = windows.at(np.arange(LOOKBACK - 1, len(klines)))
    copied = whole.at(whole.origins[::-1]).inputs()[::-1]
    given = np.concatenate([whole.inputs(), copied], axis=1).reshape(len(whole), -1)
    return pd.DataFrame(np.column_stack([given, whole.last_closes()]), whole.origins).reindex(range(len(klines)))


@by_feature_set
def test_no_feature_changes_with_a_later_candle(name: str) -> None:
    klines = market(name)

    assert_causal(partial(compute_features, name), klines, origins_of(name))
    assert compute_features(name, klines).iloc[GAP + FEATURE_SETS[name].warmup :].notna().all(axis=None)


@by_feature_set
def test_no_input_of_a_model_changes_with_a_later_candle(name: str) -> None:
    # Each column by itself is changed by the test of the features, of which the inputs are made.
    assert_causal(partial(inputs, name), market(name), origins_of(name)[-3:], columns=("close",))


@by_feature_set
def test_no_feature_changes_with_a_candle_before_a_gap(name: str) -> None:
    klines = market(name)
    changed = klines.copy()
    changed.loc[: GAP - 1, ["open", "high", "low", "close", "volume", "tb_base_av"]] *= 7
    changed.loc[: GAP - 1, "trades"] *= 7

    before, after = (compute_features(name, frame).iloc[GAP:] for frame in (klines, changed))

    pd.testing.assert_frame_equal(after, before, check_exact=True)


LEAKS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "centred mean": lambda klines: klines["close"].rolling(25, center=True, min_periods=1).mean(),
    "z-score over all rows": lambda klines: (klines["close"] - klines["close"].mean()) / klines["close"].std(),
    "share of the last close": lambda klines: klines["close"] / klines["close"].iloc[-1],
    "usual volume of the hour on all days": lambda klines: (
        klines["volume"].groupby(klines["timestamp"].dt.hour).transform("mean")
    ),
    "hours until the next candle": lambda klines: klines["timestamp"].diff().shift(-1) / pd.Timedelta("1h"),
    "a trace of the next close": lambda klines: klines["close"] * (1 + 1e-12 * klines["close"].shift(-1).fillna(0)),
}


def check(compute: Compute) -> None:
    assert_causal(compute, market("returns"), origins_of("returns"))


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_feature_that_looks_ahead_is_caught(leak: Callable[[pd.DataFrame], pd.Series]) -> None:
    with pytest.raises(AssertionError, match=r"\['leak'\] up to row \d+ know of later candles"):
        check(lambda klines: leak(klines).to_frame("leak"))


@pytest.mark.parametrize("column", KLINE_COLUMNS)
def test_a_look_at_the_next_hour_of_any_column_is_caught(column: str) -> None:
    with pytest.raises(AssertionError, match="know of later candles"):
        check(lambda klines: klines[[column]].shift(-1).astype("int64" if "time" in column else "float64"))


PARAMETERS = FetchingParameters.model_validate(configured_parameters()["fetching"] | {"min_candles": 5})


@by_feature_set
@pytest.mark.parametrize("open_for", [timedelta(0), timedelta(minutes=30), HOUR - timedelta(milliseconds=1)])
def test_features_are_those_without_the_open_candle(name: str, open_for: timedelta) -> None:
    sent = simulated_klines(rows=200)
    now = sent["timestamp"].iloc[-1] + open_for

    klines, _ = check_klines(sent, {"now": now.isoformat()}, RUN, PARAMETERS)

    features = compute_features(name, klines)
    assert (features.index + HOUR <= now).all()
    pd.testing.assert_frame_equal(features, compute_features(name, sent.iloc[:-1]), check_exact=True)
