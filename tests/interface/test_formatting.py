"""Numbers, moments, forecasts and scores as readers see them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interface import formatting
from interface.formatting import interval_ends, price


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("price", (1e6,), "1,000,000.00"),
        ("price", (0.03823,), "0.038230"),
        ("price", (1.2e-8,), "0.000000012000"),
        ("price", (0.0,), "0.00"),
        ("interval", (67118.2, 67893.9), "67,120 – 67,890"),
        ("interval", (67500.4, 67507.9), "67,500.4 – 67,507.9"),
        ("interval", (1.23e-8, 1.31e-8), "0.00000001230 – 0.00000001310"),
        ("interval", (5.0, 5.0), "5.0000 – 5.0000"),
        ("percent", (-0.012,), "−1.2 %"),
        ("percent", (-0.0001,), "0.0 %"),
        ("chance", (0.005,), "less than 0.5 %"),
        ("chance", (0.0512,), "5.1 %"),
        ("chance", (0.314,), "31 %"),
        ("chance", (0.995,), "more than 99.5 %"),
        ("money", (1309.4,), "1,309"),
        ("money", (-12.3456,), "−12.35"),
        ("money", (0.0,), "0"),
        ("age", (timedelta(seconds=59),), "just now"),
        ("age", (timedelta(minutes=3, seconds=50),), "3 min ago"),
        ("age", (timedelta(hours=47),), "47 h ago"),
        ("age", (timedelta(days=2),), "2 days ago"),
        ("utc", (datetime(2025, 5, 9, 7, 5, tzinfo=UTC),), "9 May 2025, 07:05 UTC"),
        ("quote", ("btc_usdt",), "USDT"),
        ("amount", (12292700,), "12.3 M"),
        ("amount", (53210.4,), "53.2 k"),
        ("amount", (9999.6,), "10,000"),
        ("amount", (0.01,), "0.01"),
        ("count", (1200, "user"), "1,200 users"),
        ("p_value", (0.00099,), "p < 0.001"),
        ("sentence", ("the name is taken",), "The name is taken."),
        ("sentence", ("",), ""),
    ],
)
def test_values_are_formatted(plain, name: str, values: tuple, expected: str) -> None:
    assert plain(getattr(formatting, name)(*values)) == expected


def test_a_loss_that_rounds_to_zero_has_no_minus() -> None:
    assert [f"{formatting.in_percent(share, 1):+.1f}" for share in (-0.0126, -0.0004)] == ["-1.3", "+0.0"]


@given(st.floats(1e-8, 1e6), st.floats(1e-4, 0.5))
def test_prices_and_intervals_are_exact_enough(low: float, share: float) -> None:
    assert abs(float(price(low).replace(",", "")) - low) <= low * 0.5e-4
    ends = (low, low * (1 + share))
    shown = [float(end.replace(",", "")) for end in interval_ends(*ends)]
    assert all(abs(text - end) <= 0.051 * (ends[1] - ends[0]) for text, end in zip(shown, ends, strict=True))


@pytest.mark.parametrize(
    ("share", "outcomes", "horizon", "tone", "words"),
    [
        # Two standard errors of 168 outcomes are 2 √(0.8 · 0.2 ÷ 168) = 6.2 points.
        (0.75, 168, 1, "good", "80 % interval contained 75 % of the last 168 outcomes, as intended"),
        (0.73, 168, 1, "poor", "80 % interval contained 73 % of the last 168 outcomes, too narrow lately"),
        (0.87, 168, 1, "fair", "80 % interval contained 87 % of the last 168 outcomes, wider than needed lately"),
        # At 24 hours forecasts overlap: 7 independent ones, 30 points.
        (0.55, 168, 24, "good", "80 % interval at 24 hours contained 55 % of the last 168 outcomes, as intended"),
        (None, 3, 1, "fair", "3 outcomes so far, a share needs 20"),
        (None, 0, 1, "fair", "No forecast has an outcome yet"),
    ],
)
def test_coverage_is_compared_with_what_chance_allows(plain, share, outcomes, horizon, tone, words) -> None:
    note, found = formatting.describe_coverage(share, outcomes, horizon)
    assert (found, plain(note)) == (tone, words)
