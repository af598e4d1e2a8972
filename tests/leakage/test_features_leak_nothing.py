"""No feature of a candle changes with a later candle; and features that do are caught."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from leakage.causality import Compute, assert_causal
from make_us_rich.domain.klines import KLINE_COLUMNS
from make_us_rich.features.feature_set import FEATURE_SETS, FeatureSet, compute_features
from make_us_rich.features.windows import make_windows
from synthetic import simulated_klines

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
    copied = whole.inputs(np.arange(len(whole))[::-1])[::-1]
    given = np.concatenate([whole.inputs(), copied], axis=1).reshape(len(whole), -1)
    return pd.DataFrame(np.column_stack([given, whole.last_closes()]), whole.origins).reindex(range(len(klines)))


@by_feature_set
def test_no_feature_changes_with_a_later_candle(name: str) -> None:
    klines = market(name)

    assert_causal(partial(compute_features, name), klines, origins_of(name))
    assert compute_features(name, klines).iloc[GAP + FEATURE_SETS[name].warmup :].notna().all(axis=None)


@by_feature_set
def test_no_input_of_a_model_changes_with_a_later_candle(name: str) -> None:
    assert_causal(partial(inputs, name), market(name), origins_of(name)[-3:])


@by_feature_set
def test_no_feature_changes_with_a_candle_before_a_gap(name: str) -> None:
    klines = market(name)
    changed = klines.copy()
    changed.loc[: GAP - 1, ["open", "high", "low", "close", "volume", "tb_base_av"]] *= 7
    changed.loc[: GAP - 1, "trades"] *= 7

    before, after = (compute_features(name, frame).iloc[GAP:] for frame in (klines, changed))

    pd.testing.assert_frame_equal(after, before, check_exact=True)


def centred_mean(klines: pd.DataFrame) -> pd.Series:
    return klines["close"].rolling(25, center=True, min_periods=1).mean()


def tomorrows_close(klines: pd.DataFrame) -> pd.Series:
    return klines["close"].shift(-24)


def z_score_over_all_rows(klines: pd.DataFrame) -> pd.Series:
    return (klines["close"] - klines["close"].mean()) / klines["close"].std()


def share_of_the_highest(klines: pd.DataFrame) -> pd.Series:
    return klines["high"] / klines["high"].max()


def rank_among_all_rows(klines: pd.DataFrame) -> pd.Series:
    return klines["volume"].rank(pct=True)


def share_of_the_last_close(klines: pd.DataFrame) -> pd.Series:
    return klines["close"] / klines["close"].iloc[-1]


def filled_backward(klines: pd.DataFrame) -> pd.Series:
    return klines["close"].where(klines.index % 6 == 5).bfill()


def interpolated(klines: pd.DataFrame) -> pd.Series:
    return klines["close"].where(klines.index % 6 == 0).interpolate()


def usual_volume_of_the_hour_on_all_days(klines: pd.DataFrame) -> pd.Series:
    return klines["volume"].groupby(klines["timestamp"].dt.hour).transform("mean")


def smoothed_both_ways(klines: pd.DataFrame) -> pd.Series:
    return klines["close"][::-1].ewm(alpha=0.1).mean()[::-1]


def hours_until_the_next_candle(klines: pd.DataFrame) -> pd.Series:
    return klines["timestamp"].diff().shift(-1) / pd.Timedelta("1h")


def rows_until_the_end(klines: pd.DataFrame) -> pd.Series:
    return pd.Series(np.arange(len(klines))[::-1])


def a_trace_of_the_next_close(klines: pd.DataFrame) -> pd.Series:
    return klines["close"] * (1 + 1e-12 * klines["close"].shift(-1).fillna(0))


LEAKS = (
    centred_mean,
    tomorrows_close,
    z_score_over_all_rows,
    share_of_the_highest,
    rank_among_all_rows,
    share_of_the_last_close,
    filled_backward,
    interpolated,
    usual_volume_of_the_hour_on_all_days,
    smoothed_both_ways,
    hours_until_the_next_candle,
    rows_until_the_end,
    a_trace_of_the_next_close,
)


def check(compute: Compute) -> None:
    assert_causal(compute, market("returns"), origins_of("returns"))


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_feature_that_looks_ahead_is_caught(leak: Compute) -> None:
    with pytest.raises(AssertionError, match=r"\['leak'\] up to row \d+ know of later candles"):
        check(lambda klines: leak(klines).to_frame("leak"))


@pytest.mark.parametrize("column", KLINE_COLUMNS)
def test_a_look_at_the_next_hour_of_any_column_is_caught(column: str) -> None:
    with pytest.raises(AssertionError, match="know of later candles"):
        check(lambda klines: klines[[column]].shift(-1).astype("int64" if "time" in column else "float64"))


def test_one_leak_among_many_honest_columns_is_caught_and_named() -> None:
    def one_of_forty(klines: pd.DataFrame) -> pd.DataFrame:
        honest = {f"close_{hours}h_ago": klines["close"].shift(hours) for hours in range(40)}
        return pd.DataFrame(honest | {"close_17h_ago": klines["close"].shift(-1)})

    with pytest.raises(AssertionError, match=r"\['close_17h_ago'\] up to row 0 know"):
        check(one_of_forty)


def test_a_leaking_feature_set_of_the_registry_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    leaking = FeatureSet("leaking", ("leak",), 0, lambda klines: {"leak": klines["close"].shift(-1)})
    monkeypatch.setitem(FEATURE_SETS, "leaking", leaking)

    with pytest.raises(AssertionError):
        test_no_feature_changes_with_a_later_candle("leaking")
    with pytest.raises(AssertionError):
        test_no_input_of_a_model_changes_with_a_later_candle("leaking")


def mean_of_the_last_day(klines: pd.DataFrame) -> pd.Series:
    return klines["close"].rolling(24, min_periods=1).mean()


def share_of_the_highest_so_far(klines: pd.DataFrame) -> pd.Series:
    return klines["high"] / klines["high"].cummax()


def filled_forward(klines: pd.DataFrame) -> pd.Series:
    return klines["close"].where(klines.index % 6 == 0).ffill()


def smoothed(klines: pd.DataFrame) -> pd.Series:
    return klines["close"].ewm(alpha=0.1).mean()


def usual_volume_of_the_hour_so_far(klines: pd.DataFrame) -> pd.Series:
    return klines["volume"].groupby(klines["timestamp"].dt.hour).cumsum()


HONEST = (
    mean_of_the_last_day,
    share_of_the_highest_so_far,
    filled_forward,
    smoothed,
    usual_volume_of_the_hour_so_far,
)


@pytest.mark.parametrize("feature", HONEST, ids=lambda feature: feature.__name__)
def test_a_feature_of_the_past_is_not_accused(feature: Compute) -> None:
    check(lambda klines: feature(klines).to_frame("honest"))
