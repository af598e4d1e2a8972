"""Nodes of the preprocessing pipeline."""

import logging
from typing import Any

import pandas as pd

from make_us_rich.domain.errors import ArtifactError, DataError
from make_us_rich.domain.forecast import BASELINE, HORIZON
from make_us_rich.domain.published import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.features.feature_set import compute_features as compute
from make_us_rich.features.feature_set import find_feature_set
from make_us_rich.features.hours import naive_utc
from make_us_rich.features.split import Origins, Split, split_origins, split_rows
from make_us_rich.features.sufficiency import count_rows_needed, find_lack
from make_us_rich.features.windows import find_origins, input_rows
from make_us_rich.models.interface import Architecture, Scaler
from make_us_rich.models.lineup import Lineup
from make_us_rich.models.parts import Features
from make_us_rich.models.recipes import Recipe, restore
from make_us_rich.models.registry import TrainingParameters, with_baseline
from make_us_rich.models.scaling import fit_scaler
from make_us_rich.models.tuning import tuned
from make_us_rich.pipelines.preprocessing.parameters import PreprocessingParameters

log = logging.getLogger(__name__)


def line_up(
    architectures: str, training: TrainingParameters, stored_tuned: dict[str, Any], served_model: Published | None
) -> dict[str, Any]:
    """Who competes in this run; the record is what ``Lineup`` reads.

    Args:
        architectures: Names in the registry, joined by a plus; the baseline always runs.
        training: Hyperparameters as configured.
        stored_tuned: Those that a search has found better, by architecture.
        served_model: The champion.
    """
    chosen = tuned(training, stored_tuned)
    challengers = {name: chosen.architecture(name).model_dump(mode="json") for name in with_baseline(architectures)}
    return Lineup(challengers=challengers, champion=_recipe_served(served_model)).model_dump(mode="json")


def compute_features(klines: pd.DataFrame, history_days: int, lineup: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Compute the feature sets that somebody in the line-up sees, and no others.

    Args:
        klines: Clean candles.
        history_days: Days of candles that are learned from, the newest ones; warm-up included.
        lineup: Who competes.

    Returns:
        Feature set to its frame, one row a candle.
    """
    recent = _newest(klines, history_days)
    return {name: compute(name, recent) for name in sorted(Lineup.model_validate(lineup).feature_sets)}


def split_klines(
    klines: pd.DataFrame, history_days: int, parameters: PreprocessingParameters, run: RunContext
) -> dict[str, Any]:
    """Cut the same candles in time; the record is what ``Split`` reads.

    Raises:
        DataError: The test part is shorter than the horizon.
    """
    timestamps = pd.DatetimeIndex(_newest(klines, history_days)["timestamp"])
    try:
        split = split_rows(timestamps, parameters.test_fraction, parameters.validation_fraction, HORIZON)
    except DataError as exc:
        raise DataError(f"{run.pair}: {exc}") from exc
    return split.model_dump(mode="json")


def fit_scalers(
    features: Features,
    split: dict[str, Any],
    lineup: dict[str, Any],
    parameters: PreprocessingParameters,
    run: RunContext,
) -> dict[str, Scaler]:
    """Fit a scaler for each challenger and the baseline, on the rows that its fit windows see.

    A challenger for which there are too few candles is left out, so that a young pair is served by the baseline.

    Args:
        features: Feature set to a function that loads its frame.
        split: Where the rows are cut.
        lineup: Who competes.
        parameters: How the rows were split, to tell how many it takes.
        run: For the log and the error.

    Returns:
        By architecture; its inputs are named after the features.

    Raises:
        DataError: The candles are too few, or gaps leave too few together, for a window of the baseline in each part.
    """
    cut = Split.model_validate(split)
    scalers = {}
    for name, architecture in Lineup.model_validate(lineup).architectures().items():
        frame = features[architecture.feature_set]()
        origins = _split_windows(frame, cut, architecture.lookback)
        needed = _rows_needed(architecture, parameters)
        lack = find_lack(origins, naive_utc(pd.DatetimeIndex(frame.index)), needed, f"{run.pair}: {name}")
        if lack and name == BASELINE:
            raise DataError(lack)
        if lack:
            log.warning("%s; it is left out of this run", lack)
            continue
        scalers[name] = fit_scaler(frame.iloc[input_rows(origins.fit, architecture.lookback)])
        log.info(
            "%s: %s has %d windows to fit, %d to validate, %d to test",
            *(run.pair, name, len(origins.fit), len(origins.validation), len(origins.test)),
        )
    return scalers


def _recipe_served(served_model: Published | None) -> Recipe:
    """None of the baseline's, which always runs, nor one that this release cannot fit."""
    if served_model is None or served_model.manifest.architecture == BASELINE:
        return {}
    manifest = served_model.manifest
    try:
        restore(manifest.recipe)
    except ArtifactError as exc:
        log.warning("%s %s: %s; this run compares nothing with it", manifest.pair, manifest.version, exc)
        return {}
    return manifest.recipe


def _newest(klines: pd.DataFrame, history_days: int) -> pd.DataFrame:
    return klines.tail(24 * history_days)


def _split_windows(frame: pd.DataFrame, split: Split, lookback: int) -> Origins:
    origins = find_origins(frame, lookback, split.horizon)
    return split_origins(naive_utc(pd.DatetimeIndex(frame.index)), origins, split)


def _rows_needed(architecture: Architecture, parameters: PreprocessingParameters) -> int:
    depth = find_feature_set(architecture.feature_set).depth(architecture.lookback)
    return count_rows_needed(depth, parameters.test_fraction, parameters.validation_fraction, HORIZON)
