import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from make_us_rich.backtest.calibration import settle
from make_us_rich.domain.conformal import ConformalScales
from make_us_rich.domain.errors import ArtifactError, DataError
from make_us_rich.domain.forecast import HORIZON, LEVELS, QUANTILE_LEVELS, TARGETS
from make_us_rich.domain.manifest import Manifest, Verdict
from make_us_rich.inference.champion import Champion
from synthetic import prepared, published, simulated_klines, trained

ARCHITECTURES = ("baseline", "lstm_levels")
SCORED = [LEVELS.index(level) for level in QUANTILE_LEVELS]
NEEDED = {"baseline": 24 + 168, "lstm_levels": 12}


def champion(architecture: str = "baseline") -> Champion:
    return Champion(*published(architecture))


def newest(rows: int) -> pd.DataFrame:
    return simulated_klines().tail(rows).reset_index(drop=True)


def test_the_baselines_forecast_is_the_one_computed_by_hand() -> None:
    klines = newest(192)
    fitted: Any = trained()["baseline"].fitted
    closes = klines["close"].tolist()
    squares = [math.log(after / before) ** 2 for before, after in zip(closes[-25:-1], closes[-24:], strict=True)]
    # A row of weights an hour of the past, a column a horizon.
    sigma = np.sqrt((fitted.weights.astype(float) * np.array(squares)[:, None]).sum(axis=0))

    forecast = champion().forecast(klines)

    by_hand = {target: (sigma[:, None] * table.astype(float))[None] for target, table in fitted.tables.items()}
    for target, returns in settle(by_hand).items():
        np.testing.assert_allclose(forecast.returns[target], returns[0], rtol=1e-5)
    expected = closes[-1] * np.exp(sigma[:, None] * fitted.tables["close"][:, SCORED].astype(float))
    np.testing.assert_allclose(forecast.quantiles, expected, rtol=1e-6)


def with_edge(architecture: str, factor: float | None = None) -> Champion:
    """A model that shows its own median, with its quantiles scaled by a factor."""
    manifest, graph = published(architecture)
    edge = Verdict(publish=True, reason="edge: mean absolute error 1 % below persistence's")
    return Champion(manifest.model_copy(update={"edge": edge}), graph, scales_of(manifest.version, factor))


def scales_of(version: str, factor: float | None) -> ConformalScales | None:
    if factor is None:
        return None
    at = datetime(2025, 1, 1, tzinfo=UTC)
    return ConformalScales(
        version=version,
        at=at,
        forecasts=900,
        factors=(factor,) * HORIZON,
        high_factors=(factor + 0.5,) * HORIZON,
        low_factors=(factor - 0.5,) * HORIZON,
        coverage_before=(),
        coverage_after=(),
    )


def test_the_baseline_beside_a_model_forecasts_as_it_does_alone() -> None:
    manifest, graph = published("lstm_levels")
    beside = Champion(manifest, graph, scales_of(manifest.version, 1.5), published()[1])
    klines = newest(24 + 168)

    forecast = beside.forecast(klines)

    assert forecast.baseline == champion().forecast(klines).quantiles
    assert forecast.quantiles != forecast.baseline


def test_a_model_published_before_release_0_2_has_no_baseline_beside_it() -> None:
    manifest, graph = published()
    old = Champion(manifest.model_copy(update={"baseline": None}), graph, None, graph)

    assert old.forecast(newest(24 + 168)).baseline is None


