import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

import live_models
from make_us_rich.domain.errors import ArtifactError, DataError
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.manifest import Manifest, Verdict
from make_us_rich.domain.widths import Widths
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.session import QuantileSession
from synthetic import prepared, published, simulated_klines, trained

ARCHITECTURES = ("baseline", "lstm_levels")
NEEDED = {"baseline": 24 + 168, "lstm_levels": 12}


def champion(architecture: str = "baseline") -> Champion:
    return Champion(*published(architecture))


def changed(**changes: Any) -> Champion:
    manifest, graph = published()
    return Champion(Manifest.model_validate(manifest.model_dump() | changes), graph)


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

    expected = closes[-1] * np.exp(sigma[:, None] * fitted.table.astype(float))
    np.testing.assert_allclose(forecast.quantiles, expected, rtol=1e-6)


def with_edge(architecture: str, factor: float | None = None) -> Champion:
    """A model that shows its own median, with all widths multiplied by a factor."""
    manifest, graph = published(architecture)
    edge = Verdict(publish=True, reason="edge: mean absolute error 1 % below persistence's")
    return Champion(manifest.model_copy(update={"edge": edge}), graph, widths_of(manifest.version, factor))


def widths_of(version: str, factor: float | None) -> Widths | None:
    if factor is None:
        return None
    at = datetime(2025, 1, 1, tzinfo=UTC)
    return Widths(
        version=version, at=at, forecasts=900, factors=(factor,) * HORIZON, coverage_before=(), coverage_after=()
    )


def test_the_baseline_beside_a_model_forecasts_as_it_does_alone() -> None:
    manifest, graph = published("lstm_levels")
    beside = Champion(manifest, graph, widths_of(manifest.version, 1.5), published()[1])
    klines = newest(24 + 168)

    forecast = beside.forecast(klines)

    assert forecast.baseline == champion().forecast(klines).quantiles
    assert forecast.quantiles != forecast.baseline


def test_the_baseline_beside_a_model_may_need_more_candles_than_the_model() -> None:
    manifest, graph = published("lstm_levels")

    assert Champion(manifest, graph).candles == NEEDED["lstm_levels"]
    assert Champion(manifest, graph, None, published()[1]).candles == NEEDED["baseline"]


def test_a_model_of_before_release_0_2_has_no_baseline_beside_it() -> None:
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


def test_calibrated_widths_are_multiplied_around_the_median() -> None:
    klines = newest(192)
    plain, wide = (np.log(with_edge("baseline", factor).forecast(klines).quantiles) for factor in (None, 1.5))

    np.testing.assert_allclose(wide - wide[:, 3:4], 1.5 * (plain - plain[:, 3:4]), atol=1e-6)


def test_the_widths_of_another_version_are_not_applied() -> None:
    manifest, graph = published()

    model = Champion(manifest, graph, widths_of("another", 1.5))

    assert model.forecast(newest(192)) == champion().forecast(newest(192))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_serving_forecasts_what_training_did_on_the_same_candles(architecture: str) -> None:
    test = prepared(architecture).parts(architecture).test
    opened = pd.Timestamp(test.timestamps[test.origins[-1]], tz="UTC")
    klines = simulated_klines()[lambda frame: frame["timestamp"] <= opened]

    forecast = with_edge(architecture).forecast(klines)

    returns = trained(architecture)[architecture].fitted.quantiles(test.inputs()[-1:])[0].astype(float)
    np.testing.assert_allclose(forecast.quantiles, test.last_closes()[-1] * np.exp(returns), rtol=1e-5)


def test_the_median_of_the_baseline_is_the_last_close() -> None:
    klines = newest(192)

    assert champion().forecast(klines).at(7, 0.5) == klines["close"].iloc[-1]


def test_a_forecast_is_issued_at_the_close_of_the_last_candle() -> None:
    klines = newest(192)

    issued_at = champion().forecast(klines).issued_at

    assert issued_at == klines["timestamp"].iloc[-1] + pd.Timedelta("1h")
    assert issued_at.utcoffset() == pd.Timedelta(0)


def test_a_forecast_says_whose_it_is() -> None:
    manifest, _ = published()
    forecast = champion().forecast(newest(192))

    assert (forecast.pair, forecast.version, forecast.architecture) == ("btc_usdt", manifest.version, "baseline")
    assert (forecast.levels, len(forecast.quantiles)) == (QUANTILE_LEVELS, HORIZON)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_candles_are_the_lookback_and_the_warm_up(architecture: str) -> None:
    assert champion(architecture).candles == NEEDED[architecture]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_older_candles_change_nothing(architecture: str) -> None:
    served, needed = champion(architecture), NEEDED[architecture]

    assert served.forecast(newest(needed)) == served.forecast(newest(needed + 50))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_candle_too_few_is_refused(architecture: str) -> None:
    needed = NEEDED[architecture]
    match = f"btc_usdt: a forecast needs {needed} closed candles in a row, there are only {needed - 1}; fetch more"
    with pytest.raises(DataError, match=match):
        champion(architecture).forecast(newest(needed - 1))


def test_no_candles_at_all_are_refused() -> None:
    with pytest.raises(DataError, match="there are only 0"):
        champion().forecast(newest(0))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("back", [2, 11])
