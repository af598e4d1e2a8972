"""From answers to what is drawn."""

from datetime import timedelta
from itertools import pairwise

import pytest

from forecast_answers import FIRST, HOUR, candles, past, prediction
from interface.api_answers import Candles
from interface.scenes import Choice, chosen_fan, compose, join, within


def choose(*, baseline: bool = False, days: int = 5) -> Choice:
    return Choice("btc_usdt", baseline, 1, days)


def moved(given: Candles, hours: int) -> Candles:
    return given.model_copy(update={"timestamp": [moment + hours * HOUR for moment in given.timestamp]})


def test_the_champion_is_drawn_with_the_baseline_beside_it() -> None:
    made = prediction()
    scene = compose(choose(), made, made.data, past())
    assert (scene.fan, scene.compared) == (("har", made.forecast), ("baseline", made.forecast.baseline))


def test_the_baseline_is_drawn_with_the_champion_beside_it_and_without_the_champions_record() -> None:
    made = prediction()
    scene = compose(choose(baseline=True), made, made.data, past())
    assert (scene.fan, scene.compared, scene.past) == (
        ("baseline", made.forecast.baseline),
        ("har", made.forecast),
        None,
    )


def test_where_no_baseline_is_stored_the_champion_is_drawn_alone() -> None:
    made = prediction(baseline=False)
    assert chosen_fan(choose(baseline=True), made.forecast) is made.forecast
    assert compose(choose(), made, made.data, None).compared is None


def test_a_baseline_that_is_champion_keeps_its_record() -> None:
    made = prediction()
    served = made.model_copy(update={"forecast": made.forecast.model_copy(update={"architecture": "baseline"})})
    scene = compose(choose(), served, made.data, past())
    assert (scene.compared, scene.past is not None) == (None, True)


def test_past_forecasts_begin_with_the_candles() -> None:
    shown = moved(candles(10), 12)
    kept = within(past(hours=(10, 11, 12, 15)), shown)
    # The first candle opened at 12:00 and closed at 13:00.
    assert [each.closes_at - FIRST for each in kept.forecasts] == [13 * HOUR, 16 * HOUR]


@pytest.mark.parametrize(("days", "hours"), [(1, 24), (2, 48), (5, 120)])
def test_a_number_of_days_is_that_many_candles(days: int, hours: int) -> None:
    newest = moved(candles(120), 120)
    assert len(join(candles(120), newest, days).timestamp) == hours


def test_older_candles_come_before_those_of_the_api() -> None:
    joined = join(candles(150), moved(candles(120), 120), 30)
    assert joined.timestamp == [FIRST + at * HOUR for at in range(240)]
    # Where both have one, it is the API's.
    assert joined.open[120] == 100


def test_what_neither_has_stays_a_gap() -> None:
    joined = join(candles(100), moved(candles(120), 120), 30)
    assert max(after - before for before, after in pairwise(joined.timestamp)) == (21 * timedelta(hours=1))
