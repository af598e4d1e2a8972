from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.backtest.backtest import Backtests, empty_backtests
from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.backtest.gate import GateParameters
from make_us_rich.backtest.multiple_testing import ComparisonCount
from make_us_rich.backtest.score_table import ALL, ANY, KEYS, score_backtest
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError
from make_us_rich.domain.evaluation import EvaluationReport
from make_us_rich.domain.forecast import HORIZON, LEVELS
from make_us_rich.domain.manifest import Published
from make_us_rich.domain.run import utc_now
from make_us_rich.klines.report import Cause, Gap
from make_us_rich.pipelines.evaluating.figures import plot_coverage, plot_errors, plot_fan, plot_reliability, plot_skill
from make_us_rich.pipelines.evaluating.model_card import write_model_card
from make_us_rich.pipelines.evaluating.nodes import (
    describe_calibration,
    evaluate_challengers,
    log_metrics,
    score_probabilities,
    summarize_scores,
    update_verdicts,
)
from synthetic import RUN, SPLIT, STARTED, TRAINING, data_report, judgement, line, published

GATE = GateParameters(min_folds=2, min_test_size=36, min_win_rate=0, alpha=0.5, coverage_tolerance=0.09)
CANDIDATES = line("har")
BROKEN = "refused: its losses are not finite numbers"
TOO_FEW = "BTC_USDT: 300 usable candles, 2,000 are needed; wait"
HAR = {"choice": "har"}
NONE = ChampionPointer(pair="btc_usdt")
EMPTY = empty_backtests(LEVELS, {"har": "too few candles", "baseline": "too few candles"}, {})


def with_all(backtests: Backtests, **changes: Any) -> Backtests:
    return {target: replace(each, **changes) for target, each in backtests.items()}


def evaluate(
    backtest: Backtests,
    report: dict[str, Any] | None = None,
    champion: Published | None = None,
    candidates: dict[str, Any] = CANDIDATES["challengers"],
    *,
    pointer: ChampionPointer = NONE,
    dry_run: bool = False,
) -> tuple[EvaluationReport, Backtests]:
    record, served, *_ = evaluate_challengers(
        with_all(backtest, candidates=candidates),
        CANDIDATES,
        ComparisonCount(),
        report or data_report(),
        champion,
        pointer,
        GATE,
        CalibrationParameters(),
        dry_run,
        RUN,
    )
    return EvaluationReport.model_validate(record), served


@pytest.fixture(scope="module")
def with_calibration_fold(backtest_of: Any) -> Any:
    def make(*names: str, **changes: Any) -> Backtests:
        made = backtest_of(*names, folds=(36, 36, 36), **changes)
        return with_all(made, folds=made["close"].folds - 1)

    return make


@pytest.fixture(scope="module")
def good(with_calibration_fold: Any) -> Backtests:
    """The baseline's widths are random, the challenger's are the market's."""
    return with_calibration_fold("har")


@pytest.fixture(params=[slice(50, 51), slice(None)], ids=["one", "all"])
def broken(good: Backtests, request: pytest.FixtureRequest) -> Backtests:
    """`har` gives NaN, once or throughout."""
    broken = {target: replace(each, quantiles=dict(each.quantiles)) for target, each in good.items()}
    for each in broken.values():
        each.quantiles["har"] = each.quantiles["har"].copy()
        each.quantiles["har"][request.param] = np.nan
    return broken


def present(report: EvaluationReport, backtest: Backtests, served: Backtests) -> str:
    """Everything that is shown of a run: card, figures and metrics."""
    record, scores = report.model_dump(mode="json"), score_backtest(served)
    events = score_probabilities(served, record, TRAINING)
    effect = describe_calibration(backtest, served, report.choice)
    card = write_model_card(record, scores, effect, served, events, CANDIDATES, SPLIT)
    figures = [plot_fan(served, record), *(plot(scores, record) for plot in (plot_coverage, plot_skill, plot_errors))]
    figures.append(plot_reliability(events, record))
    assert all(figure["data"] for figure in figures)
    return repr((card, figures, log_metrics(summarize_scores(scores, record), events)))


