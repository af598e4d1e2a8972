"""Windows of features and targets, and the parts that they are split into."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.errors import DataError, ParameterError
from make_us_rich.domain.forecast import HORIZON as FORECAST_HORIZON
from make_us_rich.domain.forecast import TARGETS
from make_us_rich.features.registry import compute_features
from make_us_rich.features.split import Parts, Split, min_rows, split_rows, split_windows
from make_us_rich.features.windows import Windows, find_origins, make_windows

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


def test_input_ends_with_the_origin(make_klines: MakeKlines) -> None:
    klines = make_klines(ROWS, gaps=[50])
    windows = windows_over(klines)

    frame = compute_features("calendar_ohlc", klines).to_numpy(np.float32)
    inputs = windows.inputs()

    assert inputs.shape == (len(windows), 10, 9)
    for window, origin in enumerate(windows.origins):
        np.testing.assert_array_equal(inputs[window], frame[origin - 9 : origin + 1])


@given(gaps=gaps)
def test_highs_and_lows_are_the_furthest_moves_from_the_last_close_until_each_hour(
    make_klines: MakeKlines, gaps: list[int]
) -> None:
    klines = make_klines(ROWS, gaps=gaps)
    windows = windows_over(klines)

    close, high, low = (klines[name].tolist() for name in TARGETS)
    found = windows.all_targets()
    for window, origin in enumerate(windows.origins.tolist()):
        for hour in range(1, 5):
            ahead = slice(origin + 1, origin + hour + 1)
            highest, lowest = (max(close[origin], *high[ahead]), min(close[origin], *low[ahead]))
            assert found["close"][window, hour - 1] == pytest.approx(np.log(close[origin + hour] / close[origin]))
            assert found["high"][window, hour - 1] == pytest.approx(np.log(highest / close[origin]))
            assert found["low"][window, hour - 1] == pytest.approx(np.log(lowest / close[origin]))


@pytest.mark.parametrize("chosen", [slice(None), slice(20, 60), np.array([7]), np.arange(5, 15)])
def test_contiguous_inputs_are_views(windows: Windows, chosen: slice | np.ndarray) -> None:
    inputs = windows.at(windows.origins[chosen]).inputs()

    assert np.shares_memory(inputs, windows.features)
    assert not inputs.flags.writeable


def test_the_newest_windows_are_the_same_without_the_other_rows(windows: Windows) -> None:
    newest = windows.newest(3)

    assert len(newest.features) == 10 + 2 + 4
    for found, whole in (
        (newest.inputs(), windows.inputs()),
        *((newest.targets(target), windows.targets(target)) for target in TARGETS),
        (newest.timestamps[newest.origins], windows.timestamps[windows.origins]),
    ):
        np.testing.assert_array_equal(found, whole[-3:])


def test_a_feature_row_without_a_candle_is_refused(make_klines: MakeKlines) -> None:
    klines = make_klines(ROWS, start="2025-03-01")
    features = compute_features("calendar_ohlc", klines)

    with pytest.raises(
        DataError, match=r"no candle opens at 2025-03-01 07:00 UTC.*run the preprocessing pipeline again"
    ):
        make_windows(features, klines.drop(index=7), 10, 4)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("price", [0.0, -1.0, np.nan, np.inf])
def test_what_is_no_price_is_refused(make_klines: MakeKlines, target: str, price: float) -> None:
    klines = make_klines(ROWS)
    features = compute_features("calendar_ohlc", klines)
    klines.loc[5, target] = price

    with pytest.raises(DataError, match=f"a {target} is not a positive number"):
        make_windows(features, klines, 10, 4)


@pytest.mark.parametrize(("lookback", "horizon"), [(0, 4), (10, 0)])
def test_lookback_and_horizon_are_at_least_one(make_klines: MakeKlines, lookback: int, horizon: int) -> None:
    with pytest.raises(ParameterError, match=f"lookback is {lookback} and horizon {horizon}"):
        windows_over(make_klines(ROWS), lookback, horizon)


LOOKBACK = 5
HORIZON = 6
sizes = st.integers(150, 400)
fractions = st.floats(0.05, 0.4)


def split(klines: pd.DataFrame, test_fraction: float = 0.1, validation_fraction: float = 0.2) -> Split:
    rows = len(klines)
    start = klines["timestamp"].iloc[rows - round(rows * test_fraction)]
    return Split(rows=rows, test_start=start, validation_fraction=validation_fraction, horizon=HORIZON)


def parts_of(klines: pd.DataFrame, *fractions: float) -> Parts:
    return split_windows(windows_over(klines, LOOKBACK, HORIZON), split(klines, *fractions))


def target_rows(windows: Windows) -> set[int]:
    return {origin + hour for origin in windows.origins.tolist() for hour in range(1, HORIZON + 1)}


@given(rows=sizes, gaps=gaps, test_fraction=fractions, validation_fraction=fractions)
def test_no_target_is_shared_between_parts(
    make_klines: MakeKlines, rows: int, gaps: list[int], test_fraction: float, validation_fraction: float
) -> None:
    parts = parts_of(make_klines(rows, gaps=gaps), test_fraction, validation_fraction)

    fit, validation, test = map(target_rows, (parts.train, parts.validation, parts.test))

    assert not fit & validation
    assert not fit & test
    assert not validation & test


@given(rows=sizes, gaps=gaps)
def test_every_window_is_in_a_part_or_in_an_embargo(make_klines: MakeKlines, rows: int, gaps: list[int]) -> None:
    klines = make_klines(rows, gaps=gaps)
    parts = parts_of(klines)
    first_test = int((klines["timestamp"] < split(klines).test_start).sum())

    used = {*parts.train.origins, *parts.validation.origins, *parts.test.origins}
    left_out = set(windows_over(klines, LOOKBACK, HORIZON).origins) - used

    before_validation = range(parts.validation.origins[0] - HORIZON + 1, parts.validation.origins[0])
    before_test = range(first_test - HORIZON, first_test - 1)
    assert left_out <= {*before_validation, *before_test}
    assert not used & {*before_validation, *before_test}


@given(rows=sizes, gaps=gaps)
def test_a_published_fit_sees_every_outcome_and_as_many_hours_as_a_fold(
    make_klines: MakeKlines, rows: int, gaps: list[int]
) -> None:
    klines = make_klines(rows, gaps=gaps)
    timestamps = pd.DatetimeIndex(klines["timestamp"])
    windows = make_windows(compute_features("calendar_ohlc", klines), klines, LOOKBACK, FORECAST_HORIZON)

    whole = split_windows(windows, split_rows(timestamps, 0.2))
    parts = split_windows(windows, split_rows(timestamps, 0.2, train_size=72))

    recent = windows.origins[timestamps[windows.origins] >= timestamps[-1] - pd.Timedelta(hours=72)]
    for made, origins in ((whole, windows.origins), (parts, recent)):
        assert len(made.test) == 0
        assert made.validation.origins.tolist() == origins[len(origins) - round(len(origins) / 5) :].tolist()
        assert made.train.origins.tolist() == origins[: len(made.train)].tolist()
        assert made.validation or len(made.train) == len(origins)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rows": 301}, "split was made for 301 candles and there are 300"),
        ({"horizon": HORIZON - 1}, "look 6 hours ahead and the split's embargo is 5 hours"),
    ],
)
def test_a_split_of_other_windows_is_refused(make_klines: MakeKlines, changes: dict[str, int], problem: str) -> None:
    klines = make_klines(300)

    with pytest.raises(DataError, match=problem):
        split_windows(windows_over(klines, LOOKBACK, HORIZON), split(klines).model_copy(update=changes))


@given(lookback=st.integers(1, 60), validation_fraction=fractions)
def test_rows_needed_are_just_enough(make_klines: MakeKlines, lookback: int, validation_fraction: float) -> None:
    def counts(rows: int) -> tuple[int, int]:
        klines = make_klines(rows)
        windows = make_windows(compute_features("calendar_ohlc", klines), klines, lookback, FORECAST_HORIZON)
        parts = split_windows(windows, split_rows(pd.DatetimeIndex(klines["timestamp"]), validation_fraction))
        return len(parts.train), len(parts.validation)

    needed = min_rows(lookback, validation_fraction)

    assert all(counts(needed))
    assert not all(counts(needed - 1))
