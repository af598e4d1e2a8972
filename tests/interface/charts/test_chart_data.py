"""What the forecast chart, its sentence and its exports are made from."""

import io
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from interface.charts import chart_data

HOUR = pd.Timedelta(hours=1)
CHAMPION = chart_data.Selection("btc_usdt", baseline=False, horizon=1, days=2)
BASELINE = replace(CHAMPION, baseline=True)


def shifted(candles: pd.DataFrame, hours: int) -> pd.DataFrame:
    return candles.assign(timestamp=candles["timestamp"] + hours * HOUR)


def hours_of(moments: pd.Series, first: object) -> list[float]:
    return ((moments - pd.Timestamp(first)) / HOUR).tolist()


def test_the_other_model_is_compared_with_the_selected_one(samples) -> None:
    forecast = samples.prediction().forecast
    champion, baseline = CHAMPION.fans(forecast)
    assert (champion.name, champion.fan, baseline.name) == ("har", forecast, "baseline")
    assert baseline.fan == forecast.baseline
    assert BASELINE.fans(forecast) == (baseline, champion)
    assert BASELINE.fans(forecast.model_copy(update={"baseline": None}))[1] is None
    assert BASELINE.fans(forecast.model_copy(update={"architecture": "baseline"}))[1] is None


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (1, "In the next hour, at 01:00 UTC, the price is between 142 and 154 USDT with 80 % probability (±4.1 %)."),
        (6, "In 6 hours, at 06:00 UTC, the price is between 112 and 184 USDT with 80 % probability (±24.3 %)."),
        (24, "By tomorrow, at 00:00 UTC, the price is between 0 and 290 USDT with 80 % probability (±97.3 %)."),
    ],
)
def test_a_range_has_its_moment_probability_and_width(samples, plain, hour: int, expected: str) -> None:
    fan, _ = CHAMPION.fans(samples.prediction().forecast)
    # Ends are 148 ± 6 an hour, rounded to two digits of the width; the width is relative to 148.
    issued = samples.first + timedelta(days=2)
    assert plain(chart_data.describe_range(fan, "btc_usdt", hour, issued + timedelta(minutes=58))) == expected
    narrow = chart_data.NamedFan("har", samples.fan(issued, 148.0, 0.01), 148.0)
    assert plain(narrow.relative_range(1)) == "±0.04 %"


def test_the_newer_candle_wins_and_gaps_stay(samples) -> None:
    newer = shifted(samples.candles(120).to_frame().reset_index(), 120)
    joined = chart_data.join_candles(samples.candles(150).to_frame().reset_index(), newer, 30)
    assert hours_of(joined["timestamp"], samples.first) == list(range(240))
    assert joined["open"][120] == 100
    gap = chart_data.join_candles(samples.candles(100).to_frame().reset_index(), newer, 30)
    assert gap["timestamp"].diff().max() == 21 * HOUR
    assert len(chart_data.join_candles(newer, shifted(newer, 120), 2)) == 48


def test_the_exported_forecast_has_a_row_for_each_hour(samples) -> None:
    prediction = samples.prediction()
    champion, baseline = CHAMPION.fans(prediction.forecast)
    table = pd.read_csv(io.StringIO(chart_data.forecast_csv(prediction, champion)), index_col="hours_ahead")
    assert table.index.tolist() == list(range(1, 25))
    assert table.loc[2].to_dict() == {
        "pair": "btc_usdt",
        "model": "har",
        "version": "2025-03-01T00.05.00.000Z",
        "simulated": True,
        "issued_at": "2025-03-03T00:00:00+00:00",
        "last_close": 148,
        "closes_at": "2025-03-03T02:00:00+00:00",
        # The second hour spreads by 18, 12 and 4.
        "q0.05": 130,
        "q0.1": 136,
        "q0.25": 144,
        "q0.5": 148,
        "q0.75": 152,
        "q0.9": 160,
        "q0.95": 166,
    }
    first = pd.read_csv(io.StringIO(chart_data.forecast_csv(prediction, baseline))).iloc[0]
    assert (first["model"], first["q0.95"]) == ("baseline", 161.5)  # 148 + 1.5 * 9
