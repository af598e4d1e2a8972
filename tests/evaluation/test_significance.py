import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from make_us_rich.domain.errors import DataError
from make_us_rich.evaluation.significance import diebold_mariano, long_run_variance


def naive_t(advantages: list[float], horizon: int) -> float:
    """Word for word from the papers: a double loop over pairs of origins, both weightings, the larger one."""
    count, mean = len(advantages), math.fsum(advantages) / len(advantages)
    equal = falling = 0.0
    for one in range(count):
        for other in range(count):
            lag = abs(one - other)
            if lag < horizon:
                product = (advantages[one] - mean) * (advantages[other] - mean) / count
                equal += product
                falling += (1 - lag / horizon) * product
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    return mean / math.sqrt(max(equal, falling) / count) * math.sqrt(correction)


@pytest.mark.parametrize("horizon", [1, 2, 5, 24])
def test_t_equals_its_naive_twin(horizon: int) -> None:
    generator = np.random.default_rng(horizon)
    loss_a, loss_b = np.cumsum(generator.normal(size=(2, 60)), axis=1)

    expected = naive_t((loss_b - loss_a).tolist(), horizon)

    assert diebold_mariano(loss_a, loss_b, horizon).t == pytest.approx(expected, rel=1e-9)


def test_at_two_hours_it_is_what_the_formula_gives_by_hand() -> None:
    """d = 1, 2, 3, 4: autocovariances 5/4 and 5/16, V = 15/8, t = 2.5 / sqrt(15/32) * sqrt(3/8) = sqrt(5)."""
    outcome = diebold_mariano([0, 0, 0, 0], [1, 2, 3, 4], 2)

    x = math.sqrt(5 / 3)  # P(T > t) of three degrees of freedom, in closed form with x = t / sqrt(3).
    assert outcome.t == pytest.approx(math.sqrt(5), rel=1e-12)
    assert outcome.p == pytest.approx(0.5 - (x / (1 + x * x) + math.atan(x)) / math.pi, rel=1e-9)


def test_at_one_hour_it_is_the_paired_t_test() -> None:
    loss_a, loss_b = np.random.default_rng(1).gamma(2, size=(2, 50))

    outcome = diebold_mariano(loss_a, loss_b, 1)

    expected = stats.ttest_rel(loss_b, loss_a, alternative="greater")
    assert outcome.t == pytest.approx(expected.statistic, rel=1e-9)
    assert outcome.p == pytest.approx(expected.pvalue, rel=1e-9)


def test_the_other_way_round_is_the_other_tail() -> None:
    loss_a, loss_b = np.random.default_rng(2).gamma(2, size=(2, 500))

    forth, back = diebold_mariano(loss_a, loss_b, 24), diebold_mariano(loss_b, loss_a, 24)

    assert forth.t == pytest.approx(-back.t)
    assert forth.p == pytest.approx(1 - back.p)


def test_the_same_losses_are_not_better() -> None:
    losses = np.random.default_rng(3).gamma(2, size=100)

    outcome = diebold_mariano(losses, losses, 24)

    assert (outcome.t, outcome.p) == (0, 0.5)


@pytest.mark.parametrize(("advantage", "p"), [(0.5, 0), (-0.5, 1)])
def test_an_advantage_that_never_varies_is_certain(advantage: float, p: float) -> None:
    outcome = diebold_mariano(np.ones(50), np.ones(50) + advantage, 24)

    assert outcome.t == math.copysign(math.inf, advantage)
    assert outcome.p == p


@given(arrays(np.float64, st.integers(30, 60), elements=st.floats(-1e3, 1e3)), st.integers(0, 29))
def test_the_variance_is_never_negative(values: np.ndarray, lags: int) -> None:
    assert long_run_variance(values, lags) >= 0


def test_errors_that_swing_to_and_fro_leave_a_positive_variance() -> None:
    """Equal weights alone give 1 - 2 * 99/100 < 0."""
    assert long_run_variance(np.tile([1.0, -1.0], 50), 1) > 0


def test_between_equal_forecasts_with_overlapping_errors_five_in_a_hundred_pass_at_five_per_cent() -> None:
    """1,000 samples of 8 folds of 336 hours; 3.4 standard errors around 5 % at most, and no fewer than 3 %."""
    generator = np.random.default_rng(4)
    shocks = generator.standard_t(5, size=(1_000, 2_688 + 23))
    sums = np.cumsum(np.pad(shocks, ((0, 0), (1, 0))), axis=1)
    advantages = sums[:, 24:] - sums[:, :-24]

    passed = np.mean([diebold_mariano(np.zeros(2_688), row, 24).p < 0.05 for row in advantages])

    assert 0.03 < passed < 0.075


def test_without_regard_to_the_overlap_a_third_would_pass() -> None:
    """What the lags are for."""
    generator = np.random.default_rng(5)
    shocks = generator.normal(size=(200, 2_688 + 23))
    sums = np.cumsum(np.pad(shocks, ((0, 0), (1, 0))), axis=1)

    passed = np.mean([diebold_mariano(np.zeros(2_688), row, 1).p < 0.05 for row in sums[:, 24:] - sums[:, :-24]])

    assert passed > 0.3


def test_losses_of_different_length_are_refused() -> None:
    with pytest.raises(DataError, match=r"losses of shape \(3,\) and \(4,\); compare one loss an origin"):
        diebold_mariano(np.ones(3), np.ones(4), 1)


def test_too_few_origins_are_refused() -> None:
    with pytest.raises(DataError, match="24 origins do not test a forecast of 24 hours; use more folds or hours"):
        diebold_mariano(np.ones(24), np.ones(24), 24)


def test_a_loss_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DataError, match="a loss is not a finite number; look at the training curve"):
        diebold_mariano([1, math.nan, 1], [1, 2, 3], 1)
