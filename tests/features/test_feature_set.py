from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.errors import ParameterError
from make_us_rich.features.feature_set import FEATURE_SETS, compute_features

MakeKlines = Callable[..., pd.DataFrame]
ROWS = 260
names = st.sampled_from(sorted(FEATURE_SETS))
gaps = st.lists(st.integers(1, ROWS - 1), max_size=3)
numbers = ["open", "high", "low", "close", "volume", "trades", "tb_base_av"]


def test_an_unknown_name_is_refused_with_the_known_ones(make_klines: MakeKlines) -> None:
    with pytest.raises(ParameterError, match="no feature set 'levels'; choose one of calendar_ohlc, returns"):
        compute_features("levels", make_klines(3))


@pytest.mark.parametrize("name", sorted(FEATURE_SETS))
def test_one_row_in_is_one_row_out(make_klines: MakeKlines, name: str) -> None:
    klines = make_klines(30, gaps=[7]).iloc[4:]

    features = compute_features(name, klines)

    assert features.index.name == "timestamp"
    assert features.index.tolist() == klines["timestamp"].tolist()
    assert tuple(features.columns) == FEATURE_SETS[name].columns
    assert set(features.dtypes) == {np.dtype("float64")}


@pytest.mark.parametrize("name", sorted(FEATURE_SETS))
@pytest.mark.parametrize("rows", [0, 1, 23])
def test_few_candles_are_enough_to_compute(make_klines: MakeKlines, name: str, rows: int) -> None:
    assert len(compute_features(name, make_klines(rows))) == rows


@pytest.mark.parametrize("name", sorted(FEATURE_SETS))
def test_candles_are_not_changed(make_klines: MakeKlines, name: str) -> None:
    klines = make_klines(30)

    compute_features(name, klines)

    pd.testing.assert_frame_equal(klines, make_klines(30))


@given(name=names, gaps=gaps, last=st.integers(0, ROWS - 2), factor=st.floats(0.5, 2))
def test_no_feature_depends_on_a_later_candle(
    make_klines: MakeKlines, name: str, gaps: list[int], last: int, factor: float
) -> None:
    klines = make_klines(ROWS, gaps=gaps)
    later = klines.index > last
    changed = klines.astype({"trades": "float64"})
    changed.loc[later, numbers] = changed.loc[later, numbers] * factor + 1
    changed.loc[later, "timestamp"] += pd.Timedelta("17h")

    before = compute_features(name, klines).iloc[: last + 1]

    pd.testing.assert_frame_equal(compute_features(name, changed).iloc[: last + 1], before, check_exact=True)


@given(name=names, gaps=gaps, wanted=st.integers(1, 80))
def test_the_tail_has_the_values_of_the_whole_series(
    make_klines: MakeKlines, name: str, gaps: list[int], wanted: int
) -> None:
    klines = make_klines(ROWS, seed=1, gaps=gaps)

    tail = compute_features(name, klines.tail(FEATURE_SETS[name].warmup + wanted)).tail(wanted)

    whole = compute_features(name, klines).tail(wanted)
    pd.testing.assert_frame_equal(tail, whole, check_exact=False, rtol=1e-12, atol=1e-15)
