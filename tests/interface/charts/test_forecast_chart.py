"""The chart of a forecast: what is drawn, in which units, and where nothing is."""

import re
from dataclasses import replace
from typing import Any

import pytest

from forecast_answers import FIRST, HOUR, candles, fan, past, prediction
from interface.charts.candles import gaps
from interface.charts.forecast import Scene, candles_with_fan
from interface.charts.past import held, unbroken
from interface.palette import DARK, LIGHT


@pytest.fixture
def scene() -> Scene:
    """Two days of candles, a fan, the baseline's beside it, and past forecasts with a gap."""
    made = prediction()
    forecast = made.forecast
    assert forecast.baseline is not None
    return Scene(
        "btc_usdt", made.data, forecast.last_close, ("har", forecast), ("baseline", forecast.baseline), past(), 1
    )


def traces(scene: Scene, **found: Any) -> list[Any]:
    figure = candles_with_fan(scene, LIGHT)
    return [each for each in figure.data if all(getattr(each, name, None) == value for name, value in found.items())]


def test_a_candle_stands_where_it_closed(scene: Scene) -> None:
    (drawn,) = traces(scene, type="candlestick")
    assert drawn.x[0] == "2025-03-01 01:00"
    assert (drawn.open[0], drawn.high[0], drawn.low[0], drawn.close[0]) == (100, 102, 99, 101)


def test_a_candle_tells_its_prices_in_the_quote_currency(scene: Scene) -> None:
    (drawn,) = traces(scene, type="candlestick")
    assert drawn.hovertext[0] == "<b>101.00 USDT</b><br>open 100.00<br>high 102.00<br>low 99.000<br>volume 5"


def test_times_are_utc(scene: Scene) -> None:
    figure = candles_with_fan(scene, LIGHT)
    assert figure.layout.xaxis.hoverformat.endswith("UTC")


def test_the_fan_has_three_intervals_that_open_at_the_last_close(scene: Scene) -> None:
    drawn = traces(scene, legendgroup="fan", fill="toself")
    assert [each.meta for each in drawn] == [90, 80, 50]
    # The last close is 148 at the end of two days; hour 24 spreads by 24 times 9, 6 and 2.
    assert [(each.y[0], each.y[24], each.y[25]) for each in drawn] == [
        (148, 148 + 24 * 9, 148 - 24 * 9),
        (148, 148 + 24 * 6, 148 - 24 * 6),
        (148, 148 + 24 * 2, 148 - 24 * 2),
    ]
    assert drawn[0].x[0] == "2025-03-03 00:00"
    assert drawn[0].x[24] == "2025-03-04 00:00"


def test_the_fan_tells_every_interval_of_an_hour(scene: Scene) -> None:
    (line,) = [each for each in traces(scene, legendgroup="fan") if each.hovertext]
    told = line.hovertext[0].replace("\u00a0", " ")
    assert told == "<b>har, 1 h ahead</b> (USDT)<br>50 %: 146.0 – 150.0<br>80 %: 142 – 154<br>90 %: 139 – 157"


def test_the_baseline_is_an_outline_of_its_90_per_cent_interval(scene: Scene) -> None:
    low, high = traces(scene, legendgroup="outline")
    assert (low.fill, low.line.dash, low.y[24], high.y[24]) == (None, "dash", 148 - 1.5 * 24 * 9, 148 + 1.5 * 24 * 9)
    assert [each.showlegend for each in (low, high)] == [True, False]


def test_no_baseline_no_outline(scene: Scene) -> None:
    assert traces(replace(scene, compared=None), legendgroup="outline") == []


def test_a_median_at_the_last_close_is_no_line_of_its_own(scene: Scene) -> None:
    (line,) = [each for each in traces(scene, legendgroup="fan") if each.hovertext]
    assert line.line.width == 0


def test_a_median_with_an_edge_is_drawn(scene: Scene) -> None:
    moved = fan(FIRST + 48 * HOUR, 149.0)
    (line,) = [each for each in traces(replace(scene, fan=("har", moved)), legendgroup="fan") if each.hovertext]
    assert (line.line.width, line.y[0]) == (2, 149)


def test_the_last_close_stands_at_the_axis(scene: Scene) -> None:
    texts = [note.text for note in candles_with_fan(scene, LIGHT).layout.annotations]
    assert "<b>148.00</b>" in texts
    assert "USDT" in texts


