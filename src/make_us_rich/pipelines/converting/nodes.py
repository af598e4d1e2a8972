"""Nodes of the converting pipeline."""

import json
from typing import Any

import pandas as pd

from make_us_rich.domain.checksums import sha256
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.manifest import CONTRACT, Candidate, DataRange
from make_us_rich.domain.run import RunContext
from make_us_rich.features.split import Split
from make_us_rich.features.windows import Windows
from make_us_rich.inference.session import QuantileSession
from make_us_rich.models.challengers import Challengers
from make_us_rich.models.interface import Scaler, scaler_fingerprint
from make_us_rich.models.parts import Features, cut_parts
from make_us_rich.pipelines.converting.parameters import ConvertingParameters
from make_us_rich.pipelines.converting.parity import compare


def draw_windows(
    features: Features,
    klines: pd.DataFrame,
    split: dict[str, Any],
    challengers: Challengers,
    choice: dict[str, str],
    converting: ConvertingParameters,
) -> Windows:
    """The newest real windows of the test part, as the chosen architecture sees them."""
    architecture = challengers[choice["architecture"]].architecture
    test = cut_parts(architecture, features, klines, split).test
    return test.at(test.origins[-converting.parity_windows :])


def convert_model(challengers: Challengers, choice: dict[str, str], windows: Windows, run: RunContext) -> bytes:
    """The chosen model as an ONNX graph that says what it is and has passed ``onnx.checker``."""
    import onnx

    challenger = challengers[choice["architecture"]]
    model = onnx.load_from_string(challenger.fitted.to_onnx())
    properties = {
        "contract": CONTRACT,
        "pair": run.pair.name,
        "architecture": choice["architecture"],
        "feature_set": challenger.architecture.feature_set,
        "columns": windows.columns,
        "lookback": windows.lookback,
        "horizon": HORIZON,
        "levels": QUANTILE_LEVELS,
    }
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in properties.items()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def check_parity(
    onnx_model: bytes,
    challengers: Challengers,
    choice: dict[str, str],
    windows: Windows,
    converting: ConvertingParameters,
    run: RunContext,
) -> dict[str, float]:
    """Run both on the same real windows and compare what they say, down to the price.

    Raises:
        ParityError: They differ by more than the tolerances.
    """
    name = choice["architecture"]
    shapes = (windows.lookback, len(windows.columns)), (HORIZON, len(QUANTILE_LEVELS))
    session = QuantileSession(onnx_model, f"{run.pair} {name}", shapes)
    inputs = windows.inputs()
    expected, found = challengers[name].fitted.quantiles(inputs), session.quantiles(inputs)
    return compare(expected, found, windows, f"{run.pair} {name}", converting)


def describe_candidate(
    onnx_model: bytes,
    parity: dict[str, float],
    scalers: dict[str, Scaler],
    klines: pd.DataFrame,
    split: dict[str, Any],
    metrics: dict[str, float],
    choice: dict[str, str],
    challengers: Challengers,
    windows: Windows,
    run: RunContext,
) -> dict[str, Any]:
    """What the converted model is, for exporting to publish."""
    name = choice["architecture"]
    used = klines["timestamp"].iloc[-Split.model_validate(split).rows :]
    candidate = Candidate(
        pair=run.pair.name,
        architecture=name,
        feature_set=challengers[name].architecture.feature_set,
        columns=windows.columns,
        lookback=windows.lookback,
        horizon=HORIZON,
        levels=QUANTILE_LEVELS,
        data=DataRange(start=used.iloc[0], end=used.iloc[-1], rows=len(used)),
        metrics=metrics,
        parity=parity,
        scaler=scaler_fingerprint(scalers[name]),
        checksums={"onnx_model": sha256(onnx_model)},
    )
    return candidate.model_dump(mode="json")
