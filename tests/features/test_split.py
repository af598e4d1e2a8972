from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from make_us_rich.domain.errors import DataError
from make_us_rich.features.feature_set import compute_features
from make_us_rich.features.split import Origins, Parts, Split, split_rows, split_windows
from make_us_rich.features.sufficiency import count_rows_needed, find_lack
from make_us_rich.features.windows import Windows, make_windows

MakeKlines = Callable[..., pd.DataFrame]
LOOKBACK = 5
HORIZON = 6
sizes = st.integers(150, 400)
gaps = st.lists(st.integers(1, 149), max_size=3)
fractions = st.floats(0.05, 0.4)


def split(klines: pd.DataFrame, test_fraction: float = 0.1, validation_fraction: float = 0.2) -> Split:
    return split_rows(pd.DatetimeIndex(klines["timestamp"]), test_fraction, validation_fraction, HORIZON)


def windows_over(klines: pd.DataFrame, lookback: int = LOOKBACK) -> Windows:
    return make_windows(compute_features("calendar_ohlc", klines), klines, lookback, HORIZON)


def parts_of(klines: pd.DataFrame, *fractions: float) -> Parts:
    return split_windows(windows_over(klines), split(klines, *fractions))


def target_rows(windows: Windows) -> set[int]:
    return {origin + hour for origin in windows.origins.tolist() for hour in range(1, HORIZON + 1)}


def test_a_year_is_cut_into_7884_and_876_rows(make_klines: MakeKlines) -> None:
    klines = make_klines(8760)

    cut = split(klines)

    assert cut.rows == 8760
    assert cut.test_start == klines["timestamp"].iloc[7884]


@given(rows=sizes, gaps=gaps, test_fraction=fractions)
def test_not_one_row_is_lost(make_klines: MakeKlines, rows: int, gaps: list[int], test_fraction: float) -> None:
    klines = make_klines(rows, gaps=gaps)

    cut = split(klines, test_fraction)

    training = (klines["timestamp"] < cut.test_start).sum()
    test = (klines["timestamp"] >= cut.test_start).sum()
    assert training + test == cut.rows == rows
    assert abs(test - rows * test_fraction) <= 0.5


@given(rows=sizes, gaps=gaps, test_fraction=fractions, validation_fraction=fractions)
def test_no_target_is_shared_between_parts(
    make_klines: MakeKlines, rows: int, gaps: list[int], test_fraction: float, validation_fraction: float
) -> None:
    parts = parts_of(make_klines(rows, gaps=gaps), test_fraction, validation_fraction)

    fit, validation, test = map(target_rows, (parts.fit, parts.validation, parts.test))

    assert not fit & validation
    assert not fit & test
    assert not validation & test


@given(rows=sizes, gaps=gaps, test_fraction=fractions, validation_fraction=fractions)
def test_parts_follow_one_another_at_least_a_horizon_apart(
    make_klines: MakeKlines, rows: int, gaps: list[int], test_fraction: float, validation_fraction: float
) -> None:
    parts = parts_of(make_klines(rows, gaps=gaps), test_fraction, validation_fraction)
    assume(len(parts.fit) and len(parts.validation) and len(parts.test))

    assert parts.validation.origins[0] - parts.fit.origins[-1] >= HORIZON
    assert parts.test.origins[0] - parts.validation.origins[-1] >= HORIZON


@given(rows=sizes, gaps=gaps)
def test_every_window_is_in_a_part_or_in_an_embargo(make_klines: MakeKlines, rows: int, gaps: list[int]) -> None:
    klines = make_klines(rows, gaps=gaps)
    parts = parts_of(klines)
    first_test = int((klines["timestamp"] < split(klines).test_start).sum())

    used = {*parts.fit.origins, *parts.validation.origins, *parts.test.origins}
    left_out = set(windows_over(klines).origins) - used

    before_validation = range(parts.validation.origins[0] - HORIZON + 1, parts.validation.origins[0])
    before_test = range(first_test - HORIZON, first_test - 1)
    assert left_out <= {*before_validation, *before_test}
    assert not used & {*before_validation, *before_test}