@pytest.mark.parametrize(("horizon", "ends"), [(1, (142, 154)), (24, (148 - 144, 148 + 144))])
def test_the_chosen_horizon_is_marked_with_its_80_per_cent_interval(
    scene: Scene, horizon: int, ends: tuple[float, float]
) -> None:
    shapes = candles_with_fan(replace(scene, horizon=horizon), LIGHT).layout.shapes
    (mark,) = [each for each in shapes if each.type == "line" and each.x0 == each.x1]
    assert (mark.y0, mark.y1) == ends
    assert mark.x0 == f"{FIRST + (48 + horizon) * HOUR:%Y-%m-%d %H:%M}"


def test_missing_hours_are_left_empty_and_shaded(scene: Scene) -> None:
    torn = candles(48, frozenset({20, 21, 22}))
    figure = candles_with_fan(replace(scene, candles=torn), LIGHT)
    (shade,) = [each for each in figure.layout.shapes if each.type == "rect"]
    # Hour 19 closes at 20:00, hour 23 at 24:00: between them nothing is known.
    assert (shade.x0, shade.x1) == ("2025-03-01 20:00", "2025-03-02 00:00")
    (drawn,) = [each for each in figure.data if each.type == "candlestick"]
    assert not {"2025-03-01 21:00", "2025-03-01 22:00", "2025-03-01 23:00"} & set(drawn.x)


def test_whole_candles_have_no_gap() -> None:
    assert list(gaps(candles().timestamp)) == []


def test_past_forecasts_are_torn_where_an_hour_has_none(scene: Scene) -> None:
    assert [[each.closes_at.hour for each in run] for run in unbroken(past().forecasts)] == [[11, 12, 13], [16, 17]]
    ribbon, line = traces(scene, legendgroup="past")
    # Each run goes there, back, to its beginning, and leaves a hole.
    assert [at for at, y in enumerate(ribbon.y) if y is None] == [7, 13]
    assert [at for at, y in enumerate(line.y) if y is None] == [3, 6]


def test_a_past_forecast_is_the_80_per_cent_interval(scene: Scene) -> None:
    ribbon, line = traces(scene, legendgroup="past")
    assert (set(ribbon.y) - {None}, line.y[0]) == ({94, 106}, 101)
    assert line.hovertext[1].replace("\u00a0", " ") == "1 h before: 80 % 94 – 106; came 107.00 USDT outside"


def test_misses_are_marked_and_counted(scene: Scene) -> None:
    (marks,) = traces(scene, mode="markers")
    assert (marks.x, marks.y, marks.name) == (("2025-03-01 12:00",), (107,), "missed 1 of 5")


def test_an_outcome_that_has_not_come_is_neither_held_nor_missed() -> None:
    given = past()
    waiting = given.forecasts[0].model_copy(update={"outcome": None})
    assert held(given, waiting) is None


def test_without_past_forecasts_there_is_no_record(scene: Scene) -> None:
    assert traces(replace(scene, past=None), legendgroup="past") == []
    nothing = past(hours=())
    assert traces(replace(scene, past=nothing), legendgroup="past") == []


def test_what_a_zoom_is_of_stays_the_same_when_a_candle_closes(scene: Scene) -> None:
    later = prediction(48)
    again = replace(scene, candles=later.data, last_close=150.0)
    revisions = {candles_with_fan(each, LIGHT).layout.uirevision for each in (scene, again)}
    assert len(revisions) == 1
    assert candles_with_fan(replace(scene, pair="eth_usdt"), LIGHT).layout.uirevision not in revisions


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_is_of_the_palette(scene: Scene, colours: Any) -> None:
    drawn = candles_with_fan(scene, colours).to_json()
    named = set(re.findall(r"#[0-9a-f]{6}", drawn))
    assert named <= {value for value in vars(colours).values() if isinstance(value, str)}


def test_the_legend_is_below_the_chart(scene: Scene) -> None:
    figure = candles_with_fan(scene, LIGHT)
    assert (figure.layout.legend.orientation, figure.layout.legend.yref) == ("h", "container")
    shown = [each.name.replace("\u00a0", " ") for each in figure.data if each.showlegend is not False]
    assert shown == ["past 80 %", "har", "baseline", "missed 1 of 5"]


@pytest.mark.parametrize(("drag", "mode"), [(True, "zoom"), (False, False)])
def test_a_finger_scrolls_the_page_and_a_mouse_zooms(scene: Scene, drag: bool, mode: Any) -> None:
    assert candles_with_fan(scene, LIGHT, drag=drag).layout.dragmode == mode
