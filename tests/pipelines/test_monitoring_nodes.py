"""The nodes of the monitoring pipeline on a published model."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from live_models import klines, model
from live_records import HOUR
from make_us_rich.domain.attempt import Attempt, attempts_record
from make_us_rich.domain.card import ModelCard
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.live import Drift, LiveRecent, LiveScores, Standing
from make_us_rich.domain.manifest import Manifest
from make_us_rich.domain.published import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.inference.champion import Champion
from make_us_rich.live.demotion import DemotionRules
from make_us_rich.live.drift import DriftRules
from make_us_rich.models.recipes import recipe_id
from make_us_rich.pipelines.monitoring import nodes
from make_us_rich.pipelines.monitoring.issuing import Issue
from make_us_rich.pipelines.monitoring.parameters import MonitoringParameters
from synthetic import RUN

MONITORING = MonitoringParameters(
    keep_days=90,
    recent_days=8,
    windows=(7, 30),
    drift=DriftRules(days=3),
    demotion=DemotionRules(least_forecasts=48),
)
NOTHING = pd.DataFrame()
MINUTE = timedelta(minutes=1)


def run_at(now: datetime, took: timedelta = timedelta()) -> RunContext:
    return replace(RUN, started_at=now - took, clock=lambda: now)


def klines_until(now: datetime) -> pd.DataFrame:
    return klines()[klines()["timestamp"] + HOUR <= now]


END: datetime = klines()["timestamp"].iloc[-1].to_pydatetime() + HOUR
NOW = END + 2 * MINUTE


def issue(now: datetime = NOW, served: Published | None = None, **changes: Any) -> Issue:
    given: dict[str, Any] = {
        "served_model": served or model(),
        "stored_widths": {},
        "klines": klines_until(now),
        "fetched_at": {"now": now.isoformat()},
        "run": run_at(now),
    }
    return nodes.issue_forecast(**{**given, **changes})


@cache
def lived(hours: int = 120, served: Published | None = None) -> pd.DataFrame:
    """The record after as many hours, one run an hour."""
    record = NOTHING
    for at in range(hours, -1, -1):
        now = NOW - at * HOUR
        record = nodes.keep_record(record, issue(now, served), klines_until(now), MONITORING)
    return record


def test_the_hours_forecast_is_the_champions() -> None:
    made = issue()
    forecast = Champion(model().manifest, model().onnx_model, None, model().baseline_onnx).forecast(klines_until(NOW))

    assert made.rows is not None
    assert made.rows[["q05", "q50", "q95"]].iloc[0].tolist() == [forecast.quantiles[0][at] for at in (0, 3, 6)]
    assert forecast.baseline is not None
    assert made.rows["b95"].tolist() == [row[6] for row in forecast.baseline]
    assert made.rows["issued_at"].iloc[0] == pd.Timestamp(END)


def test_without_the_hours_candle_nothing_is_issued() -> None:
    made = issue(klines=klines_until(NOW - HOUR))

    assert made.rows is None
    assert made.hole is not None
    assert (made.hole.hour, made.hole.kind) == (END, "stale")


def test_a_run_that_outlasts_its_hour_issues_nothing() -> None:
    late = issue(run=run_at(NOW + HOUR, took=HOUR))

    assert late.hole is not None
    assert (late.hole.hour, late.hole.kind) == (END, "slow")


def test_without_a_model_nothing_is_issued_and_the_next_hours_count() -> None:
    made = nodes.issue_forecast(None, {}, klines_until(NOW), {"now": NOW.isoformat()}, run_at(NOW))

    assert made.hole is not None
    assert made.hole.kind == "no_model"


def test_a_gap_within_the_models_candles_is_a_hole_with_its_reason() -> None:
    torn = klines_until(NOW).drop(index=1_700)
    made = issue(klines=torn)

    assert made.hole is not None
    assert made.hole.kind == "cannot"
    assert "there is a gap after the one of" in made.hole.reason


def test_a_forecast_of_the_baseline_in_the_models_place_is_recorded_as_the_baselines() -> None:
    made = issue(klines=klines_until(NOW).drop(index=1_500))

    assert made.rows is not None
    assert set(made.rows["architecture"]) == {"baseline"}
    assert set(made.rows["recipe"]) == {recipe_id({})}
    assert made.rows["q05"].tolist() == made.rows["b05"].tolist()


def test_a_second_run_in_the_same_hour_changes_nothing() -> None:
    first = nodes.keep_record(NOTHING, issue(), klines_until(NOW), MONITORING)
    later = NOW + 20 * MINUTE
    again = nodes.keep_record(first, issue(later), klines_until(later), MONITORING)

    pd.testing.assert_frame_equal(again, first)


def test_outcomes_come_an_hour_and_a_day_later_and_every_hour_between() -> None:
    record = lived()
    oldest = record[record["issued_at"] == record["issued_at"].min()]
    closes = klines().set_index("timestamp")["close"]

    assert oldest["outcome"].tolist() == [closes[at - pd.Timedelta(hours=1)] for at in oldest["closes_at"]]
    assert not record.duplicated(["issued_at", "horizon"]).any()
    assert (record["state"] == "waiting").sum() == sum(range(1, 25))


def test_hours_between_two_runs_are_explained_by_what_was_noted() -> None:
    record = pd.concat([nodes.keep_record(NOTHING, issue(NOW - 3 * HOUR), klines_until(NOW), MONITORING), issue().rows])
    failed = Attempt(began=NOW - HOUR, ended=NOW - HOUR + MINUTE, error="Binance cannot be reached")
    mine = Attempt(began=NOW)
    holes = nodes.keep_holes(NOTHING, record, issue(), attempts_record((failed, mine)), MONITORING, run_at(NOW))

    assert holes["kind"].tolist() == ["no_run", "failed"]


def test_old_holes_are_forgotten() -> None:
    short = MONITORING.model_copy(update={"keep_days": 1})
    record = nodes.keep_record(NOTHING, issue(NOW - 50 * HOUR), klines_until(NOW), MONITORING)
    holes = nodes.keep_holes(NOTHING, record, issue(), {}, short, run_at(NOW))

    assert holes["hour"].min() > pd.Timestamp(NOW - 24 * HOUR)


def told(record: pd.DataFrame, holes: pd.DataFrame | None = None) -> dict[str, Any]:
    windows = nodes.score_live(record, issue(), MONITORING)
    drift = nodes.measure_drift(model(), klines_until(NOW), MONITORING, RUN)
    known = nodes.keep_holes(NOTHING, record, issue(), {}, MONITORING, run_at(NOW)) if holes is None else holes
    standing = Standing(version="v", demote=False, reason="fine")
    return nodes.tell_scores(record, known, windows, drift, standing, issue(), run_at(NOW))


def test_the_scores_tell_what_was_issued_and_what_has_come() -> None:
    scores = LiveScores.read(json.loads(json.dumps(told(lived()))), "btc_usdt")

    assert scores is not None
    assert (scores.issued, scores.scored, scores.holes, scores.unexplained) == (121, 97, 0, 0)
    assert (scores.issued_at, scores.architecture) == (END, "har")
    assert [window.forecasts for window in scores.windows] == [121, 121]


def test_a_pair_without_any_forecast_has_scores_without_figures() -> None:
    empty = nodes.keep_record(NOTHING, issue(klines=klines_until(NOW - HOUR)), klines_until(NOW), MONITORING)
    scores = LiveScores.model_validate(told(empty))

    assert (scores.version, scores.issued, scores.windows[0].whole.skill) == (None, 0, None)


def test_unexplained_holes_are_counted_apart() -> None:
    well = Attempt(began=NOW - HOUR, ended=NOW - HOUR + MINUTE)
    record = pd.concat([nodes.keep_record(NOTHING, issue(NOW - 2 * HOUR), klines_until(NOW), MONITORING), issue().rows])
    holes = nodes.keep_holes(NOTHING, record, issue(), attempts_record((well,)), MONITORING, run_at(NOW))
    scores = LiveScores.model_validate(told(record, holes))

    assert (scores.holes, scores.unexplained) == (1, 1)
    assert scores.newest_holes[0].kind == "unexplained"


def test_what_the_api_reads_is_compact_and_says_the_same() -> None:
    record = lived()
    recent = LiveRecent.read(
        json.loads(json.dumps(nodes.tell_recent(record, klines_until(NOW), issue(), MONITORING, RUN))), "x"
    )

    assert recent is not None
    assert len(recent.forecasts) == 121
    assert np.allclose(
        recent.forecasts[-1].quantiles, issue().rows[["q05", "q10", "q25", "q50", "q75", "q90", "q95"]], rtol=1e-7
    )  # type: ignore[index]
    oldest = record[(record["issued_at"] == record["issued_at"].min()) & (record["horizon"] == 5)].iloc[0]
    assert recent.closes[oldest["closes_at"].to_pydatetime()] == pytest.approx(oldest["outcome"], rel=1e-7)


def test_metrics_are_finite_and_named_by_horizon_and_window() -> None:
    metrics = nodes.record_live(told(lived()))

    assert {"live_skill_mean_7d", "live_coverage_80_24h_30d", "live_holes", "live_issued"} <= metrics.keys()
    assert all(np.isfinite(each["value"]) for each in metrics.values())


def test_figures_are_json_without_nan() -> None:
    windows = nodes.score_live(lived(), issue(), MONITORING)
    drift = nodes.measure_drift(model(), klines_until(NOW), MONITORING, RUN)
    for figure in (nodes.draw_live(windows), nodes.draw_pit(windows), nodes.draw_drift(drift)):
        assert json.dumps(figure, allow_nan=False)
        assert figure["data"]


def test_figures_of_an_empty_record_can_be_drawn() -> None:
    empty = nodes.keep_record(NOTHING, issue(klines=klines_until(NOW - HOUR)), klines_until(NOW), MONITORING)
    windows = nodes.score_live(empty, issue(), MONITORING)

    assert json.dumps([nodes.draw_live(windows), nodes.draw_pit(windows)], allow_nan=False)


def test_drift_is_of_every_feature_that_the_champion_sees() -> None:
    drift = Drift.model_validate(nodes.measure_drift(model(), klines_until(NOW), MONITORING, RUN))

    if drift.features:
        assert {each.name for each in drift.features} == set(model().manifest.columns)
    else:
        assert "too few" in drift.reason


WIDE = 12.0
"""What the planted champion's widths are multiplied by."""