def with_champion(good: Backtests) -> Backtests:
    """The champion has the recipe of `har`."""
    return {
        target: replace(each, quantiles={**each.quantiles, "champion": each.quantiles["har"]})
        for target, each in good.items()
    }


def test_a_second_run_on_the_same_candles_leaves_the_champion_unchanged(good: Backtests) -> None:
    manifest, graph = published()

    again, _ = evaluate(
        with_champion(good), champion=Published(manifest.model_copy(update={"architecture": "har"}), graph)
    )
    baseline, _ = evaluate(EMPTY, champion=Published(manifest, graph))

    assert again.verdict.reason == "unchanged: as good as the champion, which stays; no newer candles"
    assert baseline.verdict.reason.startswith("unchanged: no edge: the baseline is served (har refused: too few")
    assert not again.verdict.publish
    assert not baseline.verdict.publish


@pytest.mark.parametrize("architecture", ["har", "baseline"])
@pytest.mark.parametrize(("days", "held"), [(1, True), (13, True), (15, False)])
def test_a_champion_that_was_rolled_back_to_is_not_refreshed_for_two_weeks(
    good: Backtests, architecture: str, days: int, held: bool
) -> None:
    manifest, graph = published()
    data = manifest.data.model_copy(update={"end": manifest.data.end - timedelta(hours=200)})
    champion = Published(manifest.model_copy(update={"architecture": architecture, "data": data}), graph)
    backtest = with_champion(good) if architecture == "har" else EMPTY
    at = utc_now() - timedelta(days=days)
    newer = NONE.promote("v1", at - timedelta(days=9), "better").promote("v2", at - timedelta(days=1), "better")
    rolled_back = newer.promote("v1", at, "as a person wanted", rolled_back=True)

    verdict = evaluate(backtest, champion=champion, pointer=rolled_back)[0].verdict

    assert evaluate(backtest, champion=champion, pointer=newer)[0].verdict.publish
    assert verdict.publish is not held
    until = f"{at + timedelta(days=14):%Y-%m-%d %H:%M} UTC"
    line = f"the champion was rolled back to; until {until} only a significantly better challenger replaces it"
    assert (verdict.reason.startswith("unchanged: ") and verdict.reason.endswith(line)) is held


def test_a_dry_run_publishes_nothing_and_leaves_the_verdict_log_alone(good: Backtests) -> None:
    report, _ = evaluate(good, dry_run=True)
    record = report.model_dump(mode="json")
    log = update_verdicts(pd.DataFrame(), judgement("har"), dry_run=False)

    assert (report.choice, report.verdict.publish) == ("har", False)
    assert report.verdict.reason.startswith("dry run: mean CRPS")
    assert len(update_verdicts(pd.DataFrame(), record, dry_run=True)) == 0
    pd.testing.assert_frame_equal(update_verdicts(log, record, dry_run=True), log)


def test_the_verdicts_of_an_earlier_release_are_continued() -> None:
    earlier = update_verdicts(pd.DataFrame(), judgement("har"), dry_run=False).rename(
        columns={"n_comparisons": "tried"}
    )

    assert update_verdicts(earlier, judgement("har"), dry_run=False)["n_comparisons"].tolist() == [1, 1]


def test_a_backtest_of_other_candidates_names_the_stage_that_must_run_first(good: Backtests) -> None:
    with pytest.raises(ArtifactError, match=r"other candidates \(lstm\) .* \(har, baseline\).*--tags=training,evalua"):
        evaluate(good, candidates={"lstm": {}})


def test_a_price_that_does_not_move_cannot_be_judged_and_the_baseline_is_served(with_calibration_fold: Any) -> None:
    still = with_calibration_fold("har", moves=False)

    report, served = evaluate(still)

    assert (report.choice, report.verdict.publish) == ("baseline", True)
    assert report.challengers[0].verdict.reason == "refused: cannot be evaluated: the price did not move"
    assert "nan" not in present(report, still, served)


