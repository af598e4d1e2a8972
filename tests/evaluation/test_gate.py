from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.domain.manifest import Verdict
from make_us_rich.evaluation.contest import contest, joint_loss
from make_us_rich.evaluation.gate import Evidence, GateRules, fall_back, judge, judge_edge

FOLDS = np.repeat(np.arange(8), 336)
BASELINE = np.random.default_rng(0).gamma(4, 0.25, len(FOLDS))


def with_advantage(advantage: float, spread: float = 0.05) -> np.ndarray:
    """The baseline's losses less a share of their mean, and noise that has no mean in any fold."""
    noise = np.random.default_rng(1).normal(0, spread, (8, 336))
    noise -= noise.mean(axis=1, keepdims=True)
    return BASELINE - advantage * BASELINE.mean() + noise.ravel()


def evidence(advantage: float = 0.03) -> Evidence:
    return Evidence(with_advantage(advantage), BASELINE, None, FOLDS, coverage_90=0.9)


def test_a_challenger_that_keeps_every_rule_is_published_with_its_figures() -> None:
    verdict = judge(evidence(0.03))

    assert verdict.publish
    assert verdict.reason.startswith("mean CRPS 3.00 % below the baseline's, 8 of 8 folds won, p = ")
    assert verdict.reason.endswith("(less than 0.05); the 90 % interval holds 90.0 %")


def test_one_that_is_worse_than_the_baseline_is_refused() -> None:
    verdict = judge(evidence(-0.01))

    assert not verdict.publish
    assert verdict.reason.startswith(
        "refused: mean CRPS 1.00 % above the baseline's; 0 of 8 folds won, 6 are needed; p = "
    )


def test_a_gain_of_less_than_three_quarters_of_a_per_cent_is_refused_however_sure() -> None:
    verdict = judge(evidence(0.004))

    assert verdict == Verdict(publish=False, reason="refused: mean CRPS 0.40 % below the baseline's, 0.75 % are needed")


def test_the_baseline_itself_is_no_better_than_the_baseline() -> None:
    verdict = judge(replace(evidence(), challenger=BASELINE))

    expected = (
        "refused: mean CRPS 0.00 % above the baseline's; 0 of 8 folds won, 6 are needed;"
        " p = 0.5, less than 0.05 is needed"
    )
    assert verdict == Verdict(publish=False, reason=expected)


@pytest.mark.parametrize(("won", "published"), [(6, True), (5, False)])
def test_six_of_eight_folds_have_to_be_won(won: int, published: bool) -> None:
    """The folds won are won by so much that mean and significance are beyond doubt."""
    advantage = np.where(np.isin(FOLDS, range(won)), 0.2, -0.001)

    verdict = judge(replace(evidence(), challenger=BASELINE - advantage))

    assert verdict.publish is published
    assert f"{won} of 8 folds won" in verdict.reason


def test_of_more_folds_three_quarters_rounded_up_have_to_be_won() -> None:
    folds = np.repeat(np.arange(10), 336)
    baseline = np.ones(len(folds))
    challenger = baseline - np.where(folds < 7, 0.2, -0.001)

    verdict = judge(Evidence(challenger, baseline, None, folds, coverage_90=0.9))

    assert verdict.reason == "refused: 7 of 10 folds won, 8 are needed"


def test_p_is_held_against_its_limit_divided_by_the_challengers_tried() -> None:
    found = contest(with_advantage(0.03, 0.9), BASELINE, FOLDS)
    limit = int(0.05 / found.test.p)
    case = replace(evidence(), challenger=with_advantage(0.03, 0.9))

    assert judge(replace(case, tried=limit)).publish
    refused = judge(replace(case, tried=limit + 1))
    assert refused.reason == (
        f"refused: p = {found.test.p:.2g}, less than 0.05 / {limit + 1} = {0.05 / (limit + 1):.2g}"
        f" after {limit + 1} challengers is needed"
    )


@pytest.mark.parametrize("share", [0.87, 0.9, 0.93])
def test_coverage_within_three_points_passes(share: float) -> None:
    assert judge(replace(evidence(), coverage_90=share)).publish


