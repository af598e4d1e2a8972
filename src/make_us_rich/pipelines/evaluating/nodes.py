"""Nodes of the evaluating pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.backtest.backtest import Backtest, Backtests, mean_quantiles
from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.backtest.events import score_events
from make_us_rich.backtest.gate import GateParameters
from make_us_rich.backtest.multiple_testing import ComparisonCount, count_since_promotion, verdict_rows
from make_us_rich.backtest.score_table import ALL, ANY, INTERVALS, KEYS
from make_us_rich.backtest.scores import coverage
from make_us_rich.backtest.selection import (
    BacktestContext,
    ServedForecasts,
    as_served,
    evaluate_challenger,
    keep_served,
)
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import ArtifactError, DataError
from make_us_rich.domain.evaluation import ChallengerResult, EvaluationReport, EventScores
from make_us_rich.domain.forecast import BASELINE, HORIZON
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import DataRange, Published, Verdict
from make_us_rich.domain.run import RunContext
from make_us_rich.features.registry import find_feature_set
from make_us_rich.inference.past import past_forecasts_of
from make_us_rich.klines.report import DataReport
from make_us_rich.models.ensemble import can_combine
from make_us_rich.models.registry import Candidates, Recipe, TrainingParameters, config_hash, restore_architectures

log = logging.getLogger(__name__)

REPORTED = (ALL, 1, 4, HORIZON)
"""Horizons, hours, in the manifest and the run's record; ``ALL`` is the mean of all of them."""


def count_comparisons(
    stored_verdicts: pd.DataFrame, stored_trials: pd.DataFrame, stored_champion: ChampionPointer
) -> ComparisonCount:
    """Count the challengers and tuning trials since the last promotion."""
    promoted = {promotion.version for promotion in stored_champion.promotions}
    return count_since_promotion(stored_verdicts, stored_trials, promoted)


def evaluate_challengers(
    backtest: Backtests,
    candidates: dict[str, Any],
    comparisons: ComparisonCount,
    data_report: dict[str, Any],
    served_model: Published | None,
    stored_champion: ChampionPointer,
    gate: GateParameters,
    calibration: CalibrationParameters,
    dry_run: bool,
    run: RunContext,
) -> tuple[dict[str, Any], Backtests, bytes, list[dict[str, Any]]]:
    """Bring every challenger before the gate, then the ensemble of those that passed, and select the best.

    Returns:
        The record of an ``EvaluationReport``; by target the test folds' forecasts as they would have been served; the
        chosen architecture's newest out-of-sample forecasts, which calibrate the fit that is published; and what the
        calibration changed on the folds, the records of ``Calibrated``.

    Raises:
        ArtifactError: The backtest was made for other candidates.
    """
    report, challengers = DataReport.model_validate(data_report), Candidates.model_validate(candidates).challengers
    refuse_other_candidates(backtest["close"], challengers, run)
    rules = PublishingRules(report, challengers[BASELINE], stored_champion, served_model, gate, run.clock())
    context = BacktestContext(backtest, gate, calibration, 0, rules.newer_hours, rules.hold)
    results, served = evaluate_all(context, challengers, comparisons, rules)
    choice, verdict = rules.select(results)
    if dry_run:
        verdict = verdict.model_copy(update={"publish": False, "reason": f"dry run: {verdict.reason}"})
    evaluation = EvaluationReport(
        pair=run.pair.name,
        version=run.version,
        at=rules.at,
        choice=choice,
        verdict=verdict,
        challengers=tuple(results),
        champion=served_model.manifest.version if served_model else None,
        candles=rules.candles,
        simulated=report.simulated,
    )
    for result in results:
        log.info("%s: %s: %s", run.pair, result.architecture, result.verdict.reason)
    log.info("%s: chose %s: %s", run.pair, choice, verdict.reason)
    past = past_forecasts_of(backtest, choice, calibration, center=not evaluation.edge.publish).to_bytes()
    kept = keep_served(backtest, served)
    return evaluation.model_dump(mode="json"), kept, past, describe_calibration(backtest, kept, choice)


def describe_calibration(backtests: Backtests, served_backtests: Backtests, choice: str) -> list[dict[str, Any]]:
    """What calibration changed in the 80 % interval of the closes, by horizon."""
    fitted, served = backtests["close"].test_folds(), served_backtests["close"]
    if not len(served):
        return []
    before = mean_quantiles([fitted.quantiles[member] for member in choice.split("+")])
    ends = [served.levels.index(level) for level in INTERVALS[80]]
    calibrated = []
    for horizon in REPORTED[1:]:
        outcomes = served.targets[:, horizon - 1]
        fitted_ends, served_ends = (made[:, horizon - 1, ends].T for made in (before, served.quantiles[choice]))
        width, served_width = (float(np.mean(high - low, dtype=np.float64)) for low, high in (fitted_ends, served_ends))
        calibrated.append(
            {
                "horizon": horizon,
                "coverage_fitted": float(coverage(outcomes, *fitted_ends)),
                "coverage_served": float(coverage(outcomes, *served_ends)),
                "factor": served_width / width if width else None,
            }
        )
    return calibrated


