import io
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.domain.distribution import quantile
from make_us_rich.domain.errors import ArtifactError, DataError
from make_us_rich.domain.forecast import LEVELS
from make_us_rich.domain.scenarios import ScenarioRanks, align_ranks, grid_rows, scenario_ranks, scenarios
from markets import running

SIGMA = 0.01


def random_walks(count: int, seed: int) -> np.ndarray:
    """Close, running high and running low of walks in steps of five minutes, `[window, target, horizon]`."""
    path = np.random.default_rng(seed).normal(0, SIGMA / 12**0.5, (count, 24, 12)).cumsum(axis=-1)
    path[:, 1:] += path[:, :-1, -1].cumsum(axis=-1)[..., None]
    return np.stack(list(running(path).values()), axis=1)


OUTCOMES = random_walks(1000, 0)
QUANTILES = np.moveaxis(np.quantile(random_walks(20_000, 1), LEVELS, axis=0), 0, -1)
OPENS = np.datetime64("2025-01-01", "ms") + np.arange(1000) * np.timedelta64(8, "h")
RANKS = scenario_ranks(OUTCOMES, np.full((1000, 24), SIGMA), seed=0)
PATHS = scenarios(QUANTILES, LEVELS, RANKS)
WIDTHS = np.full((len(OPENS), 24), 0.02, np.float32)
STORED = ScenarioRanks(OPENS, RANKS, WIDTHS)


def test_ranks_are_those_of_the_outcomes_over_their_scales() -> None:
    outcomes, scales = np.array([[3.0, 1.0], [2.0, 2.0], [8.0, 3.0]]), np.array([[1.0, 1.0], [2.0, 1.0], [4.0, 1.0]])

    ranks = scenario_ranks(np.repeat(outcomes[:, None], 3, axis=1), scales, seed=0)

    assert ranks.dtype == np.uint16
    assert ranks[:, 1].tolist() == [[2, 0], [0, 1], [1, 2]]


def test_ties_are_drawn_evenly_and_the_same_for_a_seed() -> None:
    tied, scales = np.zeros((4, 3, 24)), np.ones((4, 24))

    drawn = np.array([scenario_ranks(tied, scales, seed) for seed in range(40)])

    assert (np.sort(drawn, axis=1) == np.arange(4)[:, None, None]).all()
    assert drawn.mean(axis=(0, 2, 3)) == pytest.approx([1.5] * 4, abs=0.1)
    assert (scenario_ranks(tied, scales, 7) == drawn[7]).all()


@pytest.mark.parametrize(("outcome", "scale"), [(np.nan, 1.0), (0.0, 0.0), (0.0, np.inf)])
def test_what_cannot_be_ranked_is_refused(outcome: float, scale: float) -> None:
    with pytest.raises(DataError, match="2 outcomes cannot be ranked; pass finite returns, scales above 0"):
        scenario_ranks(np.full((2, 3, 24), outcome), np.full((2, 24), scale), seed=0)


def test_the_closes_have_the_quantiles_of_the_forecast() -> None:
    midpoints = (np.arange(1000) + 0.5) / 1000
    inner = (midpoints > LEVELS[0]) & (midpoints < LEVELS[-1])

    expected = quantile(QUANTILES[0], LEVELS, midpoints[inner]).T

    np.testing.assert_allclose(np.sort(PATHS[:, 0], axis=0)[inner], expected, atol=1e-12)


def test_running_prices_contain_the_path_and_lift_their_quantiles_by_two_points_at_most() -> None:
    close, high, low = np.moveaxis(PATHS, 1, 0)

    assert (high >= np.maximum(close, 0)).all()
    assert (low <= np.minimum(close, 0)).all()
    assert (np.diff(high, axis=1) >= 0).all()
    assert (np.diff(low, axis=1) <= 0).all()
    for level in (5, 10, 16, 19):
        above = (high > QUANTILES[1, :, level]).mean(axis=0) - (1 - LEVELS[level])
        below = (low < QUANTILES[2, :, 20 - level]).mean(axis=0) - LEVELS[20 - level]
        assert min(above.min(), below.min()) > -0.002
        assert max(above.max(), below.max()) < 0.02


def test_dependence_over_hours_and_targets_is_that_of_the_past() -> None:
    def correlations(paths: np.ndarray) -> np.ndarray:
        return np.corrcoef(np.column_stack([paths[:, 0, 3], paths[:, 0, 23], paths[:, 1, 23], paths[:, 2, 3]]).T)

    np.testing.assert_allclose(correlations(PATHS), correlations(OUTCOMES), atol=0.02)


def test_many_forecasts_are_mapped_at_once_and_one_in_twenty_milliseconds() -> None:
    both = scenarios(np.stack([QUANTILES, 2 * QUANTILES]), LEVELS, RANKS)

    np.testing.assert_allclose(both, np.stack([PATHS, 2 * PATHS]), atol=1e-12)
    started = process_time()
    for _ in range(10):
        scenarios(QUANTILES, LEVELS, RANKS)
    assert (process_time() - started) / 10 < 0.02


@given(st.integers(0, 23), st.integers(1, 9000))
def test_the_grid_is_every_eighth_utc_hour_of_333_days(first: int, count: int) -> None:
    opens = np.datetime64("2024-01-01", "ms") + (first + np.arange(count)) * np.timedelta64(1, "h")

    chosen = opens[grid_rows(opens)]

    hours = [hour for hour in range(first, first + count) if hour % 8 == 0][-1000:]
    assert (chosen == np.datetime64("2024-01-01", "ms") + np.array(hours, int) * np.timedelta64(1, "h")).all()


def test_pairs_are_aligned_by_the_hours_that_both_have() -> None:
    later = ScenarioRanks(OPENS[300:], scenario_ranks(OUTCOMES[300:], np.ones((700, 24)), 1), WIDTHS[300:])

    first, second = align_ranks([STORED, later])

    assert (first.opens == OPENS[300:]).all()
    assert (first.ranks[:, 0] == later.ranks[:, 0]).all()  # Only closes have no ties.
    assert (second.ranks == later.ranks).all()
    with pytest.raises(DataError, match="no past origin in common"):
        align_ranks([STORED, ScenarioRanks(OPENS + np.timedelta64(1, "h"), RANKS, WIDTHS)])


def test_ranks_survive_storage_as_the_same_bytes() -> None:
    data = STORED.to_bytes()

    read = ScenarioRanks.from_bytes(data, "btc_usdt")

    assert (read.opens == OPENS).all()
    assert (read.ranks == RANKS).all()
    assert read.to_bytes() == data


def archive(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        STORED.to_bytes()[:5000],
        archive(opens=OPENS),
        archive(opens=OPENS, ranks=np.array([{}] * 1000)),
        archive(opens=OPENS, ranks=RANKS.astype(np.int64)),
        archive(opens=OPENS[1:], ranks=RANKS),
        archive(opens=OPENS[::-1], ranks=RANKS),
        archive(opens=OPENS, ranks=np.zeros_like(RANKS)),
    ],
)
def test_damaged_ranks_are_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"btc_usdt: the scenario ranks are damaged \(.*\); run the pair again"):
        ScenarioRanks.from_bytes(data, "btc_usdt")
