"""Nodes of the training pipeline."""

import logging
from dataclasses import replace
from typing import Any

import pandas as pd

from make_us_rich.backtest.backtest import Backtests, empty_backtests, mean_quantiles
from make_us_rich.backtest.folds import BacktestParameters
from make_us_rich.backtest.selection import CHAMPION
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import BASELINE, LEVELS
from make_us_rich.domain.run import RunContext
from make_us_rich.features.registry import FeatureFrames
from make_us_rich.klines.report import DataReport
from make_us_rich.models import backtesting
from make_us_rich.models.base import Challenger, Challengers, FitSettings, Scaler, cut_parts
from make_us_rich.models.registry import Candidates, TrainingParameters, restore_architectures
from make_us_rich.plotting import Figure, axis, frame, line, titled

log = logging.getLogger(__name__)


def fit_challengers(
    features: FeatureFrames,
    klines: pd.DataFrame,
    split: dict[str, Any],
    scalers: dict[str, Scaler],
    candidates: dict[str, Any],
    training: TrainingParameters,
    run: RunContext,
) -> Challengers:
    """Fit every challenger that has a scaler, and the baseline."""
    challengers, settings = {}, FitSettings(LEVELS, training.seed, training.accelerator)
    for name, architecture in Candidates.model_validate(candidates).architectures().items():
        if name in scalers:
            log.info("%s: fitting %s", run.pair, name)
            parts = cut_parts(architecture, features, klines, split)
            challengers[name] = Challenger(architecture, architecture.fit(parts, scalers[name], settings))
    return challengers


def run_backtest(
    features: FeatureFrames,
    klines: pd.DataFrame,
    scalers: dict[str, Scaler],
    candidates: dict[str, Any],
    training: TrainingParameters,
    plan: BacktestParameters,
    run: RunContext,
) -> Backtests:
    """Fit the recipes of all challengers, and the champion's, anew in every fold, and forecast it.

    Returns:
        By target, forecasts by architecture, and ``champion`` where one is served that is not the baseline. Where there
        are too few candles for the folds, none, and the reason for each.
    """
    competing = Candidates.model_validate(candidates)
    recipes = {name: recipe for name, recipe in competing.architectures().items() if name in scalers}
    # A member of the champion with a challenger's recipe is fitted once.
    champion = {
        name if recipes.get(name) == member else f"{CHAMPION}'s {name}": member
        for name, member in restore_architectures(competing.champion).items()
    }
    log.info("%s: backtest of %s in %d folds", run.pair, ", ".join(recipes | champion), plan.n_folds)
    windows = backtesting.cut_windows(recipes | champion, features, klines)
    try:
        folds = backtesting.plan_folds(windows[BASELINE], plan)
    except DataError as exc:
        return empty_backtests(LEVELS, dict.fromkeys(competing.challengers, str(exc)), competing.challengers)
    few = dict.fromkeys(competing.challengers.keys() - recipes, "there are too few candles in a row to fit it")
    settings = FitSettings(LEVELS, training.seed, training.accelerator)
    backtests = backtesting.run_backtest(recipes | champion, windows, folds, settings)
    for target, made in backtests.items():
        quantiles = {name: made.quantiles[name] for name in recipes}
        if champion:
            quantiles[CHAMPION] = mean_quantiles([made.quantiles[name] for name in champion])
        backtests[target] = replace(made, quantiles=quantiles, refused=few, candidates=competing.challengers)
    return backtests


def collect_history(challengers: Challengers) -> pd.DataFrame:
    """Every step's losses: ``architecture``, ``step``, ``train_loss``, ``validation_loss``."""
    frames = {name: challenger.fitted.history for name, challenger in challengers.items()}
    return pd.concat(frames, names=["architecture"]).reset_index("architecture").reset_index(drop=True)


def log_losses(history: pd.DataFrame) -> dict[str, list[dict[str, float]]]:
    """The losses as MLflow metric histories: ``<architecture>.<loss>`` to steps and values."""
    return {
        f"{architecture}.{loss}": [
            {"step": int(step), "value": float(value)} for step, value in zip(rows["step"], rows["value"], strict=True)
        ]
        for (architecture, loss), rows in _by_loss(history)
    }


def plot_training_curve(history: pd.DataFrame, data_report: dict[str, Any]) -> Figure:
    """The losses by step, as a Plotly figure; the title says where the market is simulated."""
    traces = [
        line(f"{name}: {str(loss).replace('_', ' ')}", (rows["step"], rows["value"]), {}, "step %{x}: %{y:.5g}")
        | {"mode": "lines+markers"}
        for (name, loss), rows in _by_loss(history)
    ]
    title = titled("Training curves", DataReport.model_validate(data_report).simulated)
    axes = axis("step (epoch of a network, decay of the baseline)"), axis("loss")
    return {"data": traces, "layout": frame(title, *axes)}


def _by_loss(history: pd.DataFrame) -> Any:
    return history.melt(["architecture", "step"], var_name="loss").dropna().groupby(["architecture", "loss"])
