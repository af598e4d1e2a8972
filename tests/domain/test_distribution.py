from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from make_us_rich.domain import forecast
from make_us_rich.domain.distribution import (
    Probability,
    probability_above,
    probability_below,
    probability_of_touch,
    quantile,
)
from make_us_rich.domain.errors import ParameterError
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS

LEVELS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995),
)
NORMAL = NormalDist(0.01, 0.02)
NORMAL_QUANTILES = np.array([NORMAL.inv_cdf(level) for level in LEVELS])
PROBABILITIES = st.floats(LEVELS[0], LEVELS[-1])
PROBABILITY_FUNCTIONS = (probability_below, probability_above)
GAPS = st.floats(1e-5, 0.1)


def ascending(gaps: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    """Quantiles with such gaps, `[level]`."""
    return st.builds(lambda start, steps: start + steps.cumsum(), st.floats(-1, 1), arrays(float, 21, elements=gaps))


ASCENDING, TIED = ascending(GAPS), ascending(st.just(0.0) | GAPS)


def test_the_levels_and_horizons_are_the_specifications() -> None:
    assert (QUANTILE_LEVELS, HORIZON) == ((0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95), 24)
    assert forecast.LEVELS == LEVELS


@given(PROBABILITIES)
def test_a_normal_distribution_is_exact(probability: float) -> None:
    value = NORMAL.inv_cdf(probability)

    assert quantile(NORMAL_QUANTILES, LEVELS, probability) == pytest.approx(value, abs=1e-12)
    assert probability_below(NORMAL_QUANTILES, LEVELS, value).at() == (pytest.approx(probability, abs=1e-9), None)


@given(ASCENDING, PROBABILITIES)
def test_quantile_and_probability_invert_each_other(quantiles: np.ndarray, probability: float) -> None:
    value = quantile(quantiles, LEVELS, probability)

    assert probability_below(quantiles, LEVELS, value).value == pytest.approx(probability, abs=1e-8)
    assert probability_above(quantiles, LEVELS, value).value == pytest.approx(1 - probability, abs=1e-8)


@given(TIED, arrays(np.float64, 30, elements=st.floats(-2, 4)), arrays(np.float64, 30, elements=PROBABILITIES))
def test_both_are_monotone(quantiles: np.ndarray, values: np.ndarray, probabilities: np.ndarray) -> None:
    assert (np.diff(quantile(quantiles, LEVELS, np.sort(probabilities))) >= -1e-12).all()
    assert (np.diff(probability_below(quantiles, LEVELS, np.sort(values)).value) >= 0).all()
    assert (np.diff(probability_above(quantiles, LEVELS, np.sort(values)).value) <= 0).all()


@pytest.mark.parametrize("probability", [0.0049, 0.9951, 0, 1, float("nan"), [0.5, 0.001]])
def test_a_level_beyond_the_outermost_or_a_price_that_is_no_number_is_refused(probability: float) -> None:
    with pytest.raises(ParameterError, match=r"no quantile of level .*; choose a level from 0\.005 to 0\.995"):
        quantile(NORMAL_QUANTILES, LEVELS, probability)
    with pytest.raises(ParameterError, match="not a number; pass log returns"):
        probability_below(NORMAL_QUANTILES, LEVELS, float("nan"))


def test_a_price_beyond_the_outermost_quantiles_has_a_bound() -> None:
    below, above = (function(NORMAL_QUANTILES, LEVELS, [-np.inf, 1.0]) for function in PROBABILITY_FUNCTIONS)

    assert [below.at(0), below.at(1)] == [Probability(0.005, "below"), Probability(0.995, "above")]
    assert [above.at(0), above.at(1)] == [Probability(0.995, "above"), Probability(0.005, "below")]


@pytest.mark.parametrize("function", PROBABILITY_FUNCTIONS)
def test_a_price_that_cannot_move_is_where_it_is(function) -> None:
    assert function(np.zeros(21), LEVELS, 0.0).at() == Probability(0.995)
    assert {function(np.zeros(21), LEVELS, value).at() for value in (-0.1, 0.1)} == {
        Probability(0.005, "below"),
        Probability(0.995, "above"),
    }


@given(TIED, arrays(np.float64, (2, 21), elements=st.floats(0, 0.05)), st.floats(-2, 2))
def test_a_touch_is_at_least_as_likely_as_a_close_beyond(close: np.ndarray, extra: np.ndarray, value: float) -> None:
    high = np.maximum.accumulate(np.maximum(close, 0) + extra[0])
    low = np.minimum.accumulate((np.minimum(close, 0) - extra[1])[::-1])[::-1]

    touch = probability_of_touch(high, low, LEVELS, value).value
    beyond = (probability_above if value > 0 else probability_below)(close, LEVELS, value).value

    assert touch >= beyond - 1e-9


def test_a_touch_takes_the_high_above_and_the_low_below_the_last_close() -> None:
    high, low = np.abs(NORMAL_QUANTILES[0]) + NORMAL_QUANTILES, NORMAL_QUANTILES - NORMAL_QUANTILES[-1]

    touch = probability_of_touch(high, low, LEVELS, [high[15], low[3], 0.0, 9.0])

    assert touch.value == pytest.approx([0.15, 0.05, 1.0, 0.005])
    assert touch.bound.tolist() == [0, 0, 0, -1]
