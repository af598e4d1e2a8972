from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_us_rich.backtest import gate
from make_us_rich.backtest.comparison import compare_forecasts
from make_us_rich.backtest.gate import GateInput, GateParameters
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.manifest import Verdict

FOLDS = np.repeat(np.arange(8), 336)
BASELINE = np.random.default_rng(0).gamma(4, 0.25, len(FOLDS))
STALE = "BTC_USDT: not fresh: the newest candle is 5 h old"


def with_advantage(advantage: float, spread: float = 0.05) -> np.ndarray:
    """The baseline's losses less a share of their mean, and noise that has no mean in any fold."""
    noise = np.random.default_rng(1).normal(0, spread, (8, 336))
    noise -= noise.mean(axis=1, keepdims=True)
    return BASELINE - advantage * BASELINE.mean() + noise.ravel()


def apply_gate(advantage: float = 0.03, **changes: Any) -> Verdict:
    """The verdict on a challenger with an advantage, by default one that satisfies every rule."""
    given = GateInput(with_advantage(advantage), BASELINE, None, FOLDS, coverage_90=0.9)
    return gate.apply_gate(replace(given, **changes), GateParameters())


def apply_edge_gate(point: np.ndarray, n_comparisons: int = 1) -> Verdict:
    return gate.apply_edge_gate(point, BASELINE, FOLDS, n_comparisons, GateParameters())


def test_a_challenger_that_satisfies_every_rule_is_published_with_its_figures() -> None:
    verdict = apply_gate(0.03)

    assert verdict.publish
    assert verdict.reason.startswith("mean CRPS 3.00 % below the baseline's, 8 of 8 folds won, p = ")
    assert verdict.reason.endswith("(less than 0.05); the 90 % interval holds 90.0 %")
    assert all(apply_gate(coverage_90=share).publish for share in (0.87, 0.93))


@pytest.mark.parametrize(
    ("advantage", "changes", "reason"),
    [
        (-0.01, {}, "mean CRPS 1.00 % above the baseline's; 0 of 8 folds won, 6 are needed; p = 1, less than 0.05 is"),
        (0.004, {}, "mean CRPS 0.40 % below the baseline's, 0.75 % are needed"),
        (0.03, {"coverage_90": 0.869}, "the 90 % interval holds 86.9 % of the outcomes, 87 to 93 are allowed"),
        (0.03, {"coverage_90": 0.931}, "the 90 % interval holds 93.1 % of the outcomes, 87 to 93 are allowed"),
        (0.03, {"coverage_90": np.nan}, "the 90 % interval holds nan % of the outcomes, 87 to 93 are allowed"),
        (0.03, {"range_skills": {"high": -0.002, "low": 0.1}}, "its highs are 0.20 % worse than the baseline's"),
        (0.03, {"range_skills": {"high": 0.1, "low": -1e-9}}, "its lows are 0.00 % worse than the baseline's"),
        (0.03, {"faults": (STALE,)}, STALE),
        (0.03, {"challenger": np.where(np.arange(len(FOLDS)) == 9, np.nan, 1)}, "its losses are not finite numbers"),
        (0.03, {"challenger": np.where(np.arange(len(FOLDS)) == 9, np.inf, 1)}, "its losses are not finite numbers"),
        (0.03, {"challenger": 0 * BASELINE, "baseline": 0 * BASELINE}, "cannot be evaluated: the price did not move"),
    ],
)
def test_a_challenger_that_breaks_a_rule_is_refused_with_the_reason(
    advantage: float, changes: dict[str, Any], reason: str
) -> None:
    verdict = apply_gate(advantage, **changes)

    assert not verdict.publish
    assert verdict.reason.startswith(f"refused: {reason}")


@pytest.mark.parametrize(("won", "published"), [(6, True), (5, False)])
def test_six_of_eight_folds_have_to_be_won(won: int, published: bool) -> None:
    """The folds won are won by so much that mean and significance are beyond doubt."""
    verdict = apply_gate(challenger=BASELINE - np.where(np.isin(FOLDS, range(won)), 0.2, -0.001))

    assert verdict.publish is published
    assert f"{won} of 8 folds won" in verdict.reason


def test_alpha_is_divided_by_the_challengers_tried() -> None:
    challenger = with_advantage(0.03, 0.9)
    p = compare_forecasts(challenger, BASELINE, FOLDS).test.p
    limit = int(0.05 / p)

    assert apply_gate(challenger=challenger, n_comparisons=limit).publish
    assert apply_gate(challenger=challenger, n_comparisons=limit + 1).reason == (
        f"refused: p = {p:.2g}, less than 0.05 / {limit + 1} = {0.05 / (limit + 1):.2g}"
        f" after {limit + 1} challengers is needed"
    )
    assert apply_edge_gate(challenger).publish
    assert not apply_edge_gate(challenger, n_comparisons=10_000).publish


@pytest.mark.parametrize("share", [0.0, 0.3, np.nan])
def test_highs_and_lows_as_good_as_the_baselines_or_of_a_price_without_range_pass(share: float) -> None:
    assert apply_gate(range_skills={"high": share, "low": share}) == apply_gate()


