"""Nodes of the evaluating pipeline that decide: every challenger before the gate, and which one is converted."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd

from make_us_rich.candles.report import DataReport
from make_us_rich.domain.champion import ChampionPointer
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.judgement import Judged, Judgement
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.manifest import DataRange, Verdict
from make_us_rich.domain.published import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.evaluation.calibration import Calibration
from make_us_rich.evaluation.gate import GateRules, fall_back
from make_us_rich.evaluation.judging import (
    Case,
    Finding,
    Served,
    best,
    judge_one,
    mean_of,
    references,
    serve,
)
from make_us_rich.evaluation.trials import Tried, tried_since_promotion, verdict_rows
from make_us_rich.evaluation.walk import Walk
from make_us_rich.features.feature_set import find_feature_set
from make_us_rich.models.combination import combinable
from make_us_rich.models.lineup import Lineup
from make_us_rich.models.recipes import Recipe, recipe_id, restore

log = logging.getLogger(__name__)


def count_tried(
    stored_verdicts: pd.DataFrame,
    stored_trials: pd.DataFrame,
    stored_champion: ChampionPointer,
) -> Tried:
    """What has been tried since the last promotion, before this run."""
    promoted = {promotion.version for promotion in stored_champion.promotions}
    return tried_since_promotion(stored_verdicts, stored_trials, promoted)


def judge_challengers(
    walk: Walk,
    lineup: dict[str, Any],
    tried: Tried,
    data_report: dict[str, Any],
    served_model: Published | None,
    stored_champion: ChampionPointer,
    gate: GateRules,
    calibration: Calibration,
    run: RunContext,
) -> tuple[dict[str, Any], Walk]:
    """Bring every challenger before the gate, then the mean of those that passed.

    Args:
        walk: What they forecast on the folds, and on the lead-in.
        lineup: Who competes.
        tried: What earlier runs have tried.
        data_report: Whether the candles are fresh and whole.
        served_model: The champion.
        stored_champion: Tells which recipes were demoted lately.
        gate: Its rules.
        calibration: How widths are calibrated.
        run: Pair, version, clock.

    Returns:
        The judgement, which ``Judgement`` reads, and the folds' forecasts as they would have been served.
    """
    report, at = DataReport.model_validate(data_report), run.clock()
    challengers = Lineup.model_validate(lineup).challengers
    recipes = {name: {name: values} for name, values in challengers.items() if name != BASELINE}
    newer = _newer_hours(report, served_model)
    case = Case(walk, gate, calibration, tried.count(_identify(recipes), at), newer)
    faults = partial(_all_faults, report=report, pointer=stored_champion, gate=gate, at=at)
    judged, served = _hear(case, recipes, faults)
    joined = _join(judged)
    if joined:
        everyone = tried.count(_identify(recipes | joined), at)
        more, more_served = _hear(replace(case, walk=_with_means(walk, joined), tried=everyone), joined, faults)
        judged, served = [*judged, *more], served | more_served
    choice, verdict = _decide(judged, report, served_model, newer, gate)
    _log(run, judged, choice, verdict)
    judgement = Judgement(
        pair=run.pair.name,
        version=run.version,
        at=at,
        choice=choice,
        verdict=verdict,
        challengers=tuple(judged),
        champion=served_model.manifest.version if served_model else None,
        candles=_candles(report),
    )
    return judgement.model_dump(mode="json"), _as_served(walk, served)


def _log(run: RunContext, judged: list[Judged], choice: str, verdict: Verdict) -> None:
    for each in judged:
        log.info("%s: %s: %s", run.pair, each.architecture, each.verdict.reason)
    log.info("%s: chose %s: %s", run.pair, choice, verdict.reason)


def choose(judgement: dict[str, Any]) -> dict[str, str]:
    """The architecture to convert, a combination's members joined by a plus."""
    made = Judgement.model_validate(judgement)
    return {"architecture": made.choice, "reason": made.verdict.reason}


def keep_verdicts(stored_verdicts: pd.DataFrame, judgement: dict[str, Any]) -> pd.DataFrame:
    """The verdict log with this run's verdicts; see ``verdict_rows`` for its columns."""
    made = Judgement.model_validate(judgement)
    identifiers = {judged.architecture: recipe_id(judged.recipe) for judged in made.challengers}
    rows = verdict_rows(made, identifiers)
    return rows if stored_verdicts.empty else pd.concat([stored_verdicts, rows], ignore_index=True)


def _identify(recipes: dict[str, Recipe]) -> list[str]:
    return [recipe_id(recipe) for recipe in recipes.values()]


def _hear(
    case: Case, recipes: dict[str, Recipe], find_faults: Callable[[Recipe], tuple[str, ...]]
) -> tuple[list[Judged], dict[str, Served]]:
    """The verdict on each recipe, and the forecasts of those that have any."""
    forecasts = {name: case.walk.quantiles[name] for name in recipes if name in case.walk.quantiles}
    against = references(case) if forecasts else {}
    served = {name: serve(case, quantiles) for name, quantiles in forecasts.items()}
    faults = {name: find_faults(recipe) for name, recipe in recipes.items()}
    judged = []
    for name, recipe in recipes.items():
        if name not in served:
            reason = f"refused: {'; '.join([*faults[name], case.walk.refused[name]])}"
            none = {"verdict": Verdict(publish=False, reason=reason), "edge": _NO_FORECAST}
            judged.append(Judged(architecture=name, recipe=recipe, tried=case.tried, **none))
            continue
        finding = judge_one(case, served[name], against, faults[name])
        judged.append(_record(name, recipe, case, served[name], finding))
    return judged, served


