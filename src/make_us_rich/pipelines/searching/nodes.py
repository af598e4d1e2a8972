"""Nodes of the searching pipeline."""

import logging
from functools import partial
from typing import Any

import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import BASELINE, QUANTILE_LEVELS
from make_us_rich.domain.run import RunContext
from make_us_rich.evaluation.folds import WalkForward
from make_us_rich.features.windows import Windows
from make_us_rich.models.interface import Architecture, FitSettings
from make_us_rich.models.lineup import Lineup
from make_us_rich.models.parts import Features
from make_us_rich.models.recipes import restore
from make_us_rich.models.registry import TrainingParameters, requested
from make_us_rich.models.walking import cut_windows
from make_us_rich.pipelines.searching.folds import TrialFolds, plan_trials
from make_us_rich.pipelines.searching.parameters import SearchingParameters
from make_us_rich.pipelines.searching.spaces import Spaces, find_spaces, longest
from make_us_rich.pipelines.searching.trials import best_recipes, tabulate

log = logging.getLogger(__name__)


def search_recipes(
    features: Features,
    klines: pd.DataFrame,
    lineup: dict[str, Any],
    architectures: str,
    training: TrainingParameters,
    judged: WalkForward,
    searching: SearchingParameters,
    run: RunContext,
) -> pd.DataFrame:
    """Try recipes of every architecture that is asked for, on hours before those that the gate judges.

    Args:
        features: Feature set to a function that loads its frame, one row a candle.
        klines: Clean candles that contain those rows.
        lineup: Who competes: the gate's hours are those at which all of them can forecast.
        architectures: Names in the registry, joined by a plus.
        training: Hyperparameters as configured.
        judged: The folds that the gate judges.
        searching: Budget, folds and spaces.
        run: For the log, and the time.

    Returns:
        One row a trial, see ``DTYPES``.

    Raises:
        ParameterError: An architecture has no space, or none that holds its configured recipe.
        DataError: There are too few hours before those that the gate judges.
    """
    from make_us_rich.pipelines.searching.search import Search

    recipes = {name: training.architecture(name) for name in requested(architectures)}
    spaces = {name: find_spaces(name, searching.spaces, recipe) for name, recipe in recipes.items()}
    folds = _lay_out(cut_windows(_everyone(lineup, training, spaces), features, klines), judged, searching, training)
    baseline = tuple(folds.losses(BASELINE, training.architecture(BASELINE)))
    tables = []
    for name, space in spaces.items():
        search = Search(
            name=f"{run.pair}: {name}",
            configured=recipes[name],
            known=lineup["challengers"].get(name, {}),
            spaces=space,
            losses=partial(folds.losses, name),
            baseline=baseline,
            limits=searching,
            clock=run.clock,
        )
        tables.append(tabulate(name, run.version, list(search.trials())))
    return pd.concat(tables, ignore_index=True)


def _everyone(
    lineup: dict[str, Any], training: TrainingParameters, spaces: dict[str, Spaces]
) -> dict[str, Architecture]:
    """The longest recipes that may be drawn, and all others that the gate's hours depend on."""
    named = Lineup.model_validate(lineup)
    competing = {f"{name} in the line-up": each for name, each in named.architectures().items()}
    serving = {f"the champion's {name}": each for name, each in restore(named.champion).items()}
    searched = {name: longest(training.architecture(name), space) for name, space in spaces.items()}
    return {**competing, **serving, BASELINE: training.architecture(BASELINE), **searched}


def _lay_out(
    windows: dict[str, Windows], judged: WalkForward, searching: SearchingParameters, training: TrainingParameters
) -> TrialFolds:
    try:
        folds = plan_trials(windows[BASELINE], judged, searching)
    except DataError as exc:
        raise DataError(f"searching: before the hours that the gate judges, {exc}") from exc
    return TrialFolds(windows, folds, FitSettings(QUANTILE_LEVELS, training.seed, training.accelerator))


def keep_trials(stored_trials: pd.DataFrame, new_trials: pd.DataFrame) -> pd.DataFrame:
    """All trials there ever were, oldest first: the gate counts those since the last promotion."""
    return new_trials if stored_trials.empty else pd.concat([stored_trials, new_trials], ignore_index=True)


def choose_recipes(
    new_trials: pd.DataFrame, stored_tuned: dict[str, Any], searching: SearchingParameters, run: RunContext
) -> dict[str, Any]:
    """The best recipe of each architecture that was searched, where it beats the configured one.

    Args:
        new_trials: One row a trial.
        stored_tuned: What earlier searches have found; it stays for architectures that were not searched again.
        searching: How much better it has to be.
        run: For the log.

    Returns:
        All hyperparameters by architecture.
    """
    found = best_recipes(new_trials, searching.least_gain)
    searched = set(new_trials["architecture"])
    for name in sorted(searched):
        log.info("%s: %s is tuned: %s", run.pair, name, found.get(name, "no, nothing beats what is configured"))
    return {name: recipe for name, recipe in stored_tuned.items() if name not in searched} | found


def trace_trials(new_trials: pd.DataFrame) -> dict[str, list[dict[str, float]]]:
    """Each trial's loss and the lowest so far as metric histories, for the run's record; log return."""
    finished = new_trials.dropna(subset="loss")
    return {
        f"{architecture}.{metric}": [
            {"step": int(step), "value": float(value)} for step, value in zip(rows["number"], values, strict=True)
        ]
        for architecture, rows in finished.groupby("architecture")
        for metric, values in (("trial_loss", rows["loss"]), ("best_loss", rows["loss"].cummin()))
    }
