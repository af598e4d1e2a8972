"""Forecasts and their record in sentences."""

from datetime import UTC, datetime, timedelta

import pytest

from forecast_answers import HOUR, LEVELS
from interface import words


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


ISSUED = datetime(2025, 5, 29, 12, tzinfo=UTC)
SPAN = words.Span(67118.2, 67893.9, 67500.0)


def test_a_span_is_the_80_per_cent_interval() -> None:
    assert words.Span.of([1, 2, 3, 4, 5, 6, 7], LEVELS, 4) == words.Span(2, 6, 4)


@pytest.mark.parametrize(
    ("horizon", "when"),
    [(1, "In the next hour, at 13:00 UTC"), (6, "In 6 hours, at 18:00 UTC"), (24, "By tomorrow, at 12:00 UTC")],
)
def test_a_range_is_told_with_its_moment_its_probability_and_its_width(horizon: int, when: str) -> None:
    told = plain(words.expected(SPAN, "btc_usdt", horizon, ISSUED + horizon * HOUR, ISSUED + timedelta(minutes=58)))
    assert told == f"{when}, the price is between 67,120 and 67,890 USDT with 80 % probability (±0.6 %)."


def test_a_moment_that_is_over_is_not_told_as_one_to_come() -> None:
    told = plain(words.expected(SPAN, "btc_usdt", 1, ISSUED + HOUR, ISSUED + timedelta(hours=2)))
    assert told.startswith("At 29 May 2025, 13:00 UTC the price was expected between 67,120 and 67,890 USDT")
    assert told.endswith("; that moment is over.")


def test_a_narrow_range_has_one_more_digit() -> None:
    assert plain(words.Span(99.96, 100.04, 100).give_or_take()) == "±0.04 %"


def test_without_an_edge_nobody_is_told_where_the_price_goes() -> None:
    told = words.no_edge(False, "btc_usdt")
    assert told.startswith("No edge: ")
    assert "BTC" in told
    assert told.count(".") == 1


def test_with_an_edge_the_middle_line_is_explained() -> None:
    assert words.no_edge(True, "btc_usdt").startswith("The middle line is the model's own guess")


def test_a_forecast_of_the_baseline_in_the_models_place_is_told_as_such() -> None:
    told = words.stood_in("har cannot forecast: there is a gap")
    assert told == "For now the range is the baseline's, since har cannot forecast: there is a gap."


def test_a_record_is_told_as_a_badge() -> None:
    assert plain(words.held(0.79, 168, 1).text) == "80 % interval held 79 % of the last 168 hours"
    assert plain(words.held(0.79, 168, 24).text) == "80 % interval at 24 hours held 79 % of the last 168 hours"


@pytest.mark.parametrize(
    ("share", "horizon", "tone", "meaning"),
    [
        # Two standard errors of 168 hours are 2 √(0.8 · 0.2 ÷ 168) = 6.2 points.
        (0.75, 1, "good", "as promised"),
        (0.73, 1, "poor", "too narrow lately"),
        (0.87, 1, "fair", "wider than needed lately"),
        # At 24 hours they overlap, and 7 of them are left: 30 points.
        (0.55, 24, "good", "as promised"),
    ],
)
def test_a_record_is_judged_by_what_luck_can_do(share: float, horizon: int, tone: str, meaning: str) -> None:
    said = words.held(share, 168, horizon)
    assert (said.tone, words.as_promised(said)) == (tone, meaning)


def test_a_record_of_a_few_hours_is_no_share() -> None:
    assert plain(words.held(1.0, 3, 1).text) == "3 hours checked so far, too few to tell"
    assert plain(words.held(1.0, 20, 1).text) == "80 % interval held 100 % of the last 20 hours"


def test_no_record_is_no_number() -> None:
    assert words.held(None, 0, 1).text == "No forecast has been checked against what came true yet"


@pytest.mark.parametrize(
    ("skill", "text", "tone"),
    [
        (0.044, "4.4 % closer to what came true than the baseline", "good"),
        (-0.012, "1.2 % further off than the baseline", "poor"),
        (0.0, "as close as the baseline", "fair"),
        (None, "not measured yet", "fair"),
    ],
)
def test_skill_is_told_against_the_baseline(skill: float | None, text: str, tone: str) -> None:
    said = words.better(skill)
    assert (plain(said.text), said.tone) == (text, tone)


def test_old_data_are_called_old() -> None:
    told = plain(words.staleness(timedelta(hours=3)))
    assert told == "The newest candle closed 3 h ago, so this forecast is older than it should be."


def test_where_past_forecasts_come_from_is_told() -> None:
    assert "as they were published at the time" in words.where_past_comes_from("recorded")
    assert "made afterwards by today's model" in words.where_past_comes_from("relived")


def test_members_of_a_combination_are_apart() -> None:
    assert words.member_names("har+lstm") == "har + lstm"


def test_the_legend_tells_what_is_drawn_and_no_more() -> None:
    whole = plain(words.legend("har", "baseline", 6))
    assert whole == (
        "Filled: where the price will be with 50, 80 and 90 % probability (har)."
        " Dashed: the ends of the same 90 % by baseline."
        " Behind the candles: the 80 % range that was forecast 6 hours before; crosses are misses."
    )
    assert plain(words.legend("har", None, None)).count(".") == 1