def test_a_gap_is_refused_and_named(architecture: str, back: int) -> None:
    klines = newest(NEEDED[architecture] + 1)
    before = f"{klines['timestamp'].iloc[-back - 1]:%Y-%m-%dT%H:%M}"

    with pytest.raises(DataError, match=f"there is a gap after the one of {before} UTC; fetch the pair again"):
        champion(architecture).forecast(klines.drop(index=klines.index[-back]))


def test_a_gap_in_the_warm_up_is_refused() -> None:
    klines = newest(193)

    with pytest.raises(DataError, match="there is a gap after"):
        champion().forecast(klines.drop(index=1))


def test_a_gap_before_the_candles_that_are_needed_does_not_matter() -> None:
    klines = newest(220)

    assert champion().forecast(klines.drop(index=[5])) == champion().forecast(klines)


def monthly() -> tuple[Champion, pd.DataFrame]:
    """A model that needs 720 candles, the baseline beside it, which needs 192, and widths that are the model's own."""
    made = live_models.model()
    widths = widths_of(made.manifest.version, 1.5)
    return Champion(made.manifest, made.onnx_model, widths, made.baseline_onnx), live_models.klines()


def test_after_a_gap_the_baseline_stands_in_until_the_models_candles_are_there() -> None:
    model, klines = monthly()
    missing = len(klines) - 193

    stood_in = model.forecast(klines.drop(index=missing))

    assert (stood_in.architecture, stood_in.quantiles) == ("baseline", model.forecast(klines).baseline)
    assert stood_in.baseline == stood_in.quantiles
    assert stood_in.stand_in is not None
    assert stood_in.stand_in.startswith("har cannot forecast: btc_usdt: a forecast needs 720 closed candles in a row")
    assert model.forecast(klines).stand_in is None


def test_a_gap_within_the_baselines_candles_is_refused_with_what_the_model_needs() -> None:
    model, klines = monthly()

    with pytest.raises(DataError, match="needs 720 closed candles in a row, there is a gap after"):
        model.forecast(klines.drop(index=len(klines) - 192))


def test_a_candle_that_is_there_twice_is_refused() -> None:
    klines = newest(192)

    with pytest.raises(DataError, match="there is a gap after"):
        champion().forecast(pd.concat([klines, klines.tail(1)]))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
@pytest.mark.parametrize("row", [-1, -5])
def test_a_bad_price_is_refused(architecture: str, value: float, row: int) -> None:
    klines = newest(NEEDED[architecture])
    klines.loc[klines.index[row], "close"] = value

    with pytest.raises(DataError, match="closed candles in a row, there is a bad value among them; fetch the pair"):
        champion(architecture).forecast(klines)


def test_a_feature_that_is_no_number_is_refused() -> None:
    klines = newest(192)
    klines.loc[klines.index[-3], "volume"] = np.nan

    with pytest.raises(DataError, match="there is a bad value among them; fetch the pair again"):
        champion().forecast(klines)


def test_forecasting_changes_no_candle() -> None:
    klines = newest(192)
    champion().forecast(klines)

    pd.testing.assert_frame_equal(klines, newest(192))


def test_a_graph_of_another_lookback_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"has the ends .* the contract asks for .*; train the pair again"):
        changed(lookback=48)


def test_a_graph_of_other_levels_is_refused() -> None:
    with pytest.raises(ArtifactError, match="the contract asks for"):
        changed(levels=(0.1, 0.5, 0.9))


def test_a_graph_with_ends_of_another_name_is_refused() -> None:
    manifest, graph = published()
    model = onnx.load_from_string(graph)
    model.graph.output[0].name = "prices"
    model.graph.node[-1].output[0] = "prices"

    with pytest.raises(ArtifactError, match="the contract asks for"):
        Champion(manifest, model.SerializeToString())


@pytest.mark.parametrize("feature_set", ["no_such_set", "calendar_ohlc"])
def test_features_that_this_release_does_not_compute_are_refused(feature_set: str) -> None:
    with pytest.raises(ArtifactError, match=f"of '{feature_set}', which this release does not compute; train the pair"):
        changed(feature_set=feature_set)


def test_columns_in_another_order_are_refused() -> None:
    manifest, _ = published()

    with pytest.raises(ArtifactError, match="which this release does not compute"):
        changed(columns=manifest.columns[::-1])


@pytest.mark.parametrize("damage", [lambda graph: graph[: len(graph) // 2], lambda _: b"", lambda _: b"not a model"])
def test_damaged_bytes_are_refused(damage: Any) -> None:
    manifest, graph = published()

    with pytest.raises(ArtifactError, match=f"btc_usdt {manifest.version}: the ONNX model cannot be read; train the"):
        Champion(manifest, damage(graph))


def test_a_session_runs_many_windows_as_it_runs_each() -> None:
    windows = prepared().parts("baseline").test
    session = QuantileSession(published()[1], "btc_usdt", ((24, 12), (HORIZON, len(QUANTILE_LEVELS))))

    together = session.quantiles(windows.inputs())

    each = [session.quantiles(windows.inputs()[at : at + 1])[0] for at in range(len(windows))]
    np.testing.assert_allclose(together, each, rtol=1e-6)
