"""Models of earlier releases still load and forecast what they did; make_golden.py says how each was made."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from make_us_rich.backtest.calibration import CalibrationParameters
from make_us_rich.domain.errors import ArtifactError, ParameterError
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.domain.manifest import Manifest, Verdict, verify
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.past import measure_scales
from synthetic import simulated_klines

FOLDER = Path(__file__).parent
MODELS = ["0.1.0/baseline", "0.1.0/lstm_levels"]


def load(name: str) -> Champion:
    manifest = Manifest.read(json.loads((FOLDER / name / "manifest.json").read_text()), name)
    graph = (FOLDER / name / "model.onnx").read_bytes()
    verify(graph, manifest.checksums["onnx_model"], name)
    # A release that did not ask for an edge showed every model's own median.
    shown = Verdict(publish=True, reason="edge: shown by its release")
    return Champion(manifest.model_copy(update={"edge": shown}), graph)


def candles(name: str) -> pd.DataFrame:
    times = [column for column, dtype in KLINE_DTYPES.items() if dtype.startswith("datetime")]
    frame = pd.read_csv(FOLDER / name / "candles.csv", parse_dates=times, date_format="ISO8601")
    return frame.astype(KLINE_DTYPES)


@pytest.mark.parametrize("name", MODELS)
def test_a_golden_model_forecasts_what_it_did_when_it_was_made(name: str) -> None:
    expected = json.loads((FOLDER / name / "forecast.json").read_text())
    model = load(name)

    forecast = model.forecast(candles(name))

    assert model.candles == len(candles(name))
    assert forecast.issued_at == datetime.fromisoformat(expected["issued_at"])
    np.testing.assert_allclose(forecast.quantiles, expected["quantiles"], rtol=1e-6)
    # The first contract has closes alone.
    assert model.manifest.targets == ("close",)
    np.testing.assert_allclose(forecast.last_close * np.exp(forecast.returns["close"]), forecast.quantiles, rtol=1e-6)
    assert forecast.return_levels == forecast.levels == model.manifest.levels
    with pytest.raises(ParameterError, match=r"btc_usdt: high is not forecast.*; choose from close"):
        forecast.quantile("high", 24, 0.9)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_first_contract_is_still_calibrated(name: str) -> None:
    klines = simulated_klines(rows=1_800)
    plain, manifest = load(name), load(name).manifest

    scales = measure_scales(plain, klines, CalibrationParameters(shrinkage=0))

    # An origin an hour from the last candle that the fit has seen on, without those whose outcomes are missing.
    assert scales.forecasts == 1_800 - 720 + 1 - 24
    assert len(scales.factors) == 24
    assert any(factor != 1 for factor in scales.factors)
    assert scales.high_factors == scales.low_factors == ()
    calibrated = Champion(manifest, (FOLDER / name / "model.onnx").read_bytes(), scales).forecast(klines)
    fitted = plain.forecast(klines).returns["close"]
    expected = fitted[:, [3]] + np.array(scales.factors)[:, None] * (fitted - fitted[:, [3]])
    np.testing.assert_allclose(calibrated.returns["close"], expected, atol=1e-6)


@pytest.mark.parametrize("contract", [0, 2, 3])
def test_a_model_is_read_by_the_contract_in_its_manifest(contract: int) -> None:
    manifest = load(MODELS[0]).manifest.model_dump(mode="json") | {"contract": contract}

    with pytest.raises(ArtifactError, match=r"contract asks for .*'high'" if contract == 2 else f"contract {contract}"):
        Champion(Manifest.read(manifest, "golden"), (FOLDER / MODELS[0] / "model.onnx").read_bytes())
