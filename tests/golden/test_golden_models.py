"""Models of earlier releases still load and forecast what they did; make_golden.py says how each was made."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from make_us_rich.domain.checksums import verify
from make_us_rich.domain.klines import KLINE_DTYPES
from make_us_rich.domain.manifest import Manifest, Verdict
from make_us_rich.inference.champion import Champion

FOLDER = Path(__file__).parent
MODELS = sorted(path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*/manifest.json"))


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


def test_there_are_golden_models() -> None:
    assert MODELS == ["0.1.0/baseline", "0.1.0/lstm_levels"]


@pytest.mark.parametrize("name", MODELS)
def test_a_golden_model_forecasts_what_it_did_when_it_was_made(name: str) -> None:
    expected = json.loads((FOLDER / name / "forecast.json").read_text())

    forecast = load(name).forecast(candles(name))

    assert forecast.issued_at == datetime.fromisoformat(expected["issued_at"])
    np.testing.assert_allclose(forecast.quantiles, expected["quantiles"], rtol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_golden_model_needs_the_candles_that_it_did(name: str) -> None:
    assert load(name).candles == len(candles(name))
