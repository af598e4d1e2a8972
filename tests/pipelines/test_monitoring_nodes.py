"""The nodes of the monitoring pipeline on a published model."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.live import ChampionStatus, Drift, LiveScores, RecentForecasts
from make_us_rich.domain.manifest import Manifest, Published
from make_us_rich.domain.model_card import ModelCard
from make_us_rich.domain.run import RunContext
from make_us_rich.domain.run_log import PipelineRun, write_runs
from make_us_rich.inference.champion import Champion
from make_us_rich.models.registry import config_hash
from make_us_rich.monitoring.drift import DriftRules
from make_us_rich.monitoring.live_record import QUANTILES
from make_us_rich.monitoring.scores import DemotionRules
from make_us_rich.pipelines.monitoring import demotion, figures, nodes
from make_us_rich.pipelines.monitoring.nodes import Issued, MonitoringParameters
from synthetic import RUN

MONITORING = MonitoringParameters(
    retention_days=90,
    recent_days=8,
    window_days=(7, 30, 90),
    drift=DriftRules(window_days=3),
    demotion=DemotionRules(min_forecasts=36),
)
NOTHING = pd.DataFrame()
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
POINTER = ChampionPointer(pair="btc_usdt").promote("old", datetime(2025, 1, 1, tzinfo=UTC), "passed")
BAD = ChampionStatus(version="old", demote=True, reason="mean CRPS 60 % above the baseline's")


def run_at(now: datetime, took: timedelta = timedelta()) -> RunContext:
    return replace(RUN, started_at=now - took, clock=lambda: now)


class Hours:
    """The nodes, hour by hour, until two minutes after the last candle."""

    def __init__(self, klines: pd.DataFrame, publish: Callable[..., Published]) -> None:
        self.klines, self.publish, self.model = klines, publish, publish()
        self.end: datetime = klines["timestamp"].iloc[-1].to_pydatetime() + HOUR
        self.now = self.end + 2 * MINUTE
        self.latest = self.issue()

    def issue(self, ago: int = 0, **changes: Any) -> Issued:
        now = self.now - ago * HOUR
        klines = self.klines[: len(self.klines) - ago]
        given = {"served_model": self.model, "conformal_scales": {}, "klines": klines, "run": run_at(now)}
        given["fetch_info"] = {"now": now.isoformat(), "simulated": True}
        return nodes.issue_forecast(**{**given, **changes})

    def record_after(self, *hours: int) -> pd.DataFrame:
        record = NOTHING
        for ago in hours:
            klines = self.klines[: len(self.klines) - ago]
            record = nodes.update_live_record(record, self.issue(ago), klines, MONITORING)
        return record

    @cached_property
    def record(self) -> pd.DataFrame:
        """The record of three days, one run an hour."""
        return self.record_after(*range(72, -1, -1))

    @cached_property
    def bad_record(self) -> pd.DataFrame:
        """The same of a champion whose intervals are far too wide."""
        close = self.record["last_close"]
        wide = {name: close * (self.record[name] / close) ** 12 for name in QUANTILES if name != "q50"}
        return self.record.assign(**wide)

    def missed(
        self, record: pd.DataFrame, *runs: PipelineRun, parameters: MonitoringParameters = MONITORING
    ) -> pd.DataFrame:
        log = write_runs(runs)
        return nodes.update_missed_forecasts(NOTHING, record, self.latest, log, parameters, run_at(self.now))

    def scores(self, record: pd.DataFrame, *runs: PipelineRun) -> LiveScores:
        """The scores as they are read from their file."""
        windows, served = nodes.score_live(record, self.model, self.latest, MONITORING)
        status = ChampionStatus(version="v", demote=False, reason="fine")
        drift, missed = self.drift(), self.missed(record, *runs)
        made = nodes.build_live_scores(record, missed, windows, served, drift, status, self.latest, run_at(self.now))
        return LiveScores.model_validate(json.loads(json.dumps(made)))

    def drift(self) -> dict[str, Any]:
        return nodes.measure_drift(self.model, self.klines, MONITORING, RUN)

    def check(self, record: pd.DataFrame, pointer: ChampionPointer = POINTER, **changes: Any) -> ChampionStatus:
        served = replace(self.model, **changes)
        return demotion.check_champion(record, pointer, served, self.latest, MONITORING)


@pytest.fixture(scope="module")
def hours(monthly_klines: pd.DataFrame, publish_model: Callable[..., Published]) -> Hours:
    return Hours(monthly_klines, publish_model)


def test_the_forecast_is_that_of_the_champion(hours: Hours) -> None:
    rows, model = hours.latest.rows, hours.model
    forecast = Champion(model.manifest, model.onnx_model, None, model.baseline_onnx).forecast(hours.klines)

    assert rows is not None
    assert rows[list(QUANTILES)].to_numpy().tolist() == [list(row) for row in forecast.quantiles]
    assert forecast.baseline is not None
    assert rows["baseline_q95"].tolist() == [row[6] for row in forecast.baseline]
    assert rows["high_q90"].tolist() == pytest.approx(forecast.prices("high", [0.9])[:, 0], rel=1e-6)
    assert not rows["baseline_low_q10"].equals(rows["low_q10"])
    assert rows["issued_at"].iloc[0] == pd.Timestamp(hours.end)


def test_a_forecast_that_cannot_be_issued_is_missed_with_its_reason(hours: Hours) -> None:
    made = [
        hours.issue(klines=hours.klines[:-1]),
        hours.issue(run=run_at(hours.now + HOUR, took=HOUR)),
        hours.issue(served_model=None),
        hours.issue(klines=hours.klines.drop(index=1_700)),
    ]
    missed = [each.missed for each in made if each.rows is None and each.missed]

    assert [(each.kind, each.hour) for each in missed] == [
        (kind, hours.end) for kind in ("stale", "slow", "no_model", "cannot")
    ]
    assert "there is a gap after the one of" in missed[-1].reason


def test_a_fallback_to_the_baseline_is_recorded_as_the_baselines(hours: Hours) -> None:
    rows = hours.issue(klines=hours.klines.drop(index=1_500)).rows

    assert rows is not None
    assert set(rows["architecture"]) == {"baseline"}
    assert set(rows["recipe"]) == {config_hash({})}
    assert rows["q05"].tolist() == rows["baseline_q05"].tolist()


def test_forecasts_and_missed_forecasts_are_dropped_after_their_retention(hours: Hours) -> None:
    parameters = MONITORING.model_copy(update={"retention_days": 1})
    record = nodes.update_live_record(hours.record, hours.latest, hours.klines, parameters)
    missed = hours.missed(hours.record_after(50), parameters=parameters)

    assert record["issued_at"].min() == pd.Timestamp(hours.end - 23 * HOUR)
    assert missed["hour"].min() > pd.Timestamp(hours.now - 24 * HOUR)


def test_the_scores_count_forecasts_outcomes_and_missed_forecasts(hours: Hours) -> None:
    scores = hours.scores(hours.record)
    started = hours.now - HOUR
    run = PipelineRun(
        pair="btc_usdt", pipeline="monitor_btc_usdt", started=started, ended=started + MINUTE, exit_code=0
    )
    unexplained = hours.scores(hours.record_after(2, 0), run)

    assert (scores.n_forecasts, scores.n_scored, scores.n_missed, scores.n_unexplained) == (73, 49, 0, 0)
    assert (scores.issued_at, scores.architecture, scores.simulated) == (hours.end, "har", True)
    assert [window.n_forecasts for window in scores.windows] == [73] * 3
    assert scores.served == scores.windows
    assert (unexplained.n_missed, unexplained.n_unexplained) == (1, 1)
    assert unexplained.missed[0].kind == "unexplained"


def test_only_forecasts_of_the_champions_recipe_are_scored(hours: Hours) -> None:
    record = hours.record
    latest = record["issued_at"] > record["issued_at"].max() - 40 * HOUR
    scores = hours.scores(record.assign(recipe=record["recipe"].where(latest, "x")))
    week = scores.windows[0]

    assert (week.architecture, week.n_forecasts, week.versions) == ("har", 40, (hours.model.manifest.version,))
    assert (week.horizons[0].n_outcomes, week.overall.n_outcomes, week.overall.skill) == (39, 16, None)
    assert week.horizons[0].skill is not None
    assert scores.served[0].n_forecasts == 73, "the public record has what was served before, too"


def test_a_pair_without_any_forecast_has_scores_and_figures_without_values(hours: Hours) -> None:
    stale = hours.issue(klines=hours.klines[:-1])
    empty = nodes.update_live_record(NOTHING, stale, hours.klines, MONITORING)
    scores = hours.scores(empty)

    assert (scores.version, scores.n_forecasts, scores.windows[0].overall.skill) == (None, 0, None)
    assert (scores.windows[0].architecture, scores.windows[0].versions) == (None, ())
    assert json.dumps([figures.plot_live_skill(scores.windows), figures.plot_pit(scores.windows)], allow_nan=False)


def test_the_recent_forecasts_are_those_of_the_record(hours: Hours) -> None:
    record = hours.record
    made = nodes.build_recent_forecasts(record, hours.klines, hours.latest, MONITORING, RUN)
    recent = RecentForecasts.read(json.loads(json.dumps(made)), "btc_usdt")

    assert recent is not None
    assert len(recent.forecasts) == 73
    newest = record[record["issued_at"] == record["issued_at"].max()]
    assert np.allclose(recent.forecasts[-1].quantiles, newest[list(QUANTILES)], rtol=1e-7)
    observed = record[record["state"] == "observed"]
    closes = [recent.closes[at.to_pydatetime()] for at in observed["closes_at"]]
    assert closes == pytest.approx(observed["outcome"].tolist(), rel=1e-7)


def test_drift_compares_the_newest_days_with_those_before_though_the_fit_has_seen_both(hours: Hours) -> None:
    fitted = hours.klines.head(1_500)
    wild, newest = fitted.copy(), fitted.index[-72:]
    wild.loc[newest, "high"] *= 1.1
    wild.loc[newest, "low"] /= 1.1

    calm, drifted = (
        {each.name: each.psi for each in Drift.model_validate(made).features}["log_range_1h"]
        for made in (nodes.measure_drift(hours.model, klines, MONITORING, RUN) for klines in (fitted, wild))
    )

    assert hours.model.manifest.trained_until == fitted["timestamp"].iloc[-1]
    assert nodes.measure_drift(hours.model, fitted, MONITORING, RUN)["n_rows"] == 72
    # Nearly all of the newest rows lie in the outermost bin, and none of the rows before them has changed.
    assert calm < 1
    assert drifted > 4


def test_forecasts_before_the_last_demotion_and_of_other_recipes_do_not_count(hours: Hours) -> None:
    made, _ = demotion.make_baseline_version(BAD, hours.model, RUN)
    demoted = demotion.demote_champion(POINTER, (RUN.version,), made, hours.model, run_at(hours.now))
    other = hours.model.manifest.model_copy(update={"recipe": {"har": {"lookback": 2}}})

    assert hours.check(hours.bad_record, demoted).reason == (
        "too few forecasts for the demotion check: 0 are complete, 36 needed"
    )
    assert hours.check(hours.bad_record, manifest=other).n_forecasts == 0


def test_a_champion_that_cannot_be_demoted_says_why(hours: Hours) -> None:
    baseline = hours.publish("baseline").manifest
    reasons = [hours.check(hours.bad_record, **each) for each in ({"manifest": baseline}, {"baseline_onnx": None})]

    assert [each.demote for each in reasons] == [False, False]
    assert reasons[0].reason == "the baseline is served and cannot be demoted"
    assert reasons[1].reason.endswith("no baseline is stored beside it: train the pair again")


def test_the_baselines_version_has_its_own_graph_scores_and_card(hours: Hours) -> None:
    model = hours.model
    metrics = {"crps_mean": 1.0, "baseline_crps_mean": 2.0, "crps_skill_mean": 0.5, "test_windows": 9.0}
    metrics |= {"high_crps_mean": 3.0, "baseline_high_crps_mean": 4.0, "high_crps_skill_mean": 0.25}
    scored = replace(model, manifest=model.manifest.model_copy(update={"metrics": metrics}))
    (made,), _ = demotion.make_baseline_version(BAD, scored, RUN)
    graph = made.published.onnx_model
    manifest = Manifest.read(made.published.manifest.model_dump(mode="json"), "btc_usdt")

    assert (manifest.version, manifest.architecture, manifest.verdict.publish) == (RUN.version, "baseline", True)
    own = {"crps_mean": 2.0, "crps_skill_mean": 0.0, "high_crps_mean": 4.0, "high_crps_skill_mean": 0.0}
    assert manifest.metrics == own | {"baseline_crps_mean": 2.0, "baseline_high_crps_mean": 4.0}
    # The ranks are of the market, the past forecasts of the model that goes.
    assert (made.published.scenario_ranks, made.published.past_forecasts) == (model.scenario_ranks, None)
    for name, content in (("onnx_model", graph), ("baseline_onnx", graph), ("scenario_ranks", model.scenario_ranks)):
        manifest.verify(name, content)
    assert "past_forecasts" not in manifest.checksums
    assert ModelCard.model_validate(made.card).verdict.reason.startswith("demoted: har ")
    assert "**Published by a demotion.** Demoted: har" in made.card_text


def test_the_pointer_stays_without_a_demotion_or_a_complete_version(hours: Hours) -> None:
    made, _ = demotion.make_baseline_version(BAD, hours.model, RUN)
    fine = BAD.model_copy(update={"demote": False})

    assert demotion.make_baseline_version(fine, hours.model, RUN) == ((), ())
    assert demotion.demote_champion(POINTER, ("old",), (), hours.model, RUN) is POINTER
    assert demotion.demote_champion(POINTER, ("old",), made, hours.model, RUN) is POINTER