def refuse_other_candidates(backtest: Backtest, challengers: dict[str, Any], run: RunContext) -> None:
    """Raise ArtifactError if the backtest was made for other candidates."""
    if backtest.candidates != challengers:
        fitted = ", ".join(backtest.candidates) or "none"
        raise ArtifactError(
            f"{run.pair}: the backtest is of other candidates ({fitted}) than preprocessing has selected"
            f" ({', '.join(challengers)})",
            f"run training first: kedro run --pipeline={run.pair.name} --tags=training,evaluating",
        )


def evaluate_all(
    context: BacktestContext, challengers: Recipe, comparisons: ComparisonCount, rules: PublishingRules
) -> tuple[list[ChallengerResult], dict[str, ServedForecasts]]:
    """Bring every challenger before the gate, then the ensemble of those that passed; as ``evaluate_recipes``."""
    recipes = {name: {name: values} for name, values in challengers.items() if name != BASELINE}
    hashes = list(map(config_hash, recipes.values()))
    context = replace(context, n_comparisons=comparisons.count(hashes, rules.at))
    results, served = evaluate_recipes(context, recipes, rules)
    members = {each.architecture: challengers[each.architecture] for each in results if each.verdict.publish}
    if can_combine(restore_architectures(members)):
        together = {target: each.with_mean(list(members)) for target, each in context.backtests.items()}
        count = comparisons.count([*hashes, config_hash(members)], rules.at)
        context = replace(context, backtests=together, n_comparisons=count)
        more, of_ensemble = evaluate_recipes(context, {"+".join(members): members}, rules)
        results, served = results + more, served | of_ensemble
    return results, served


def update_verdicts(stored_verdicts: pd.DataFrame, evaluation_report: dict[str, Any], dry_run: bool) -> pd.DataFrame:
    """Add this run's verdicts to the verdict log, unless it is a dry run; see ``verdict_rows`` for the columns."""
    report = EvaluationReport.model_validate(evaluation_report)
    rows = verdict_rows(report, {result.architecture: config_hash(result.recipe) for result in report.challengers})
    # Release 0.1 named the column so.
    stored = stored_verdicts.rename(columns={"tried": "n_comparisons"})
    if dry_run:
        return stored if len(stored) else rows.head(0)
    return rows if stored.empty else pd.concat([stored, rows], ignore_index=True)


def summarize_scores(scores: pd.DataFrame, evaluation_report: dict[str, Any]) -> dict[str, float]:
    """The chosen architecture's scores at 1, 4 and 24 hours and on average, the baseline's beside them.

    Returns:
        ``<score>_<horizon>h`` and ``<score>_mean``; errors in quote currency, CRPS in log return, shares in 0 to 1.
        A score without a value, such as the direction of a market that did not move, is left out; empty where there
        are too few candles for the folds.
    """
    whole = (scores["fold"] == ALL) & (scores["volatility"] == ANY) & scores["horizon"].isin(REPORTED)
    rows = scores[whole & (scores["architecture"] == evaluation_report["choice"])]
    if rows.empty:
        return {}
    metrics = {
        f"{score}_{'mean' if row['horizon'] == ALL else f'''{row['horizon']}h'''}": float(value)
        for row in rows.to_dict("records")
        for score, value in row.items()
        if score not in KEYS and np.isfinite(value)
    }
    return {**metrics, "test_windows": float(rows["windows"].iloc[0])}


def score_probabilities(
    served_backtest: Backtests, evaluation_report: dict[str, Any], training: TrainingParameters
) -> dict[str, Any]:
    """The chosen architecture's probabilities against what happened: the record of ``EventScores``."""
    return score_events(served_backtest, evaluation_report["choice"], training.seed).model_dump(mode="json")


