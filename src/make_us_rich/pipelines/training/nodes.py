"""Nodes of the training pipeline."""

import logging
from typing import Any

import pandas as pd

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.forecast import QUANTILE_LEVELS
from make_us_rich.domain.run import RunContext
from make_us_rich.models.challengers import Challenger, Challengers
from make_us_rich.models.interface import FitSettings, Scaler
from make_us_rich.models.parts import Features, cut_parts
from make_us_rich.models.registry import TrainingParameters, with_baseline

log = logging.getLogger(__name__)


def fit_challengers(
    features: Features,
    klines: pd.DataFrame,
    split: dict[str, Any],
    scalers: dict[str, Scaler],
    architectures: str,
    training: TrainingParameters,
    run: RunContext,
) -> Challengers:
    """Fit every architecture that is asked for, and the baseline to hold them against.

    Args:
        features: Feature set to a function that loads its frame, one row a candle.
        klines: Clean candles that contain those rows.
        split: Where the rows are cut.
        scalers: By architecture, fitted on the rows that its fit windows see.
        architectures: Names in the registry, joined by a plus.
        training: Hyperparameters.
        run: For the log and the error.

    Returns:
        By architecture.

    Raises:
        DataError: Preprocessing was not asked for one of them.
    """
    settings = FitSettings(QUANTILE_LEVELS, training.seed, training.accelerator)
    challengers = {}
    for name in with_baseline(architectures):
        if name not in scalers:
            raise DataError(f"{run.pair}: {name} has no scaler; run the preprocessing pipeline for it first")
        log.info("%s: fitting %s", run.pair, name)
        architecture = training.architecture(name)
        parts = cut_parts(architecture, features, klines, split)
        challengers[name] = Challenger(architecture, architecture.fit(parts, scalers[name], settings))
    return challengers


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