def test_without_an_edge_the_whole_forecast_moves_to_the_last_close() -> None:
    klines, last = newest(192), newest(1)["close"].item()
    own, held = (
        np.log(each.forecast(klines).quantiles) for each in (with_edge("lstm_levels"), champion("lstm_levels"))
    )

    np.testing.assert_allclose(held[:, 3], np.log(last))
    np.testing.assert_allclose(held - held[:, 3:4], own - own[:, 3:4], atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_highs_and_lows_are_scaled_from_the_last_close_and_contain_the_closes(architecture: str) -> None:
    klines = newest(192)
    plain, scaled = (with_edge(architecture, factor).forecast(klines).returns for factor in (None, 1.5))

    close = scaled["close"]
    median = plain["close"][:, [LEVELS.index(0.5)]]
    np.testing.assert_allclose(close, median + 1.5 * (plain["close"] - median), atol=1e-6)
    high, low = np.maximum(2 * plain["high"], np.maximum(close, 0)), np.minimum(plain["low"], np.minimum(close, 0))
    np.testing.assert_allclose(scaled["high"], np.maximum.accumulate(high), atol=1e-6)
    np.testing.assert_allclose(scaled["low"], np.minimum.accumulate(low), atol=1e-6)


def test_levels_beyond_the_scored_ones_have_the_scales_of_their_tails() -> None:
    manifest, graph = published()
    scales = scales_of(manifest.version, 1.0)
    assert scales
    tails = {"close": ((1.1,) * HORIZON, (1.2,) * HORIZON), "high": ((1.3,) * HORIZON,)}
    plain, scaled = (
        Champion(manifest, graph, each).forecast(newest(192)).returns
        for each in (scales, scales.model_copy(update={"tails": tails}))
    )

    np.testing.assert_allclose(scaled["close"][:, :3], 1.1 * plain["close"][:, :3], atol=1e-7)
    np.testing.assert_allclose(scaled["close"][:, -3:], 1.2 * plain["close"][:, -3:], atol=1e-7)
    np.testing.assert_array_equal(scaled["close"][:, 3:-3], plain["close"][:, 3:-3])
    assert (scaled["high"][:, -3:] != plain["high"][:, -3:]).all()
    np.testing.assert_array_equal(scaled["high"][:, :-3], plain["high"][:, :-3])


def test_the_scales_of_another_version_are_not_applied() -> None:
    manifest, graph = published()

    model = Champion(manifest, graph, scales_of("another", 1.5))

    assert model.forecast(newest(192)) == champion().forecast(newest(192))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_serving_forecasts_what_training_did_on_the_same_candles(architecture: str) -> None:
    test = prepared(architecture).parts(architecture).validation
    opened = pd.Timestamp(test.timestamps[test.origins[-1]], tz="UTC")
    klines = simulated_klines()[lambda frame: frame["timestamp"] <= opened]

    forecast = with_edge(architecture).forecast(klines)

    returns = settle(trained(architecture)[architecture].fitted.quantiles(test.inputs()[-1:]))
    for target in TARGETS:
        np.testing.assert_allclose(forecast.returns[target], returns[target][0], atol=1e-5)
    closes = returns["close"][0][:, SCORED].astype(float)
    np.testing.assert_allclose(forecast.quantiles, test.last_closes()[-1] * np.exp(closes), rtol=1e-5)


def test_a_forecast_names_its_model_and_is_issued_at_the_close_of_the_last_candle() -> None:
    manifest, _ = published()
    klines = newest(192)
    forecast = champion().forecast(klines)

    assert forecast.issued_at == klines["timestamp"].iloc[-1] + pd.Timedelta("1h")
    assert forecast.issued_at.utcoffset() == pd.Timedelta(0)
    assert forecast.quantiles[6][3] == klines["close"].iloc[-1]
    pd.testing.assert_frame_equal(klines, newest(192))

    assert (forecast.pair, forecast.version, forecast.architecture) == ("btc_usdt", manifest.version, "baseline")
    assert (forecast.levels, len(forecast.quantiles)) == (QUANTILE_LEVELS, HORIZON)
    assert (forecast.return_levels, tuple(forecast.returns)) == (LEVELS, TARGETS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_candle_too_few_is_refused(architecture: str) -> None:
    needed = NEEDED[architecture]
    match = f"btc_usdt: a forecast needs {needed} closed candles in a row, there are only {needed - 1}; fetch more"
    with pytest.raises(DataError, match=match):
        champion(architecture).forecast(newest(needed - 1))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("back", [2, 11])
def test_a_gap_is_refused_and_named(architecture: str, back: int) -> None:
    klines = newest(NEEDED[architecture] + 1)
    before = f"{klines['timestamp'].iloc[-back - 1]:%Y-%m-%dT%H:%M}"

    with pytest.raises(DataError, match=f"there is a gap after the one of {before} UTC; fetch the pair again"):
        champion(architecture).forecast(klines.drop(index=klines.index[-back]))
    with pytest.raises(DataError, match="there is a gap after"):
        champion(architecture).forecast(pd.concat([klines, klines.tail(1)]))


def test_after_a_gap_the_baseline_is_the_fallback_until_the_models_candles_are_there(
    monthly_klines: pd.DataFrame, publish_model: Any
) -> None:
    # The model needs 720 candles, the baseline 192, and the scales are the model's own.
    made, klines = publish_model(), monthly_klines
    model = Champion(made.manifest, made.onnx_model, scales_of(made.manifest.version, 1.5), made.baseline_onnx)
    missing = len(klines) - 193

    fallback = model.forecast(klines.drop(index=missing))

    assert (fallback.architecture, fallback.quantiles) == ("baseline", model.forecast(klines).baseline)
    assert fallback.baseline == fallback.quantiles
    assert fallback.fallback is not None
    assert fallback.fallback.startswith("har cannot forecast: btc_usdt: a forecast needs 720 closed candles in a row")
    assert model.forecast(klines).fallback is None
    # A gap within the baseline's candles is refused with what the model needs.
    with pytest.raises(DataError, match="needs 720 closed candles in a row, there is a gap after"):
        model.forecast(klines.drop(index=len(klines) - 192))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("column", "value"), [*(("close", bad) for bad in (np.nan, np.inf, 0.0)), ("volume", np.nan)])
@pytest.mark.parametrize("row", [-1, -5])
def test_a_bad_value_is_refused(architecture: str, column: str, value: float, row: int) -> None:
    klines = newest(NEEDED[architecture])
    column = "high" if (architecture, column) == ("lstm_levels", "volume") else column  # Which it does not see.
    klines.loc[klines.index[row], column] = value

    with pytest.raises(DataError, match="closed candles in a row, there is a bad value among them; fetch the pair"):
        champion(architecture).forecast(klines)


@pytest.mark.parametrize("changes", [{"lookback": 48}, {"levels": (0.1, 0.5, 0.9)}])
def test_a_graph_of_other_shapes_is_refused(changes: dict[str, Any]) -> None:
    manifest, graph = published()

    with pytest.raises(ArtifactError, match=r"has the inputs and outputs .* asks for .*; train the pair again"):
        Champion(Manifest.model_validate(manifest.model_dump() | changes), graph)


@pytest.mark.parametrize("damage", [lambda graph: graph[: len(graph) // 2], lambda _: b"", lambda _: b"not a model"])
def test_damaged_bytes_are_refused(damage: Any) -> None:
    manifest, graph = published()

    with pytest.raises(ArtifactError, match=f"btc_usdt {manifest.version}: the ONNX model cannot be read; train the"):
        Champion(manifest, damage(graph))