def log_metrics(metrics: dict[str, float], event_scores: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The same, and errors and scores of probabilities, value at risk and paths, as metrics of the MLflow run."""
    scores, logged = EventScores.model_validate(event_scores), dict(metrics)
    for each in scores.probabilities:
        for name in ("error", "brier", "baseline_brier", "climatology_brier"):
            logged[f"{each.event}_{name}_{each.horizon}h"] = getattr(each, name)
    for risk in scores.risks:
        name = f"var_{100 * risk.level:g}"
        logged |= {f"{name}_share_{risk.horizon}h": risk.share, f"{name}_kupiec_p_{risk.horizon}h": risk.kupiec_p}
    if scores.energy is not None:
        logged |= {"energy_score": scores.energy.own, "baseline_energy_score": scores.energy.baseline}
    return {name: {"value": value, "step": 0} for name, value in logged.items()}


@dataclass(frozen=True)
class PublishingRules:
    """What decides beside a challenger's losses: the candles, demotions, rollbacks, and the model that is served."""

    report: DataReport
    baseline: dict[str, Any]
    pointer: ChampionPointer
    champion: Published | None
    gate: GateParameters
    at: datetime

    @property
    def candles(self) -> DataRange:
        """The candles of the run."""
        if self.report.first is None or self.report.last is None:
            raise DataError(f"{self.report.pair}: there is no usable candle", "run the fetching pipeline again")
        return DataRange(start=self.report.first, end=self.report.last, rows=self.report.rows_out)

    @property
    def newer_hours(self) -> int:
        """Hours of candles that the run has seen and the champion has not."""
        return 0 if self.champion is None else int((self.candles.end - self.champion.manifest.data.end) / HOUR)

    @property
    def hold(self) -> str:
        """Why only a significantly better challenger replaces the champion; empty if an equal one may."""
        rollback = self.pointer.rollback
        if rollback is None or (until := rollback.at + timedelta(days=self.gate.cooldown_days)) < self.at:
            return ""
        return (
            f"the champion was rolled back to; until {until:%Y-%m-%d %H:%M} UTC only a significantly better challenger"
            " replaces it"
        )

    def faults(self, recipe: Recipe) -> tuple[str, ...]:
        """Reasons against publishing a recipe, whatever it forecasts."""
        faults = self._recent_gaps(recipe) if self.report.valid else self.report.reasons
        demoted, cooldown = config_hash(recipe), timedelta(days=self.gate.cooldown_days)
        for each in reversed(self.pointer.promotions):
            if each.demoted and each.demoted.recipe == demoted and (until := each.at + cooldown) >= self.at:
                held_back = f"demoted at {each.at:%Y-%m-%d %H:%M} UTC and held back until {until:%Y-%m-%d %H:%M} UTC"
                return *faults, held_back
        return faults

    def select(self, results: list[ChallengerResult]) -> tuple[str, Verdict]:
        """The architecture to convert, and whether it is published.

        It is the one with the highest skill: of those that passed, else of all that have a skill. The baseline is
        chosen where no model is served and none passed.
        """
        passed = [each for each in results if each.verdict.publish]
        scored = [each for each in passed or results if each.skill is not None]
        best = max(scored, key=lambda each: each.skill or 0.0, default=None)
        serving = self.champion.manifest.architecture if self.champion else None
        if best and (passed or serving not in (None, BASELINE)):
            return best.architecture, best.verdict
        reasons = "; ".join(f"{each.architecture} {each.verdict.reason}" for each in results)
        reasons = reasons or "there was no challenger"
        # The baseline needs fresh candles without a gap in the hours that it sees, but no minimum for training.
        usable = self.report.valid or (self.report.fresh and self.report.cause is not None)
        faults = self._recent_gaps({BASELINE: self.baseline}) if usable else self.report.reasons
        publish, reason = False, f"no edge: the baseline is served ({reasons})"
        if serving not in (None, BASELINE):
            reason = f"the champion stays: {reasons}"
        elif faults:
            reason = f"refused: {'; '.join(faults)}"
        elif serving and self.hold:
            reason = f"unchanged: {reason}; {self.hold}"
        elif serving and self.newer_hours < self.gate.refresh_hours:
            reason = f"unchanged: {reason}; it is being served already"
        else:
            publish = True
        return BASELINE, Verdict(publish=publish, reason=reason)

    def _recent_gaps(self, recipe: Recipe) -> tuple[str, ...]:
        hours = max(find_feature_set(each["feature_set"]).min_history(each["lookback"]) for each in recipe.values())
        first = self.candles.end - (hours - 1) * HOUR
        recent = (gap for gap in self.report.gaps if gap.end > first)
        pair = self.report.pair.upper()
        return tuple(f"{pair}: {gap}, within the last {hours} hours that a forecast needs" for gap in recent)


def evaluate_recipes(
    context: BacktestContext, recipes: Mapping[str, Recipe], rules: PublishingRules
) -> tuple[list[ChallengerResult], dict[str, ServedForecasts]]:
    """Bring each recipe before the gate.

    Returns:
        Their results, and the forecasts, as they would have been served, of those that have any.
    """
    served = {name: as_served(context, name) for name in recipes if name in context.backtest.quantiles}
    results = [
        evaluate_challenger(context, name, recipe, served.get(name), rules.faults(recipe))
        for name, recipe in recipes.items()
    ]
    return results, served
