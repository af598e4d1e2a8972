"""Drift: what is usual is said by the training rows themselves."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import ks_2samp

from make_us_rich.live.drift import BINS, DriftRules, distances, measure

RULES = DriftRules(days=14)
LENGTH = 14 * 24


def persistent(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Two features whose hours resemble their neighbours, as volatility does."""
    noise = np.random.default_rng(seed).normal(size=(rows + 1_000, 2)) * np.sqrt(1 - 0.99**2)
    values = lfilter([1], [1, -0.99], noise, axis=0)[1_000:]
    return pd.DataFrame(values + shift, columns=["calm", "wild"])


def test_the_index_is_its_formula() -> None:
    actual, expected = np.array([0.2, 0.3, 0.5]), np.array([0.25, 0.25, 0.5])
    found = distances(actual[None, None], expected[None])

    assert found.psi[0, 0] == pytest.approx(
        (0.2 - 0.25) * np.log(0.2 / 0.25) + (0.3 - 0.25) * np.log(0.3 / 0.25), abs=1e-12
    )
    assert found.ks[0, 0] == pytest.approx(0.05)


def test_the_same_distribution_has_an_index_of_nought() -> None:
    shares = np.full((1, 1, BINS), 1 / BINS)

    assert distances(shares, shares[0]).psi[0, 0] == 0


def test_the_distance_is_nearly_scipys_which_needs_no_bins() -> None:
    training, recent = persistent(8_760, 1), persistent(LENGTH, 2, shift=0.7)
    found = {each.name: each.ks for each in measure(training, recent, RULES).features}

    for name, distance in found.items():
        exact = ks_2samp(training[name], recent[name]).statistic
        assert exact - 1 / BINS < distance <= exact + 1e-9


def test_a_shift_of_three_deviations_is_drift() -> None:
    found = measure(persistent(8_760, 1), persistent(LENGTH, 2, shift=3), RULES)

    assert found.drifted
    assert found.p == pytest.approx(1 / (1 + found.stretches))


def test_hours_that_resemble_their_neighbours_are_no_drift_by_themselves() -> None:
    # Independent rows of the same number would be told apart from the training rows in nearly every market: a test that
    # takes hours for independent cries wolf.
    pairs = [(persistent(8_760, seed), persistent(LENGTH, 100 + seed)) for seed in range(40)]
    cries = [ks_2samp(training["calm"], recent["calm"]).pvalue < 0.05 for training, recent in pairs]
    drifted = [measure(training, recent, RULES).drifted for training, recent in pairs]

    assert np.mean(cries) > 0.9
    assert np.mean(drifted) < 0.15


def test_too_few_rows_say_so() -> None:
    found = measure(persistent(400, 1), persistent(LENGTH, 2), RULES)

    assert (found.drifted, found.psi) == (False, None)
    assert found.reason == "336 recent rows and 400 training rows are too few for 14 days"


def test_a_feature_of_two_values_has_a_finite_index() -> None:
    dummy = pd.DataFrame({"monday": (np.arange(8_760) // 24 % 7 == 0).astype(float)})
    found = measure(dummy, dummy.tail(LENGTH), RULES)

    assert found.psi == pytest.approx(0, abs=1e-3)
    assert not found.drifted
