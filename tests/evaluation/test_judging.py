from collections.abc import Mapping

import numpy as np
import pytest

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.evaluation.calibration import Calibration
from make_us_rich.evaluation.gate import GateRules
from make_us_rich.evaluation.judging import CHAMPION, Case, best, judge_one, mean_of, references, serve
from make_us_rich.evaluation.walk import Walk

LEAD_IN_HOURS, HOURS, FOLDS = 48, 72, 8
RULES = GateRules(fold_hours=HOURS)
NORMAL = np.array([-1.6449, -1.2816, -0.6745, 0, 0.6745, 1.2816, 1.6449])


def fan(sigma: np.ndarray, width: float = 1.0) -> np.ndarray:
    """Quantiles of normal returns, ``[window, horizon, level]``."""
    steps = np.sqrt(np.arange(1, HORIZON + 1))
    return (width * sigma[:, None, None] * steps[:, None] * NORMAL).astype(np.float32)


def walk_of(quantiles: Mapping[str, np.ndarray], targets: np.ndarray) -> Walk:
    folds = np.repeat(np.arange(FOLDS + 1), [LEAD_IN_HOURS, *[HOURS] * FOLDS])
    opens = np.datetime64("2025-01-01", "ms") + np.arange(len(folds)) * np.timedelta64(1, "h")
    ones = np.ones(len(folds))
    return Walk(opens, 100 * ones, targets, folds, ones, QUANTILE_LEVELS, quantiles, {})


@pytest.fixture(scope="module")
def market() -> tuple[np.ndarray, np.ndarray]:
    """A volatility of its own for each origin, ``[window]``, and the returns of the hours after it."""
    rng = np.random.default_rng(5)
    count = LEAD_IN_HOURS + FOLDS * HOURS
    sigma = np.exp(rng.normal(-5, 0.8, count))
    return sigma, (sigma[:, None] * rng.normal(size=(count, HORIZON))).cumsum(axis=1)


@pytest.fixture(scope="module")
def walk(market: tuple[np.ndarray, np.ndarray]) -> Walk:
    sigma, targets = market
    flat = np.full_like(sigma, np.exp(-4.7))
    quantiles = {"baseline": fan(flat), "good": fan(sigma), "blind": fan(flat, 1.05), "shifted": fan(sigma) + 0.02}
    return walk_of(quantiles, targets)


def case_of(walk: Walk, **changes: object) -> Case:
    given = {"gate": RULES, "calibration": Calibration(least_windows=10_000), "tried": 1, "newer_hours": 0}
    return Case(walk, **given | changes)  # type: ignore[arg-type]


def test_forecasts_that_know_the_volatility_pass(walk: Walk) -> None:
    case = case_of(walk)

    finding = judge_one(case, serve(case, walk.quantiles["good"]), references(case), ())

    assert finding.verdict.publish, finding.verdict.reason
    assert finding.contest is not None
    assert finding.contest.skill > 0.05


def test_forecasts_that_know_nothing_are_refused(walk: Walk) -> None:
    case = case_of(walk)

    finding = judge_one(case, serve(case, walk.quantiles["blind"]), references(case), ())

    assert not finding.verdict.publish


def test_a_median_without_an_edge_is_judged_as_the_last_close(walk: Walk) -> None:
    case = case_of(walk)

    served = serve(case, walk.quantiles["shifted"])

    assert served.edge.reason.startswith("no edge: mean absolute error")
    np.testing.assert_allclose(served.quantiles, walk.quantiles["good"][LEAD_IN_HOURS:], atol=1e-7)


def test_a_median_with_an_edge_stays(market: tuple[np.ndarray, np.ndarray]) -> None:
    sigma, targets = market
    knowing = fan(sigma) + targets[:, :, None].astype(np.float32) / 2
    case = case_of(walk_of({"baseline": fan(sigma)}, targets))

    served = serve(case, knowing)

    assert served.edge.publish, served.edge.reason
    np.testing.assert_array_equal(served.quantiles, knowing[LEAD_IN_HOURS:])


def test_widths_are_calibrated_on_the_lead_in(market: tuple[np.ndarray, np.ndarray]) -> None:
    sigma, targets = market
    case = case_of(walk_of({"baseline": fan(sigma)}, targets), calibration=Calibration(least_windows=24, prior=0))

    served = serve(case, fan(sigma, 3.0))

    first = served.quantiles[0, 0, -1] / fan(sigma, 3.0)[LEAD_IN_HOURS, 0, -1]
    assert first == pytest.approx(0.5), "three times too wide, and no factor is smaller than a half"


def test_a_forecast_that_is_not_finite_is_refused_in_words(walk: Walk) -> None:
    case = case_of(walk)
    broken = walk.quantiles["good"].copy()
    broken[-1, 3, 2] = np.nan

    finding = judge_one(case, serve(case, broken), references(case), ())

    assert finding.verdict.reason == "refused: its losses are not finite numbers"
    assert finding.contest is None


def test_the_champion_on_the_same_folds_is_to_be_beaten(walk: Walk) -> None:
    case = case_of(walk_of(walk.quantiles | {CHAMPION: walk.quantiles["good"]}, walk.targets))

    finding = judge_one(case, serve(case, walk.quantiles["good"]), references(case), ())

    assert finding.verdict.reason.startswith("refused: not better than the champion: the same mean CRPS")


def test_candles_that_are_not_whole_are_named(walk: Walk) -> None:
    case = case_of(walk)

    finding = judge_one(case, serve(case, walk.quantiles["good"]), references(case), ("BTC_USDT: not fresh",))

    assert finding.verdict.reason == "refused: BTC_USDT: not fresh"


def test_the_mean_of_forecasts_is_taken_quantile_by_quantile() -> None:
    one, other = np.float32([[[1, 2]]]), np.float32([[[3, 8]]])

    np.testing.assert_array_equal(mean_of([one, other]), [[[2, 5]]])


def test_nobody_is_the_best_of_none() -> None:
    assert best([]) is None