def _record(name: str, recipe: Recipe, case: Case, served: Served, finding: Finding) -> Judged:
    result = finding.contest
    return Judged(
        architecture=name,
        recipe=recipe,
        verdict=finding.verdict,
        edge=served.edge,
        tried=case.tried,
        skill=result.skill if result else None,
        dm_t=result.test.t if result else None,
        p=result.test.p if result else None,
        folds_won=result.won if result else None,
        folds=result.folds if result else None,
        coverage_90=finding.coverage_90,
    )


def _join(judged: list[Judged]) -> dict[str, Recipe]:
    """The mean of those that passed, where there are several that can be combined."""
    passed = [each for each in judged if each.verdict.publish]
    recipe = {name: values for each in passed for name, values in each.recipe.items()}
    if not combinable(restore(recipe)):
        return {}
    return {"+".join(each.architecture for each in passed): recipe}


def _with_means(walk: Walk, joined: dict[str, Recipe]) -> Walk:
    means = {name: mean_of([walk.quantiles[member] for member in recipe]) for name, recipe in joined.items()}
    return replace(walk, quantiles={**walk.quantiles, **means})


def _as_served(walk: Walk, served: dict[str, Served]) -> Walk:
    """The folds with every challenger's forecasts as they would have been served, and the baseline's as fitted."""
    folds = walk.judged()
    baseline = {name: values for name, values in folds.quantiles.items() if name == BASELINE}
    return replace(folds, quantiles={**baseline, **{name: each.quantiles for name, each in served.items()}})


def _decide(
    judged: list[Judged], report: DataReport, served_model: Published | None, newer: int, gate: GateRules
) -> tuple[str, Verdict]:
    """Which architecture is converted, and whether it is published."""
    chosen = best(judged)
    if chosen and chosen.verdict.publish:
        return chosen.architecture, chosen.verdict
    serving = served_model.manifest.architecture if served_model else None
    if serving in (None, BASELINE):
        verdict = fall_back({each.architecture: each.verdict for each in judged}, report.reasons)
        return BASELINE, _unless_served(verdict, serving, newer, gate)
    if chosen:
        return chosen.architecture, chosen.verdict
    told = "; ".join(f"{each.architecture} {each.verdict.reason}" for each in judged) or "there was no challenger"
    return BASELINE, Verdict(publish=False, reason=f"the champion stays: {told}")


def _unless_served(verdict: Verdict, serving: str | None, newer: int, gate: GateRules) -> Verdict:
    """The baseline that is being served is replaced as seldom as an equally good model."""
    if serving is None or not verdict.publish or newer >= gate.refresh_hours:
        return verdict
    return Verdict(publish=False, reason=f"{verdict.reason}; it is being served already")


def _newer_hours(report: DataReport, served_model: Published | None) -> int:
    return 0 if served_model is None else int((_candles(report).end - served_model.manifest.data.end) / HOUR)


def _candles(report: DataReport) -> DataRange:
    if report.first is None or report.last is None:
        raise DataError(f"{report.pair}: there is no usable candle; run the fetching pipeline again")
    return DataRange(start=report.first, end=report.last, rows=report.rows_out)


def _all_faults(
    recipe: Recipe, *, report: DataReport, pointer: ChampionPointer, gate: GateRules, at: datetime
) -> tuple[str, ...]:
    """Why a recipe may not be published, whatever it forecasts."""
    return (*_faults(recipe, report), *_held_back(recipe, pointer, gate, at))


def _held_back(recipe: Recipe, pointer: ChampionPointer, gate: GateRules, at: datetime) -> tuple[str, ...]:
    """That it was demoted not long ago: the folds that it passes now are nearly those that it passed before."""
    cooldown = timedelta(days=gate.cooldown_days)
    demotion = pointer.demoted_since(recipe_id(recipe), at - cooldown)
    if demotion is None:
        return ()
    until = demotion.at + cooldown
    return (f"demoted at {demotion.at:%Y-%m-%d %H:%M} UTC and held back until {until:%Y-%m-%d %H:%M} UTC",)


def _faults(recipe: Recipe, report: DataReport) -> tuple[str, ...]:
    """Why the candles are not whole, or torn within the hours that this recipe's next forecast needs."""
    if not report.whole:
        return report.reasons
    depth = max(find_feature_set(each["feature_set"]).depth(each["lookback"]) for each in recipe.values())
    return _torn(report, depth)


def _torn(report: DataReport, depth: int) -> tuple[str, ...]:
    first = _candles(report).end - (depth - 1) * HOUR
    return tuple(
        f"{report.pair.upper()}: {gap}, within the last {depth} hours that a forecast needs"
        for gap in report.gaps
        if gap.end > first
    )


_NO_FORECAST = Verdict(publish=False, reason="no edge: there is no forecast to judge")
