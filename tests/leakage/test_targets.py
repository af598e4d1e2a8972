"""A target is the closes, highs or lows of the coming day and nothing else; no window reaches over a gap."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakage.causality import wild_after
from make_us_rich.domain.forecast import HORIZON, TARGETS
from make_us_rich.domain.klines import KLINE_COLUMNS
from make_us_rich.features.registry import compute_features
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


@given(gaps, rows, st.sampled_from([("high", 10), ("low", 0.1)]))
def test_an_extreme_of_an_hour_is_in_the_targets_of_the_24_origins_before_it_from_that_hour_on(
    gaps: list[int], row: int, extreme: tuple[str, float]
) -> None:
    target, factor = extreme
    klines = market(gaps)
    changed = klines.copy()
    changed.loc[row, target] *= factor

    before, after = windows_of(klines), windows_of(changed)

    origin, ahead = before.origins[:, None], np.arange(1, HORIZON + 1)
    in_it = (origin < row) & (row <= origin + ahead)
    np.testing.assert_array_equal(after.targets(target) != before.targets(target), in_it)
    moves = np.log(changed[target].to_numpy()[row] / changed["close"].to_numpy()[origin])
    np.testing.assert_allclose(after.targets(target)[in_it], np.broadcast_to(moves, in_it.shape)[in_it])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("column", [name for name in KLINE_COLUMNS if name not in ("timestamp", "close")])
def test_no_other_column_is_in_a_target(column: str, target: str) -> None:
    klines = market([70])

    before, after = windows_of(klines), windows_of(wild_after(klines, -1, column))

    assert np.array_equal(after.targets(target), before.targets(target)) == (column != target)


@given(gaps)
def test_a_missing_candle_leaves_no_outcome_of_any_window_that_spans_it(gaps: list[int]) -> None:
    klines = market(gaps)
    whole = windows_of(klines)
    starts = np.flatnonzero(klines["timestamp"].diff() > HOUR)
    runs = [klines.iloc[first:end] for first, end in pairwise([0, *starts, len(klines)])]

    alone = [windows_of(run) for run in runs if len(run) > HORIZON]

    for target in TARGETS:
        expected = np.concatenate([each.targets(target) for each in alone])
        np.testing.assert_array_equal(whole.targets(target), expected)
    opens = whole.timestamps[whole.origins]
    np.testing.assert_array_equal(opens, np.concatenate([each.timestamps[each.origins] for each in alone]))


@given(gaps, rows)
def test_no_earlier_window_or_target_changes_with_later_candles(gaps: list[int], last: int) -> None:
    klines = market(gaps)
    before = windows_of(klines)
    over = before.origins + HORIZON <= last

    for other in (wild_after(klines, last), wild_after(klines, last, "timestamp"), klines.iloc[: last + 1]):
        after = windows_of(other)
        same = after.origins + HORIZON <= last
        np.testing.assert_array_equal(after.origins[same], before.origins[over])
        for target in TARGETS:
            np.testing.assert_array_equal(after.targets(target)[same], before.targets(target)[over])