@pytest.mark.parametrize("cause", [Cause.YOUNG, Cause.SHORT_HISTORY, Cause.ILLIQUID])
def test_with_too_few_candles_to_train_the_baseline_is_served_and_says_why(cause: Cause) -> None:
    report, _ = evaluate(EMPTY, data_report(TOO_FEW) | {"cause": cause})

    assert (report.choice, report.verdict.publish) == ("baseline", True)
    assert report.verdict.reason == f"no edge: the baseline is served (har refused: {TOO_FEW}; too few candles)"


GAP = Gap(start=STARTED, end=STARTED + timedelta(hours=2), hours=2, missing=2)


@pytest.mark.parametrize(
    "changes", [{"fresh": False, "cause": Cause.DELISTED}, {"fresh": False}, {"cause": Cause.YOUNG, "gaps": [GAP]}]
)
def test_the_baseline_is_not_served_from_stale_or_interrupted_candles(changes: dict[str, Any]) -> None:
    assert not evaluate(EMPTY, data_report(TOO_FEW) | changes)[0].verdict.publish


def test_forecasts_that_are_no_numbers_are_refused_and_everything_is_reported_all_the_same(broken: Backtests) -> None:
    report, served = evaluate(broken)

    verdict = f"no edge: the baseline is served (har {BROKEN})"
    assert [(each.verdict.reason, each.skill, each.p) for each in report.challengers] == [(BROKEN, None, None)]
    assert report.verdict.reason == verdict
    assert BROKEN in present(report, broken, served)
    log = update_verdicts(pd.DataFrame(), report.model_dump(mode="json"), dry_run=False)
    assert log["reason"].tolist() == [BROKEN, verdict]


def test_metrics_are_those_of_the_choice_on_all_folds_that_have_a_value(backtest_of: Any) -> None:
    scores = score_backtest(backtest_of("har"))
    whole = scores[(scores["fold"] == ALL) & (scores["volatility"] == ANY) & (scores["architecture"] == "har")]
    row = whole[whole["horizon"] == 4].squeeze()

    metrics = summarize_scores(scores, HAR)
    without = summarize_scores(scores.assign(directional_accuracy=np.nan, dm_t=np.inf), HAR)

    names = {f"{name}_{span}" for name in set(scores.columns) - set(KEYS) for span in ("1h", "4h", "24h", "mean")}
    assert metrics.keys() == names | {"test_windows"}
    assert not {"directional_accuracy_1h", "dm_t_mean"} & without.keys()
    assert [metrics[name] for name in ("rmse_4h", "baseline_rmse_4h")] == [row["rmse"], row["baseline_rmse"]]
    assert metrics["test_windows"] == 72
    assert metrics["crps_mean"] == pytest.approx(whole[whole["horizon"].isin(range(1, HORIZON + 1))]["crps"].mean())


def test_the_runs_metrics_are_those_of_the_scores_and_of_the_probabilities(backtest_of: Any) -> None:
    events = score_probabilities(backtest_of("har", folds=(900, 300)), HAR, TRAINING)
    found = log_metrics({"crps": 0.5}, events)

    (touch,) = (each for each in events["probabilities"] if (each["event"], each["horizon"]) == ("touch", 24))
    (risk,) = (each for each in events["risks"] if (each["level"], each["horizon"]) == (0.95, 1))
    expected = {
        "crps": 0.5,
        "touch_brier_24h": touch["brier"],
        "var_95_share_1h": risk["share"],
        "energy_score": events["energy"]["own"],
        "baseline_energy_score": events["energy"]["baseline"],
    }
    assert {name: found[name]["value"] for name in expected} == expected
    assert {each["step"] for each in found.values()} == {0}
    assert log_metrics({"crps": 0.5}, score_probabilities(EMPTY, HAR, TRAINING)) == {"crps": {"value": 0.5, "step": 0}}
