"""Numbers as they are read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interface.numbers import age, between, hours, percent, price, probability, quote, utc


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e6, "1,000,000.00"),
        (67123.4, "67,123.40"),
        (123.456, "123.46"),
        (1.23456, "1.2346"),
        (0.03823, "0.038230"),
        (1.2e-8, "0.000000012000"),
        (0.0, "0.00"),
    ],
)
def test_a_price_has_five_digits_and_cents_at_least(value: float, text: str) -> None:
    assert price(value) == text


@given(st.floats(1e-8, 1e6))
def test_a_price_is_off_by_less_than_a_ten_thousandth(value: float) -> None:
    assert abs(float(price(value).replace(",", "")) - value) <= value * 0.5e-4


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (67118.2, 67893.9, ("67,120", "67,890")),
        (67500.4, 67507.9, ("67,500.4", "67,507.9")),
        (0.03801, 0.03849, ("0.03801", "0.03849")),
        (1.23e-8, 1.31e-8, ("0.00000001230", "0.00000001310")),
        (5.0, 5.0, ("5.0000", "5.0000")),
    ],
)
def test_a_range_is_told_as_exactly_as_it_is_wide(low: float, high: float, texts: tuple[str, str]) -> None:
    assert between(low, high) == texts


@given(st.floats(1e-8, 1e6), st.floats(1e-4, 0.5))
def test_the_ends_of_a_range_are_off_by_less_than_a_tenth_of_it(low: float, share: float) -> None:
    ends = (low, low * (1 + share))
    told = [float(text.replace(",", "")) for text in between(*ends)]
    assert all(abs(text - end) <= 0.051 * (ends[1] - ends[0]) for text, end in zip(told, ends, strict=True))


@pytest.mark.parametrize(
    ("share", "signed", "text"),
    [(0.0443, False, "4.4 %"), (-0.012, True, "−1.2 %"), (0.012, True, "+1.2 %"), (-0.0001, True, "0.0 %")],
)
def test_a_share_is_told_as_per_cent(share: float, signed: bool, text: str) -> None:
    assert percent(share, signed=signed) == text.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=3, seconds=50), "3 min ago"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=1), "1 h ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(days=2), "2 days ago"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_says_enough(span: timedelta, text: str) -> None:
    assert age(span) == text.replace(" ", "\u00a0", 1) if span >= timedelta(minutes=1) else text


def test_a_moment_names_its_zone() -> None:
    assert utc(datetime(2025, 5, 9, 7, 5, tzinfo=UTC)) == "9 May 2025, 07:05 UTC"


def test_prices_are_in_the_second_currency_of_a_pair() -> None:
    assert quote("btc_usdt") == "USDT"


def test_one_hour_is_no_hours() -> None:
    assert [hours(number).replace("\u00a0", " ") for number in (1, 24)] == ["1 hour", "24 hours"]


def test_a_p_is_told_to_three_places() -> None:
    assert [probability(p) for p in (0.00099, 0.0012, 0.4)] == ["p < 0.001", "p = 0.001", "p = 0.400"]
