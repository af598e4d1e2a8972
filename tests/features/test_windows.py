from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.features.feature_set import compute_features
from make_us_rich.features.windows import Windows, find_origins, input_rows, make_windows

MakeKlines = Callable[..., pd.DataFrame]
ROWS = 120
HOUR = pd.Timedelta("1h")
gaps = st.lists(st.integers(1, ROWS - 1), max_size=4)


@pytest.fixture(scope="module")
def windows(make_klines: MakeKlines) -> Windows:
    return windows_over(make_klines(ROWS))


def windows_over(klines: pd.DataFrame, lookback: int = 10, horizon: int = 4) -> Windows:
    return make_windows(compute_features("calendar_ohlc", klines), klines, lookback, horizon)


def valid(frame: pd.DataFrame, row: int, lookback: int, horizon: int) -> bool:
    """Whether a row is an origin, by its definition."""
    first, last = row - lookback + 1, row + horizon
    if first < 0 or last >= len(frame):
        return False
    steps = [frame.index[at] - frame.index[at - 1] for at in range(first + 1, last + 1)]
    return all(step == HOUR for step in steps) and bool(np.isfinite(frame.iloc[first : row + 1].to_numpy()).all())


@given(
    gaps=gaps,
    lookback=st.integers(1, 30),
    horizon=st.integers(1, 30),
    unfinished=st.lists(st.integers(0, ROWS - 1), max_size=4),
)
def test_origins_are_the_rows_that_the_definition_allows(
    make_klines: MakeKlines, gaps: list[int], lookback: int, horizon: int, unfinished: list[int]
) -> None:
    frame = compute_features("calendar_ohlc", make_klines(ROWS, gaps=gaps))
    frame.iloc[unfinished, 4] = np.nan

    origins = find_origins(frame, lookback, horizon)

    assert origins.tolist() == [row for row in range(ROWS) if valid(frame, row, lookback, horizon)]


@given(gaps=gaps, lookback=st.integers(1, 30), horizon=st.integers(1, 30))
def test_no_window_crosses_a_gap(make_klines: MakeKlines, gaps: list[int], lookback: int, horizon: int) -> None:
    windows = windows_over(make_klines(ROWS, gaps=gaps), lookback, horizon)

    first = windows.timestamps[windows.origins - lookback + 1]
    last = windows.timestamps[windows.origins + horizon]

    assert (last - first == np.timedelta64(lookback + horizon - 1, "h")).all()


def test_the_warm_up_does_not_cross_a_gap(make_klines: MakeKlines) -> None:
    klines = make_klines(450, gaps=[220])

    windows = make_windows(compute_features("returns", klines), klines, 10, 4)

    first_of_each_run = [168 + 9, 220 + 168 + 9]
    last_of_each_run = [219 - 4, 449 - 4]
    expected = [
        *range(first_of_each_run[0], last_of_each_run[0] + 1),
        *range(first_of_each_run[1], last_of_each_run[1] + 1),
    ]
    assert windows.origins.tolist() == expected


def test_input_ends_with_the_origin(make_klines: MakeKlines) -> None:
    klines = make_klines(ROWS, gaps=[50])
    windows = windows_over(klines)

    frame = compute_features("calendar_ohlc", klines).to_numpy(np.float32)
    inputs = windows.inputs()

    assert inputs.shape == (len(windows), 10, 9)
    for window, origin in enumerate(windows.origins):
        np.testing.assert_array_equal(inputs[window], frame[origin - 9 : origin + 1])


def test_targets_are_log_returns_from_the_origin(make_klines: MakeKlines) -> None:
    klines = make_klines(ROWS, gaps=[50])
    windows = windows_over(klines)

    close = klines["close"].to_numpy()
    expected = [[np.log(close[t + h] / close[t]) for h in range(1, 5)] for t in windows.origins]

    np.testing.assert_allclose(windows.targets(), expected, rtol=1e-13)
    np.testing.assert_array_equal(windows.last_closes(), close[windows.origins])


@pytest.mark.parametrize("chosen", [slice(None), slice(20, 60), np.array([7]), np.arange(5, 15)])
def test_contiguous_inputs_are_views(windows: Windows, chosen: slice | np.ndarray) -> None:
    inputs = windows.inputs(chosen)

    assert np.shares_memory(inputs, windows.features)
    assert not inputs.flags.writeable


def test_a_shuffled_batch_is_gathered(windows: Windows) -> None:
    batch = np.array([30, 2, 60])

    inputs = windows.inputs(batch)

    assert not np.shares_memory(inputs, windows.features)
    np.testing.assert_array_equal(inputs, windows.inputs()[batch])


def test_origins_on_both_sides_of_a_gap_are_gathered(make_klines: MakeKlines) -> None:
    windows = windows_over(make_klines(ROWS, gaps=[60]))

    assert not np.shares_memory(windows.inputs(), windows.features)
    assert np.shares_memory(windows.inputs(slice(0, 20)), windows.features)


def test_windows_can_be_chosen_by_a_mask(windows: Windows) -> None:
    mask = windows.origins % 7 == 0

    np.testing.assert_array_equal(windows.inputs(mask), windows.inputs()[mask])


def test_no_windows_have_empty_inputs_and_targets(windows: Windows) -> None:
    none = windows.at(windows.origins[:0])

    assert (len(none), none.inputs().shape, none.targets().shape) == (0, (0, 10, 9), (0, 4))


def test_at_shares_every_array(windows: Windows) -> None:
    other = windows.at(windows.origins[3:9])

    assert other.features is windows.features
    assert other.closes is windows.closes
    np.testing.assert_array_equal(other.inputs(), windows.inputs()[3:9])


def test_earlier_and_later_candles_are_left_out(make_klines: MakeKlines) -> None:
    klines = make_klines(ROWS)
    middle = klines.iloc[30:90]

    windows = make_windows(compute_features("calendar_ohlc", middle), klines, 10, 4)

    np.testing.assert_array_equal(windows.closes, middle["close"])


@given(gaps=gaps, lookback=st.integers(1, 20))
def test_input_rows_are_the_rows_that_the_windows_see(make_klines: MakeKlines, gaps: list[int], lookback: int) -> None:
    origins = windows_over(make_klines(ROWS, gaps=gaps), lookback).origins[::3]

    seen = {row for origin in origins for row in range(origin - lookback + 1, origin + 1)}

    assert input_rows(origins, lookback).tolist() == sorted(seen)


def test_a_feature_row_without_a_candle_is_refused(make_klines: MakeKlines) -> None:
    klines = make_klines(ROWS, start="2025-03-01")
    features = compute_features("calendar_ohlc", klines)

    with pytest.raises(
        DataError, match=r"no candle opens at 2025-03-01 07:00 UTC.*run the preprocessing pipeline again"
    ):
        make_windows(features, klines.drop(index=7), 10, 4)


@pytest.mark.parametrize("close", [0.0, -1.0, np.nan, np.inf])
def test_a_close_that_is_no_price_is_refused(make_klines: MakeKlines, close: float) -> None:
    klines = make_klines(ROWS)
    klines.loc[5, "close"] = close

    with pytest.raises(DataError, match="a close is not a positive number"):
        windows_over(klines)


@pytest.mark.parametrize(("lookback", "horizon"), [(0, 4), (10, 0)])
def test_lookback_and_horizon_are_at_least_one(make_klines: MakeKlines, lookback: int, horizon: int) -> None:
    with pytest.raises(ParameterError, match=f"lookback is {lookback} and horizon {horizon}"):
        windows_over(make_klines(ROWS), lookback, horizon)
