"""A target is the closes of the coming day and nothing else; no window reaches over a gap."""

import math
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakage.causality import wild_after
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.klines import KLINE_COLUMNS
from make_us_rich.features.feature_set import compute_features
from make_us_rich.features.windows import Windows, make_windows
from synthetic import simulated_klines

ROWS, LOOKBACK = 150, 5
HOUR = timedelta(hours=1)
gaps = st.lists(st.integers(1, ROWS - 1), max_size=3, unique=True)
rows = st.integers(0, ROWS - 1)


def market(gaps: Sequence[int]) -> pd.DataFrame:
    """``ROWS`` candles; one hour is missing at each gap."""
    whole = simulated_klines(rows=ROWS + len(gaps))
    return whole.drop(list(gaps)).reset_index(drop=True)


def windows_of(klines: pd.DataFrame) -> Windows:
    return make_windows(compute_features("calendar_ohlc", klines), klines, LOOKBACK, HORIZON)


@settings(max_examples=20, deadline=None)
@given(gaps)
def test_targets_are_the_closes_of_the_next_24_hours_over_the_last(gaps: list[int]) -> None:
    klines = market(gaps)
    close = dict(zip(klines["timestamp"].tolist(), klines["close"].tolist(), strict=True))
    opened = list(close)
    windows = windows_of(klines)

    for origin, targets in zip(windows.origins, windows.targets().tolist(), strict=True):
        seen = opened[origin]
        expected = [math.log(close[seen + hour * HOUR] / close[seen]) for hour in range(1, 25)]
        assert np.abs(np.subtract(targets, expected)).max() < 1e-12


@settings(max_examples=20, deadline=None)
@given(gaps)
def test_every_hour_of_a_window_is_there_from_its_first_input_to_its_last_target(gaps: list[int]) -> None:
    klines = market(gaps)
    hours = (klines["timestamp"] - klines["timestamp"][0]) // HOUR

    origins = windows_of(klines).origins

    length = hours.to_numpy()[origins + HORIZON] - hours.to_numpy()[origins - LOOKBACK + 1]
    assert (length == LOOKBACK - 1 + HORIZON).all()
    assert (origins >= LOOKBACK - 1).all()


@settings(deadline=None)
@given(gaps, rows)
def test_a_close_changes_the_targets_of_its_own_origin_and_the_one_of_its_hour_at_24_others(
    gaps: list[int], row: int
) -> None:
    klines = market(gaps)
    changed = klines.copy()
    changed.loc[row, "close"] *= 1.01

    before, after = windows_of(klines), windows_of(changed)

    np.testing.assert_array_equal(after.origins, before.origins)
    origin, ahead = before.origins[:, None], np.arange(1, HORIZON + 1)
    np.testing.assert_array_equal(after.targets() != before.targets(), (origin == row) | (origin + ahead == row))


@pytest.mark.parametrize("column", [name for name in KLINE_COLUMNS if name not in ("timestamp", "close")])
def test_no_other_column_is_in_a_target(column: str) -> None:
    klines = market([70])

    before, after = windows_of(klines), windows_of(wild_after(klines, -1, column))

    np.testing.assert_array_equal(after.targets(), before.targets())


@settings(max_examples=40, deadline=None)
@given(gaps, rows)
def test_no_earlier_window_or_target_changes_with_later_candles(gaps: list[int], last: int) -> None:
    klines = market(gaps)
    before = windows_of(klines)
    over = before.origins + HORIZON <= last

    for other in (wild_after(klines, last), wild_after(klines, last, "timestamp"), klines.iloc[: last + 1]):
        after = windows_of(other)
        same = after.origins + HORIZON <= last
        np.testing.assert_array_equal(after.origins[same], before.origins[over])
        np.testing.assert_array_equal(after.targets()[same], before.targets()[over])