def test_every_rule_that_is_broken_is_named() -> None:
    broken = {"coverage_90": 0.5, "champion": BASELINE * 0.9, "range_skills": {"high": -0.1, "low": -0.1}}
    verdict = apply_gate(-0.01, faults=("stale",), **broken)

    words = (
        "stale",
        "mean CRPS",
        "folds won",
        "p = ",
        "90 % interval",
        "not better than the champion",
        "highs",
        "lows",
    )
    assert all(word in verdict.reason for word in words)


@pytest.mark.parametrize(
    ("kept", "judged"),
    [(FOLDS < 7, "7 folds of 336"), (np.arange(len(FOLDS)) > 0, "8 folds of 335"), (FOLDS < 0, "0 folds of 0")],
)
def test_too_few_folds_or_hours_are_no_evidence(kept: np.ndarray, judged: str) -> None:
    verdict = apply_gate(challenger=with_advantage(0.03)[kept], baseline=BASELINE[kept], folds=FOLDS[kept])

    assert not verdict.publish
    assert f"evaluated on {judged} hours, 8 of 336 are needed" in verdict.reason


@pytest.mark.parametrize(
    ("advantage", "champion", "newer_hours", "publish", "reason"),
    [
        (0.03, with_advantage(0.02), 0, True, "; 1.02 % below the champion's mean CRPS"),
        (0.03, np.full(len(FOLDS), np.nan), 0, True, "; the champion's losses are not finite numbers"),
        (0.03, with_advantage(0.03), 168, True, "; as good as the champion and made from 168 newer hours"),
        (0.03, with_advantage(0.03), 0, False, "unchanged: as good as the champion, which stays; no newer candles"),
        (
            *(0.03, with_advantage(0.03), 167, False),
            "unchanged: as good as the champion, which stays; 167 h of newer candles, 168 h are needed",
        ),
        (
            *(0.02, with_advantage(0.03), 10_000, False),
            "refused: not better than the champion: mean CRPS 1.03 % above its own",
        ),
    ],
)
def test_the_champion_is_replaced_by_a_better_model_or_an_equal_one_that_is_a_week_newer(
    advantage: float, champion: np.ndarray, newer_hours: int, publish: bool, reason: str
) -> None:
    verdict = apply_gate(advantage, champion=champion, newer_hours=newer_hours)

    assert verdict.publish is publish
    assert verdict.reason.endswith(reason)


def with_gain(champion: np.ndarray, gain: float, spread: float) -> np.ndarray:
    """Losses whose mean is lower than a champion's by a share of it, and that differ from hour to hour."""
    noise = np.random.default_rng(3).normal(0, spread, len(champion))
    losses: np.ndarray = champion * (1 - gain) + noise - noise.mean()
    return losses


HOLD = "the champion was rolled back to; until 2025-03-15 12:00 UTC only a significantly better challenger replaces it"


@pytest.mark.parametrize(
    ("gain", "spread", "reason"),
    [
        (0, 0.05, f"unchanged: {HOLD}"),
        (1.1e-3, 0.05, f"unchanged: {HOLD}"),
        (0.01, 0, "; 1.00 % below the champion's mean CRPS"),
        (-0.01, 0, "refused: not better than the champion: mean CRPS 1.00 % above its own"),
    ],
)
def test_after_a_rollback_only_a_significantly_better_challenger_replaces_the_champion(
    gain: float, spread: float, reason: str
) -> None:
    champion = with_advantage(0.03)
    challenger = with_gain(champion, gain, spread)

    verdict = apply_gate(challenger=challenger, champion=champion, newer_hours=10_000, hold=HOLD)

    assert verdict.publish is reason.startswith(";")
    assert verdict.reason.endswith(reason)


@pytest.mark.parametrize(("gain", "spread", "replaced"), [(9e-4, 0.05, False), (1.1e-3, 0.05, True), (2e-4, 0, True)])
def test_the_champion_is_replaced_for_a_tenth_of_a_per_cent_or_a_significant_difference(
    gain: float, spread: float, replaced: bool
) -> None:
    champion = with_advantage(0.03)
    challenger = with_gain(champion, gain, spread)

    assert apply_gate(challenger=challenger, champion=champion).publish is replaced


def test_losses_at_other_origins_are_no_verdict_but_an_error() -> None:
    with pytest.raises(DataError, match=r"losses of shape \(2688,\), \(2688,\), \(2600,\) for folds of \(2688,\)"):
        apply_gate(champion=BASELINE[:2_600])


@given(st.floats(1e-9, 1e9))
def test_the_unit_of_the_losses_changes_no_verdict(unit: float) -> None:
    losses = {"challenger": with_advantage(0.03), "baseline": BASELINE, "champion": with_advantage(0.02)}

    scaled = {name: values * unit for name, values in losses.items()}

    assert apply_gate(**scaled) == apply_gate(**losses)


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (BASELINE, "no edge: the point forecast is the last close"),
        (np.full(len(FOLDS), np.nan), "no edge: its losses are not finite numbers"),
        (with_advantage(0.001, 0.9), "no edge: p = "),
        (with_advantage(0.005), "edge: mean absolute error 0.50 % below persistence's, 8 of 8 folds won, p = "),
    ],
)
def test_a_point_forecast_has_an_edge_only_where_it_is_significantly_better(point: np.ndarray, reason: str) -> None:
    verdict = apply_edge_gate(point)

    assert verdict.publish is reason.startswith("edge")
    assert verdict.reason.startswith(reason)
