"""Nodes of the preprocessing pipeline."""

import logging
from typing import Any

import pandas as pd

from make_us_rich.backtest.folds import BacktestParameters
from make_us_rich.domain.errors import ArtifactError, DataError
from make_us_rich.domain.forecast import BASELINE
from make_us_rich.domain.manifest import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.features.base import naive_utc
from make_us_rich.features.registry import FeatureFrames, find_feature_set
from make_us_rich.features.registry import compute_features as compute
from make_us_rich.features.split import Split, min_rows, split_origins, split_rows
from make_us_rich.features.windows import find_origins, input_rows
from make_us_rich.klines.report import Cause, DataReport
from make_us_rich.models.base import Architecture, Scaler, fit_scaler
from make_us_rich.models.registry import (
    Candidates,
    Recipe,
    TrainingParameters,
    parse_architectures,
    restore_architectures,
)

log = logging.getLogger(__name__)

SHORT_LOOKBACK = 12
"""Lookback of the baseline, hours, where there are too few candles for the configured one."""
NO_VALIDATION = 1e-6
"""Share of the training windows that validate where there are too few candles for any; the baseline needs none."""
REMEDIES = {
    Cause.YOUNG: "wait until the pair has traded longer",
    Cause.DELISTED: "the exchange has delisted the pair: remove it from `pairs`",
    Cause.HALTED: "the exchange has halted the pair: wait until it trades again",
    Cause.ILLIQUID: "the pair is illiquid, too many hours pass without a trade: choose another one",
    Cause.SHORT_HISTORY: "raise history_days",
}


def select_candidates(
    klines: pd.DataFrame,
    history_days: int,
    architectures: str,
    training: TrainingParameters,
    plan: BacktestParameters,
    stored_best_params: dict[str, Any],
    served_model: Published | None,
) -> dict[str, Any]:
    """Select the recipes that compete in this run: the record of ``Candidates``."""
    chosen = training.with_best_params(stored_best_params)
    challengers = {name: chosen.architecture(name) for name in (*parse_architectures(architectures), BASELINE)}
    rows, baseline = len(klines.tail(24 * history_days)), challengers[BASELINE]
    if rows < _min_rows(baseline, plan):
        log.info("only %d candles: the baseline's lookback is at most %d hours", rows, SHORT_LOOKBACK)
        challengers[BASELINE] = baseline.model_copy(update={"lookback": min(SHORT_LOOKBACK, baseline.lookback)})
    records = {name: architecture.model_dump(mode="json") for name, architecture in challengers.items()}
    return Candidates(challengers=records, champion=_champion_recipe(served_model)).model_dump(mode="json")


def compute_features(klines: pd.DataFrame, history_days: int, candidates: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Compute the feature sets of the candidates, by name, one row for each of the newest candles, warm-up included."""
    competing, recent = Candidates.model_validate(candidates), klines.tail(24 * history_days)
    recipes = *competing.challengers.values(), *competing.champion.values()
    return {name: compute(name, recent) for name in sorted({recipe["feature_set"] for recipe in recipes})}


def split_klines(
    klines: pd.DataFrame,
    history_days: int,
    candidates: dict[str, Any],
    plan: BacktestParameters,
) -> dict[str, Any]:
    """Cut the same candles for the fit that is published: the record of a ``Split``."""
    timestamps = pd.DatetimeIndex(klines["timestamp"].tail(24 * history_days))
    baseline = Candidates.model_validate(candidates).architectures()[BASELINE]
    few = len(timestamps) < _min_rows(baseline, plan)
    validation = NO_VALIDATION if few else plan.validation_fraction
    return split_rows(timestamps, validation, plan.train_size).model_dump(mode="json")


def fit_scalers(
    features: FeatureFrames,
    split: dict[str, Any],
    candidates: dict[str, Any],
    data_report: dict[str, Any],
    plan: BacktestParameters,
    run: RunContext,
) -> dict[str, Scaler]:
    """Fit a scaler for each candidate, on the rows that its training windows see.

    A challenger for which there are too few candles is left out; the baseline is served instead.

    Returns:
        By architecture; its inputs are named after the features.

    Raises:
        DataError: The candles are too few, or gaps leave too few together, for a window of the baseline.
    """
    cut, cause = Split.model_validate(split), DataReport.model_validate(data_report).cause
    scalers = {}
    for name, architecture in Candidates.model_validate(candidates).architectures().items():
        frame = features[architecture.feature_set]()
        origins = find_origins(frame, architecture.lookback, cut.horizon)
        parts = split_origins(naive_utc(pd.DatetimeIndex(frame.index)), origins, cut)
        counts = len(parts.train), len(parts.validation)
        if all(counts) or (name == BASELINE and parts.train.size):
            scalers[name] = fit_scaler(frame.iloc[input_rows(parts.train, architecture.lookback)])
            log.info("%s: %s has %d windows to train and %d to validate", run.pair, name, *counts)
            continue
        needed = _min_rows(architecture, plan)
        remedy = REMEDIES[cause] if cause else f"set history_days to {-(-needed // 24)} or more"
        message = f"{run.pair}: {name} needs {needed} candles without a gap, and there are {len(frame)}"
        if name == BASELINE:
            raise DataError(message, remedy)
        log.warning("%s; it is skipped in this run: %s", message, remedy)
    return scalers


def _champion_recipe(served_model: Published | None) -> Recipe:
    """Empty for the baseline, which always competes, and for a recipe that this release cannot fit."""
    if served_model is None or served_model.manifest.architecture == BASELINE:
        return {}
    manifest = served_model.manifest
    try:
        restore_architectures(manifest.recipe)
    except ArtifactError as exc:
        log.warning("%s %s: %s; the champion is not compared in this run", manifest.pair, manifest.version, exc)
        return {}
    return manifest.recipe


def _min_rows(architecture: Architecture, plan: BacktestParameters) -> int:
    min_history = find_feature_set(architecture.feature_set).min_history(architecture.lookback)
    return min_rows(min_history, plan.validation_fraction)