def planted() -> tuple[pd.DataFrame, Published]:
    """A record of a champion whose widths are far too wide."""
    record = lived()
    quantiles = [f"q{level}" for level in ("05", "10", "25", "75", "90", "95")]
    stretched = {name: record["last_close"] * (record[name] / record["last_close"]) ** WIDE for name in quantiles}
    return record.assign(**stretched), model()


POINTER = ChampionPointer(pair="btc_usdt").promote("old", datetime(2025, 1, 1, tzinfo=UTC), "passed")


def test_an_honest_champion_stands() -> None:
    standing = nodes.judge_champion(lived(), POINTER, model(), issue(), MONITORING)

    assert not standing.demote
    assert standing.forecasts == 97


def test_a_planted_bad_champion_is_demoted_with_figures() -> None:
    record, served = planted()
    standing = nodes.judge_champion(record, POINTER, served, issue(), MONITORING)

    assert standing.demote
    assert "above the baseline's in the last 30 days" in standing.reason
    assert standing.skill is not None
    assert standing.skill < -0.5


def test_what_was_issued_before_the_last_demotion_does_not_count() -> None:
    record, served = planted()
    demoted = nodes.stand_down(
        POINTER, (RUN.version,), nodes.make_baseline_version(BAD, served, RUN)[0], served, run_at(NOW)
    )
    standing = nodes.judge_champion(record, demoted, served, issue(), MONITORING)

    assert not standing.demote
    assert standing.reason == "not judged yet: 0 of its forecasts have come true, 48 are needed"