def test_the_first_test_target_opens_at_the_start_of_the_test(make_klines: MakeKlines) -> None:
    klines = make_klines(300)

    parts = parts_of(klines)

    assert parts.test.origins[0] + 1 == 270
    assert parts.test.origins[-1] + HORIZON == 299
    assert parts.validation.origins[-1] + HORIZON == 269


def test_the_last_fifth_of_the_training_windows_validates(make_klines: MakeKlines) -> None:
    parts = parts_of(make_klines(300))

    training_windows = 270 - HORIZON - (LOOKBACK - 1)
    assert len(parts.validation) == training_windows / 5
    assert len(parts.fit) == training_windows * 4 / 5 - (HORIZON - 1)


def test_parts_share_the_memory_of_the_windows(make_klines: MakeKlines) -> None:
    windows = windows_over(klines := make_klines(300))

    parts = split_windows(windows, split(klines))

    assert all(np.shares_memory(part.inputs(), windows.features) for part in (parts.fit, parts.validation, parts.test))


def test_a_split_survives_its_record(make_klines: MakeKlines) -> None:
    cut = split(make_klines(300))

    assert Split.model_validate_json(cut.model_dump_json()) == cut


@pytest.mark.parametrize("rows", [0, 1, 40])
def test_too_few_rows_to_test_one_forecast_are_refused(make_klines: MakeKlines, rows: int) -> None:
    with pytest.raises(DataError, match=f"{rows} candles leave {rows // 10} for the test part and 6 are needed"):
        split(make_klines(rows))


def test_a_split_of_other_rows_is_refused(make_klines: MakeKlines) -> None:
    with pytest.raises(DataError, match="split was made for 301 candles and there are 300"):
        split_windows(windows_over(make_klines(300)), split(make_klines(301)))


def test_a_split_with_too_short_an_embargo_is_refused(make_klines: MakeKlines) -> None:
    klines = make_klines(300)
    short = split(klines).model_copy(update={"horizon": HORIZON - 1})

    with pytest.raises(DataError, match="look 6 hours ahead and the split keeps 5 apart"):
        split_windows(windows_over(klines), short)


@given(lookback=st.integers(1, 60), test_fraction=fractions, validation_fraction=fractions)
def test_rows_needed_are_just_enough(
    make_klines: MakeKlines, lookback: int, test_fraction: float, validation_fraction: float
) -> None:
    needed = count_rows_needed(lookback, test_fraction, validation_fraction, HORIZON)

    assert all_parts_have_windows(make_klines(needed), lookback, test_fraction, validation_fraction)
    assert not all_parts_have_windows(make_klines(needed - 1), lookback, test_fraction, validation_fraction)


def all_parts_have_windows(klines: pd.DataFrame, lookback: int, *fractions: float) -> bool:
    try:
        parts = split_windows(windows_over(klines, lookback), split(klines, *fractions))
    except DataError:
        return False
    return all(map(len, (parts.fit, parts.validation, parts.test)))


def test_an_empty_part_is_told_with_the_number_of_candles_and_the_remedy() -> None:
    hours = np.array(["2025-01-01T00", "2025-01-01T01", "2025-01-01T05"], dtype="datetime64[ms]")
    empty = np.array([], dtype=np.intp)

    lack = find_lack(Origins(empty, empty, empty), hours, 300, "btc_usdt: baseline")

    assert lack == (
        "btc_usdt: baseline needs 300 candles without a gap, and there are 3 with 1 gaps;"
        " set history_days to 13 or more, or shorten its lookback"
    )


def test_where_no_part_is_empty_nothing_lacks() -> None:
    one = np.array([0])

    assert find_lack(Origins(one, one, one), np.array(["2025-01-01T00"], dtype="datetime64[ms]"), 300, "any") is None
