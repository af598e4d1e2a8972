"""The forecast chart and the histogram of results: what is drawn, where, and in which units."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from interface.charts.chart_data import NamedFan, Selection, past_intervals
from interface.charts.forecast import ForecastChart, forecast_figure
from interface.charts.results import describe_tail, result_figure
from interface.charts.style import LIGHT
from make_us_rich.domain.risk import TailRisk


@pytest.fixture(scope="module")
def chart(samples) -> ForecastChart:
    """Two days of candles, the fan, the baseline's, and past forecasts with a gap."""
    prediction = samples.prediction()
    candles = prediction.data.to_frame().reset_index()
    fans = Selection("btc_usdt", baseline=False, horizon=1, days=2).fans(prediction.forecast)
    return ForecastChart("btc_usdt", candles, *fans, past_intervals(samples.past(), candles), 1)


def traces(chart: ForecastChart, **found: Any) -> list[Any]:
    figure = forecast_figure(chart, LIGHT)
    return [each for each in figure.data if all(getattr(each, name, None) == value for name, value in found.items())]


def test_a_candle_is_at_its_close_and_shows_prices_and_volume(chart) -> None:
    (drawn,) = traces(chart, type="candlestick")
    assert drawn.x[0] == "2025-03-01 01:00"
    assert (drawn.open[0], drawn.high[0], drawn.low[0], drawn.close[0]) == (100, 102, 99, 101)
    assert drawn.hovertext[0] == "<b>101.00 USDT</b><br>open 100.00<br>high 102.00<br>low 99.000<br>volume 5 BTC"


def test_the_fan_has_three_intervals_and_a_line_only_with_an_edge(chart, samples, plain) -> None:
    drawn = traces(chart, legendgroup="fan", fill="toself")
    assert [each.meta for each in drawn] == [90, 80, 50]
    # The last close is 148 after two days; the 24th hour spreads by 24 times 9, 6 and 2.
    assert [(each.y[0], each.y[24], each.y[25]) for each in drawn] == [
        (148, 148 + 24 * spread, 148 - 24 * spread) for spread in (9, 6, 2)
    ]
    assert (drawn[0].x[0], drawn[0].x[24]) == ("2025-03-03 00:00", "2025-03-04 00:00")
    (median,) = traces(chart, legendgroup="fan", fill=None)
    expected = "<b>har, 1 h ahead</b> (USDT)<br>50 %: 146.0 – 150.0<br>80 %: 142 – 154<br>90 %: 139 – 157"
    assert (plain(median.hovertext[0]), median.line.width) == (expected, 0)
    moved = NamedFan("har", samples.fan(chart.fan.fan.issued_at, 149.0), chart.fan.last_close)
    (line,) = traces(replace(chart, fan=moved), legendgroup="fan", fill=None)
    assert (line.line.width, line.y[0]) == (2, 149)


@pytest.mark.parametrize(("horizon", "ends"), [(1, (142, 154)), (24, (148 - 144, 148 + 144))])
def test_the_selected_horizon_is_marked_with_its_80_percent_interval(chart, horizon: int, ends: tuple) -> None:
    layout = forecast_figure(replace(chart, horizon=horizon, simulated=True), LIGHT).layout
    (mark,) = [each for each in layout.shapes if each.type == "line" and each.x0 == each.x1]
    assert (mark.y0, mark.y1) == ends
    assert mark.x0 == ("2025-03-03 01:00" if horizon == 1 else "2025-03-04 00:00")
    expected = {"<b>148.00</b>", "USDT", "<b>simulated market, no real prices</b>"}
    assert expected <= {note.text for note in layout.annotations}


def test_past_forecasts_are_interrupted_by_gaps(chart, plain) -> None:
    band, line = traces(chart, legendgroup="past")
    # Each run is a closed polygon followed by a break.
    assert [at for at, y in enumerate(band.y) if y is None] == [7, 13]
    assert [at for at, y in enumerate(line.y) if y is None] == [3, 6]
    assert (set(band.y) - {None}, line.y[0]) == ({94, 106}, 101)
    assert plain(line.hovertext[1]) == "forecast 1 h before: 80 % 94 – 106; outcome 107.00 USDT, outside"
    (marks,) = traces(chart, mode="markers")
    assert (marks.x, marks.y, marks.name) == (("2025-03-01 12:00",), (107,), "missed 1 of 5")
    for past in (chart.past.iloc[:0], None):
        assert traces(replace(chart, past=past), legendgroup="past") == []


def test_the_histogram_has_all_results_no_bar_of_gains_and_losses_and_lines_at_the_values_at_risk() -> None:
    figure = result_figure(
        np.linspace(-100, 99, 200), [TailRisk(0.95, 90.0, 95.0), TailRisk(0.99, 98.0, 99.0)], "USDT", LIGHT
    )
    (bars,) = figure.data
    assert sum(bars.y) == pytest.approx(100)
    losses = sum(y for y, colour in zip(bars.y, bars.marker.color, strict=True) if colour == LIGHT.falling)
    assert losses == pytest.approx(50)
    # A bar is a 40th of the results wide, and one begins at zero; equal results are one bar.
    assert (bars.width, min(abs(x - bars.width / 2) for x in bars.x)) == pytest.approx((199 / 40, 0))
    assert [line.x0 for line in figure.layout.shapes] == [-90, -98]
    assert [note.text for note in figure.layout.annotations] == ["1 in 20", "1 in 100"]
    (bars,) = result_figure(np.full(60, -12.0), [], "USDT", LIGHT).data
    assert (bars.y, bars.marker.color) == ((100,), (LIGHT.falling,))


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (
            TailRisk(0.95, 1309.2, 1800.4),
            "In one of 20 such spans of 12 hours you lose 1,309 USDT or more, on average 1,800 USDT.",
        ),
        (TailRisk(0.99, -12.5, 3.0), "In 99 of 100 such spans of 12 hours you gain 12.50 USDT or more."),
    ],
)
def test_the_value_at_risk_is_a_sentence(plain, tail: TailRisk, expected: str) -> None:
    assert plain(describe_tail(tail, 12, "USDT")) == expected
