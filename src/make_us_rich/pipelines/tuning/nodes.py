"""Nodes of the tuning pipeline."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.backtest.comparison import mean_crps
from make_us_rich.backtest.folds import BacktestParameters, fold_parts, make_folds
from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import BASELINE, HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.run import RunContext
from make_us_rich.features.base import HOUR
from make_us_rich.features.registry import FeatureFrames
from make_us_rich.features.split import Origins
from make_us_rich.features.windows import Windows
from make_us_rich.models.backtesting import cut_windows, forecast_folds
from make_us_rich.models.base import Architecture, FitSettings
from make_us_rich.models.registry import Candidates, TrainingParameters, parse_architectures, restore_architectures
from make_us_rich.pipelines.tuning.spaces import TuningParameters, find_spaces

log = logging.getLogger(__name__)

DTYPES = {
    "at": "datetime64[ms, UTC]",
    "version": "str",
    "architecture": "str",
    "number": "int64",
    "loss": "float64",
    "baseline_loss": "float64",
    "seconds": "float64",
    "parameters": "str",
    "recipe": "str",
    "reason": "str",
}
"""Columns of the table of trials. Losses are means over folds and horizons, log return; the trial's is NaN where its
``reason`` says why there is none."""

CONFIGURED = 0
"""Number of the trial of the configured recipe."""


def tune_architectures(
    features: FeatureFrames,
    klines: pd.DataFrame,
    candidates: dict[str, Any],
    architectures: str,
    training: TrainingParameters,
    backtest: BacktestParameters,
    tuning: TuningParameters,
    run: RunContext,
) -> pd.DataFrame:
    """Try recipes of every configured architecture, on hours before those that the gate uses.

    The gate uses the newest hours at which all candidates can forecast.

    Returns:
        One row a trial, see ``DTYPES``.

    Raises:
        ParameterError: An architecture has no space, or none that contains its configured recipe.
        DataError: There are too few hours before those that the gate uses.
    """
    from make_us_rich.pipelines.tuning.search import Search

    competing, baseline = Candidates.model_validate(candidates), training.architecture(BASELINE)
    recipes = {name: training.architecture(name) for name in parse_architectures(architectures)}
    spaces = {name: find_spaces(name, tuning.spaces, recipe) for name, recipe in recipes.items()}
    # With its longest lookback: where that can forecast, every recipe of the space can.
    longest = {
        name: recipe.model_copy(update={"lookback": max(recipe.lookback, *map(int, spaces[name]["lookback"].ends))})
        for name, recipe in recipes.items()
        if "lookback" in spaces[name]
    }
    others = {
        **{f"candidate {name}": recipe for name, recipe in competing.architectures().items()},
        **{f"the champion's {name}": recipe for name, recipe in restore_architectures(competing.champion).items()},
    }
    windows = cut_windows(others | {BASELINE: baseline} | recipes | longest, features, klines)
    folds = plan_trials(windows[BASELINE], backtest, tuning)
    settings = FitSettings(QUANTILE_LEVELS, training.seed, training.accelerator)
    losses = {name: partial(fold_losses, windows[name], folds, settings) for name in (BASELINE, *recipes)}
    reference, rows = tuple(losses[BASELINE](baseline)), list[dict[str, Any]]()
    for name, recipe in recipes.items():
        known, tested = competing.challengers.get(name, {}), losses[name]
        rows += Search(str(run.pair), name, recipe, known, spaces[name], tested, reference, tuning).trials()
    trials = pd.DataFrame(rows, columns=list(DTYPES)).assign(at=run.clock(), version=run.version)
    return trials.astype(DTYPES)


def plan_trials(windows: Windows, backtest: BacktestParameters, tuning: TuningParameters) -> tuple[Origins, ...]:
    """Folds before the hours that the gate uses; each is fitted on as much as one of the gate's.

    No outcome of a trial opens later than the gate's first origin.

    Raises:
        DataError: There are too few hours for them.
    """
    opens = windows.timestamps[windows.origins]
    first = opens[-backtest.n_folds * backtest.test_size :][:1]
    before = windows.origins[opens + HORIZON * HOUR <= first]
    plan = backtest.model_copy(update={"n_folds": tuning.n_folds, "test_size": tuning.test_size})
    try:
        return make_folds(before, windows.timestamps, plan)
    except DataError as exc:
        raise DataError(f"tuning: before the hours that the gate uses, {exc.message}", exc.remedy) from exc


def fold_losses(
    windows: Windows, folds: tuple[Origins, ...], settings: FitSettings, recipe: Architecture
) -> Iterator[float]:
    """Mean CRPS of a recipe in each fold, not calibrated, one by one as they are fitted; log return."""
    parts = fold_parts(replace(windows, lookback=recipe.lookback), folds)
    for part, forecast in zip(parts, forecast_folds(recipe, parts, settings), strict=True):
        yield float(mean_crps(part.test.targets(), forecast["close"], settings.levels).mean())


def update_trials(stored_trials: pd.DataFrame, new_trials: pd.DataFrame, dry_run: bool) -> pd.DataFrame:
    """All trials, oldest first, of which the gate counts those since the last promotion; none of a dry run."""
    if dry_run:
        return stored_trials if len(stored_trials) else new_trials.head(0)
    return new_trials if stored_trials.empty else pd.concat([stored_trials, new_trials], ignore_index=True)


def select_best_params(
    new_trials: pd.DataFrame,
    stored_best_params: dict[str, Any],
    tuning: TuningParameters,
    dry_run: bool,
    run: RunContext,
) -> dict[str, Any]:
    """The best recipe of each architecture that was tuned, where it beats the configured one.

    Returns:
        All hyperparameters by architecture.
    """
    best_params = dict(stored_best_params)
    for name in sorted(set(new_trials["architecture"])):
        best_params.pop(name, None)
        rows = new_trials[new_trials["architecture"] == name]
        finished = rows.dropna(subset="loss").sort_values("loss", kind="stable")
        configured = finished.loc[finished["number"] == CONFIGURED, "loss"]
        limit = np.inf if configured.empty else (1 - tuning.min_gain) * configured.iloc[0]
        if len(finished) and finished["loss"].iloc[0] < limit:
            best_params[name] = json.loads(finished["parameters"].iloc[0])
        log.info("%s: best parameters of %s: %s", run.pair, name, best_params.get(name, "those that are configured"))
    return stored_best_params if dry_run else best_params


def log_trials(new_trials: pd.DataFrame) -> dict[str, list[dict[str, float]]]:
    """Each trial's loss and the lowest so far as MLflow metric histories; log return."""
    finished = new_trials.dropna(subset="loss")
    return {
        f"{architecture}.{metric}": [
            {"step": int(step), "value": float(value)} for step, value in zip(rows["number"], values, strict=True)
        ]
        for architecture, rows in finished.groupby("architecture")
        for metric, values in (("trial_loss", rows["loss"]), ("best_loss", rows["loss"].cummin()))
    }