def test_another_recipe_is_not_judged_by_this_ones_record() -> None:
    record, served = planted()
    other = served.manifest.model_copy(update={"recipe": {"har": {"lookback": 2}}})
    standing = nodes.judge_champion(record, POINTER, replace(served, manifest=other), issue(), MONITORING)

    assert standing.forecasts == 0


def test_the_baseline_cannot_be_demoted() -> None:
    standing = nodes.judge_champion(planted()[0], POINTER, model("baseline"), issue(), MONITORING)

    assert (standing.demote, standing.reason) == (False, "the baseline is served: nothing is below it")


def test_a_champion_without_a_baseline_beside_it_says_so() -> None:
    record, served = planted()
    standing = nodes.judge_champion(record, POINTER, replace(served, baseline_onnx=None), issue(), MONITORING)

    assert not standing.demote
    assert standing.reason.endswith("no baseline is stored beside it: train the pair again")


BAD = Standing(version="old", demote=True, reason="mean CRPS 60 % above the baseline's")


def test_the_baselines_version_is_served_as_it_was_shown() -> None:
    (made,), _ = nodes.make_baseline_version(BAD, model(), RUN)
    manifest = Manifest.read(made.published.manifest.model_dump(mode="json"), "btc_usdt")
    served = Champion(manifest, made.published.onnx_model, None, made.published.baseline_onnx).forecast(
        klines_until(NOW)
    )
    beside = Champion(model().manifest, model().onnx_model, None, model().baseline_onnx).forecast(klines_until(NOW))

    assert served.quantiles == beside.baseline
    assert (manifest.version, manifest.architecture, manifest.verdict.publish) == (RUN.version, "baseline", True)
    manifest.verify("onnx_model", made.published.onnx_model)
    manifest.verify("baseline_onnx", made.published.onnx_model)