@pytest.mark.parametrize("share", [0.869, 0.931, float("nan")])
def test_coverage_further_off_is_refused(share: float) -> None:
    verdict = judge(replace(evidence(), coverage_90=share))

    assert verdict.reason == (
        f"refused: the 90 % interval holds {100 * share:.1f} % of the outcomes, 87 to 93 are allowed"
    )


def test_candles_that_are_not_whole_refuse_whatever_the_skill() -> None:
    verdict = judge(replace(evidence(), faults=("BTC_USDT: not fresh: the newest candle is 5 h old",)))

    assert verdict == Verdict(publish=False, reason="refused: BTC_USDT: not fresh: the newest candle is 5 h old")


def test_every_rule_that_is_broken_is_named() -> None:
    verdict = judge(replace(evidence(-0.01), faults=("stale",), coverage_90=0.5, champion=BASELINE * 0.9))

    for word in ("stale", "mean CRPS", "folds won", "p = ", "90 % interval", "not better than the champion"):
        assert word in verdict.reason


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_challenger_whose_forecasts_broke_is_refused_in_words(broken: float) -> None:
    losses = with_advantage(0.03)
    losses[1_000] = broken

    assert judge(replace(evidence(), challenger=losses)) == Verdict(
        publish=False, reason="refused: its losses are not finite numbers"
    )


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (FOLDS < 7, "7 folds of 336 hours"),
        (np.arange(len(FOLDS)) > 0, "8 folds of 335 hours"),
        (FOLDS < 0, "0 folds of 0"),
    ],
)
def test_too_few_folds_or_hours_are_no_evidence(kept: np.ndarray, said: str) -> None:
    case = Evidence(with_advantage(0.03)[kept], BASELINE[kept], None, FOLDS[kept], coverage_90=0.9)

    verdict = judge(case)

    assert not verdict.publish
    assert f"judged on {said}" in verdict.reason
    assert verdict.reason.endswith("8 of 336 are needed")


def test_one_better_than_the_champion_replaces_it() -> None:
    verdict = judge(replace(evidence(0.03), champion=with_advantage(0.02)))

    assert verdict.publish
    assert verdict.reason.endswith("; 1.02 % below the champion's mean CRPS")


def test_one_worse_than_the_champion_is_refused_however_new() -> None:
    verdict = judge(replace(evidence(0.02), champion=with_advantage(0.03), newer_hours=10_000))

    assert verdict.reason == "refused: not better than the champion: mean CRPS 1.03 % above its own"


def test_the_same_model_on_the_same_candles_is_not_better_than_the_champion() -> None:
    verdict = judge(replace(evidence(), champion=with_advantage(0.03)))

    assert not verdict.publish
    assert verdict.reason == (
        "refused: not better than the champion: the same mean CRPS, and 0 newer hours seen where 168 would do"
    )


def test_what_rounding_gains_is_a_tie() -> None:
    champion = with_advantage(0.03)

    assert not judge(replace(evidence(), challenger=champion * (1 - 9e-5), champion=champion)).publish
    assert judge(replace(evidence(), challenger=champion * (1 - 11e-5), champion=champion)).publish


def test_one_as_good_as_the_champion_replaces_it_once_it_has_seen_a_week_more() -> None:
    case = replace(evidence(), champion=with_advantage(0.03))

    assert not judge(replace(case, newer_hours=167)).publish
    verdict = judge(replace(case, newer_hours=168))
    assert verdict.publish
    assert verdict.reason.endswith("; as good as the champion and made from 168 newer hours")


def test_a_champion_whose_forecasts_broke_is_replaced() -> None:
    verdict = judge(replace(evidence(), champion=np.full(len(FOLDS), np.nan)))

    assert verdict.publish
    assert verdict.reason.endswith("; the champion's losses are not finite numbers")


def test_losses_at_other_origins_are_no_verdict_but_an_error() -> None:
    with pytest.raises(DataError, match=r"losses of shape \(2688,\), \(2688,\), \(2600,\) for folds of \(2688,\)"):
        judge(replace(evidence(), champion=BASELINE[:2_600]))


