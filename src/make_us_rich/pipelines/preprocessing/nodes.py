"""Nodes of the preprocessing pipeline."""

import logging
from typing import Any

import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import HORIZON
from make_us_rich.domain.run import RunContext
from make_us_rich.features.feature_set import compute_features as compute
from make_us_rich.features.feature_set import find_feature_set
from make_us_rich.features.hours import naive_utc
from make_us_rich.features.split import Origins, Split, split_origins, split_rows
from make_us_rich.features.sufficiency import count_rows_needed, require_windows
from make_us_rich.features.windows import find_origins, input_rows
from make_us_rich.models.interface import Architecture, Scaler
from make_us_rich.models.parts import Features
from make_us_rich.models.registry import TrainingParameters, with_baseline
from make_us_rich.models.scaling import fit_scaler
from make_us_rich.pipelines.preprocessing.parameters import PreprocessingParameters

log = logging.getLogger(__name__)


def compute_features(
    klines: pd.DataFrame, history_days: int, architectures: str, training: TrainingParameters
) -> dict[str, pd.DataFrame]:
    """Compute the feature sets that the requested architectures and the baseline see, and no others.

    Args:
        klines: Clean candles.
        history_days: Days of candles that are learned from, the newest ones; warm-up included.
        architectures: Names in the registry, joined by a plus.
        training: What each of them sees.

    Returns:
        Feature set to its frame, one row a candle.
    """
    recent = _newest(klines, history_days)
    names = {training.architecture(name).feature_set for name in with_baseline(architectures)}
    return {name: compute(name, recent) for name in sorted(names)}


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
    architectures: str,
    training: TrainingParameters,
    parameters: PreprocessingParameters,
    run: RunContext,
) -> dict[str, Scaler]:
    """Fit a scaler for each requested architecture and the baseline, on the rows that its fit windows see.

    Args:
        features: Feature set to a function that loads its frame.
        split: Where the rows are cut.
        architectures: Names in the registry, joined by a plus.
        training: What each of them sees.
        parameters: How the rows were split, to tell how many it takes.
        run: For the log and the error.

    Returns:
        By architecture; its inputs are named after the features.

    Raises:
        DataError: The candles are too few, or gaps leave too few together, for a window in each part.
    """
    scalers = {}
    for name in with_baseline(architectures):
        architecture = training.architecture(name)
        frame = features[architecture.feature_set]()
        origins = _split_windows(frame, Split.model_validate(split), architecture.lookback)
        needed = _rows_needed(architecture, parameters)
        require_windows(origins, naive_utc(pd.DatetimeIndex(frame.index)), needed, f"{run.pair}: {name}")
        scalers[name] = fit_scaler(frame.iloc[input_rows(origins.fit, architecture.lookback)])
        log.info(
            "%s: %s has %d windows to fit, %d to validate, %d to test",
            *(run.pair, name, len(origins.fit), len(origins.validation), len(origins.test)),
        )
    return scalers


def _newest(klines: pd.DataFrame, history_days: int) -> pd.DataFrame:
    return klines.tail(24 * history_days)


def _split_windows(frame: pd.DataFrame, split: Split, lookback: int) -> Origins:
    origins = find_origins(frame, lookback, split.horizon)
    return split_origins(naive_utc(pd.DatetimeIndex(frame.index)), origins, split)


def _rows_needed(architecture: Architecture, parameters: PreprocessingParameters) -> int:
    depth = find_feature_set(architecture.feature_set).depth(architecture.lookback)
    return count_rows_needed(depth, parameters.test_fraction, parameters.validation_fraction, HORIZON)