def test_its_card_tells_the_reason() -> None:
    (made,), _ = nodes.make_baseline_version(BAD, model(), RUN)

    assert ModelCard.model_validate(made.card).verdict.reason.startswith("demoted: har ")
    assert "**Published by a demotion.** Demoted: har" in made.card_text


def test_its_figures_are_the_baselines_on_the_same_folds() -> None:
    metrics = {"crps_mean": 1.0, "baseline_crps_mean": 2.0, "crps_skill_mean": 0.5, "test_windows": 9.0}
    served = replace(model(), manifest=model().manifest.model_copy(update={"metrics": metrics}))
    (made,), _ = nodes.make_baseline_version(BAD, served, RUN)

    assert made.published.manifest.metrics == {"baseline_crps_mean": 2.0, "crps_mean": 2.0, "crps_skill_mean": 0.0}


def test_a_champion_that_stands_leaves_the_pointer_as_it_is() -> None:
    fine = Standing(version="old", demote=False, reason="fine")

    assert nodes.make_baseline_version(fine, model(), RUN) == ((), ())
    assert nodes.stand_down(POINTER, ("old",), (), model(), RUN) is POINTER


def test_the_pointer_names_who_was_demoted_and_why() -> None:
    made, _ = nodes.make_baseline_version(BAD, model(), RUN)
    pointer = nodes.stand_down(POINTER, ("old", RUN.version), made, model(), run_at(NOW))

    assert pointer.version == RUN.version
    assert pointer.demotion is not None
    assert pointer.demotion.demoted is not None
    assert (pointer.demotion.at, pointer.demotion.demoted.architecture) == (NOW, "har")
    assert "mean CRPS 60 % above the baseline's" in pointer.demotion.reason
    assert ChampionPointer.read(pointer.model_dump(mode="json"), "btc_usdt") == pointer


def test_a_version_that_is_not_whole_in_the_store_is_not_pointed_to() -> None:
    made, _ = nodes.make_baseline_version(BAD, model(), RUN)

    assert nodes.stand_down(POINTER, ("old",), made, model(), RUN) is POINTER