@given(st.floats(1e-9, 1e9))
def test_the_unit_of_the_losses_changes_no_verdict(unit: float) -> None:
    case = replace(evidence(), champion=with_advantage(0.02))
    scaled = replace(case, challenger=case.challenger * unit, baseline=BASELINE * unit, champion=case.champion * unit)

    assert judge(scaled) == judge(case)


def test_rules_can_be_other_ones() -> None:
    folds = np.repeat(np.arange(4), 672)
    rules = GateRules(folds=4, fold_hours=500, folds_won=1)

    assert judge(Evidence(with_advantage(0.03), BASELINE, None, folds, coverage_90=0.9), rules).publish


def test_joint_loss_is_the_mean_crps_over_the_horizons() -> None:
    """Outcome on every quantile: |y - q| is 1 at each of the levels 0.25, 0.75 around a width of 2: 2 * 0.25 = 0.5."""
    targets = np.array([[0.0, 0.0], [0.0, 0.0]])
    quantiles = np.array([[[-1.0, 1.0], [-1.0, 1.0]], [[-1.0, 1.0], [-3.0, 3.0]]])

    np.testing.assert_allclose(joint_loss(targets, quantiles, (0.25, 0.75)), [0.5, (0.5 + 1.5) / 2])


def test_joint_loss_is_lowest_for_the_right_width() -> None:
    targets = np.random.default_rng(2).normal(size=(20_000, 1))
    quantiles = np.broadcast_to(stats.norm.ppf(QUANTILE_LEVELS), (20_000, 1, 7))

    losses = [joint_loss(targets, factor * quantiles, QUANTILE_LEVELS).mean() for factor in (0.8, 1.0, 1.2)]

    assert losses[1] < min(losses[0], losses[2])


def test_contest_counts_the_folds_in_which_the_mean_is_lower() -> None:
    losses = np.array([0.0, 1.0, 1.0, 1.0, 2.0, 2.0])

    found = contest(losses, np.ones(6), np.array([0, 0, 1, 1, 2, 2]), horizon=2)

    assert (found.won, found.folds) == (1, 3)
    assert found.skill == pytest.approx(1 - 7 / 6)


def test_a_point_forecast_at_the_last_close_has_no_edge() -> None:
    verdict = judge_edge(BASELINE, BASELINE, FOLDS)

    assert verdict == Verdict(publish=False, reason="no edge: the point forecast is the last close")


def test_a_point_forecast_that_was_lucky_has_no_edge() -> None:
    verdict = judge_edge(with_advantage(0.001, 0.9), BASELINE, FOLDS)

    assert not verdict.publish
    assert verdict.reason.startswith("no edge: p = ")


def test_a_point_forecast_that_is_significantly_better_has_an_edge() -> None:
    verdict = judge_edge(with_advantage(0.03), BASELINE, FOLDS)

    assert verdict.publish
    assert verdict.reason.startswith("edge: mean absolute error 3.00 % below persistence's, 8 of 8 folds won, p = ")


def test_a_point_forecast_is_tested_among_as_many_as_were_tried() -> None:
    point = with_advantage(0.03, 0.9)

    assert judge_edge(point, BASELINE, FOLDS).publish
    assert not judge_edge(point, BASELINE, FOLDS, tried=10_000).publish


def test_a_point_forecast_that_broke_has_no_edge() -> None:
    verdict = judge_edge(np.full(len(FOLDS), np.nan), BASELINE, FOLDS)

    assert verdict == Verdict(publish=False, reason="no edge: its losses are not finite numbers")


def test_without_a_model_that_passes_the_baseline_is_served_and_says_so() -> None:
    verdict = fall_back({"har": Verdict(publish=False, reason="refused: 3 of 8 folds won, 6 are needed")})

    assert verdict == Verdict(
        publish=True, reason="no edge: the baseline is served (har refused: 3 of 8 folds won, 6 are needed)"
    )


def test_candles_that_are_not_whole_do_not_make_a_baseline_either() -> None:
    assert fall_back({}, ("stale",)) == Verdict(publish=False, reason="refused: stale")
