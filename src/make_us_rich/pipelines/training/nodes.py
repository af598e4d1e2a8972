"""Nodes of the training pipeline."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import BASELINE, QUANTILE_LEVELS
from make_us_rich.domain.run import RunContext
from make_us_rich.evaluation.calibration import Quantiles
from make_us_rich.evaluation.folds import WalkForward
from make_us_rich.evaluation.judging import CHAMPION, mean_of
from make_us_rich.evaluation.walk import Walk, no_walk
from make_us_rich.models.challengers import Challenger, Challengers
from make_us_rich.models.interface import Architecture, FitSettings, Scaler
from make_us_rich.models.lineup import Lineup
from make_us_rich.models.parts import Features, cut_parts
from make_us_rich.models.recipes import restore
from make_us_rich.models.registry import TrainingParameters
from make_us_rich.models.walking import cut_windows, plan_folds, walk

log = logging.getLogger(__name__)


def fit_challengers(
    features: Features,
    klines: pd.DataFrame,
    split: dict[str, Any],
    scalers: dict[str, Scaler],
    lineup: dict[str, Any],
    training: TrainingParameters,
    run: RunContext,
) -> Challengers:
    """Fit every challenger that has a scaler, and the baseline to hold them against.

    Args:
        features: Feature set to a function that loads its frame, one row a candle.
        klines: Clean candles that contain those rows.
        split: Where the rows are cut.
        scalers: By architecture, fitted on the rows that its fit windows see.
        lineup: Who competes.
        training: Seed and accelerator.
        run: For the log.

    Returns:
        By architecture.
    """
    challengers = {}
    for name, architecture in _fitted_here(lineup, scalers).items():
        log.info("%s: fitting %s", run.pair, name)
        parts = cut_parts(architecture, features, klines, split)
        challengers[name] = Challenger(architecture, architecture.fit(parts, scalers[name], _settings(training)))
    return challengers


def walk_forward(
    features: Features,
    klines: pd.DataFrame,
    scalers: dict[str, Scaler],
    lineup: dict[str, Any],
    training: TrainingParameters,
    plan: WalkForward,
    run: RunContext,
) -> Walk:
    """Fit the recipes of all challengers, and the champion's, anew in every fold, and let them forecast it.

    Args:
        features: Feature set to a function that loads its frame, one row a candle.
        klines: Clean candles that contain those rows.
        scalers: By architecture; a challenger without one had too few candles.
        lineup: Who competes.
        training: Seed and accelerator.
        plan: Number and size of the folds.
        run: For the log.

    Returns:
        Forecasts by architecture, and ``champion`` where one is served that is not the baseline. Where the candles do
        not do for the folds, none, and the reason for each.
    """
    named = Lineup.model_validate(lineup)
    recipes = _fitted_here(lineup, scalers)
    few = dict.fromkeys(named.challengers.keys() - recipes, "there are too few candles in a row to fit it")
    champion = {_as_member(name, member, recipes): member for name, member in restore(named.champion).items()}
    log.info("%s: re-living %d folds with %s", run.pair, plan.folds, ", ".join(recipes | champion))
    windows = cut_windows(recipes | champion, features, klines)
    try:
        folds = plan_folds(windows[BASELINE], plan)
    except DataError as exc:
        return no_walk(QUANTILE_LEVELS, dict.fromkeys(named.challengers, str(exc)))
    found = walk(recipes | champion, windows, folds, _settings(training))
    return replace(found, quantiles=_with_champion(found.quantiles, recipes, champion), refused=few)


def _fitted_here(lineup: dict[str, Any], scalers: dict[str, Scaler]) -> dict[str, Architecture]:
    architectures = Lineup.model_validate(lineup).architectures()
    return {name: architecture for name, architecture in architectures.items() if name in scalers}


def _settings(training: TrainingParameters) -> FitSettings:
    return FitSettings(QUANTILE_LEVELS, training.seed, training.accelerator)


def _as_member(name: str, member: Architecture, recipes: dict[str, Architecture]) -> str:
    """A challenger's name where it has the same recipe, so that it is fitted once."""
    return name if recipes.get(name) == member else f"{CHAMPION}'s {name}"


def _with_champion(
    quantiles: Mapping[str, Quantiles], recipes: dict[str, Architecture], champion: dict[str, Architecture]
) -> dict[str, Quantiles]:
    own = {name: quantiles[name] for name in recipes}
    return own | {CHAMPION: mean_of([quantiles[name] for name in champion])} if champion else own


def tell_history(challengers: Challengers) -> pd.DataFrame:
    """Every step's losses: ``architecture``, ``step``, ``train_loss``, ``validation_loss``."""
    frames = {name: challenger.fitted.history for name, challenger in challengers.items()}
    return pd.concat(frames, names=["architecture"]).reset_index("architecture").reset_index(drop=True)


def trace_losses(history: pd.DataFrame) -> dict[str, list[dict[str, float]]]:
    """The losses as metric histories, for the run's record: ``<architecture>.<loss>`` to steps and values."""
    long = history.melt(["architecture", "step"], var_name="loss").dropna()
    return {
        f"{architecture}.{loss}": [
            {"step": int(step), "value": float(value)} for step, value in zip(rows["step"], rows["value"], strict=True)
        ]
        for (architecture, loss), rows in long.groupby(["architecture", "loss"])
    }


def draw_training_curve(history: pd.DataFrame) -> dict[str, Any]:
    """The losses by step, as a Plotly figure."""
    long = history.melt(["architecture", "step"], var_name="loss").dropna()
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"{architecture}: {str(loss).replace('_', ' ')}",
            "x": rows["step"].tolist(),
            "y": rows["value"].tolist(),
        }
        for (architecture, loss), rows in long.groupby(["architecture", "loss"])
    ]
    axes = {
        "xaxis": {"title": {"text": "step (epoch of a network, decay of the baseline)"}},
        "yaxis": {"title": {"text": "loss"}},
    }
    return {"data": traces, "layout": {"title": {"text": "Training curves"}, **axes}}
