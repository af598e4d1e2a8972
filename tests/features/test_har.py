import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from make_us_rich.features.har import CLASSES, season_classes
from make_us_rich.features.registry import FEATURE_SETS, compute_features

MakeKlines = Callable[..., pd.DataFrame]
ROWS, MONTH = 780, 720
BASIS_POINT = 1e-4
PRICES = ["open", "high", "low", "close"]
CHECKED = (MONTH - 1, *range(MONTH + 7, ROWS, 12), ROWS - 1)


@pytest.fixture(scope="module")
def klines(make_klines: MakeKlines) -> pd.DataFrame:
    return make_klines(ROWS)


@pytest.fixture(scope="module")
def features(klines: pd.DataFrame) -> pd.DataFrame:
    """The widest of the feature sets, which has the columns of the others."""
    return compute_features("har_sequence", klines)


def naive_log_range(klines: pd.DataFrame, row: int) -> float:
    """Parkinson's volatility of one candle, floored."""
    candle = klines.iloc[row]
    volatility = math.log(candle["high"] / candle["low"]) / math.sqrt(4 * math.log(2))
    return math.log(math.sqrt(volatility**2 + BASIS_POINT**2))


def naive_mean(klines: pd.DataFrame, row: int, hours: int) -> float:
    return sum(naive_log_range(klines, at) for at in range(row - hours + 1, row + 1)) / hours


def naive_move(klines: pd.DataFrame, row: int, hours: int) -> float:
    """Return over the last hours, as an hourly one."""
    close = klines["close"]
    return math.log(close.iloc[row] / close.iloc[row - hours]) / math.sqrt(hours)


def naive_features(klines: pd.DataFrame, row: int) -> dict[str, float]:
    """The columns that the formulas of the documentation give, calendar and season apart."""
    means = {hours: naive_mean(klines, row, hours) for hours in (1, 4, 12, 24, 72, 168, 720)}
    coming = klines["timestamp"].iloc[row] + timedelta(hours=1)
    same_hour = [at for at in range(row + 1) if klines["timestamp"].iloc[at].hour == coming.hour]
    profile = sum(naive_log_range(klines, at) for at in same_hour[-30:]) / 30
    week = [math.log(1 + volume) for volume in klines["volume"].iloc[row - 167 : row + 1]]
    found = {f"log_range_{hours}h": mean for hours, mean in means.items()}
    for hours in (24, 168):
        seen = klines.iloc[row - hours + 1 : row + 1]
        low, high = math.log(seen["low"].min()), math.log(seen["high"].max())
        place = (math.log(klines["close"].iloc[row]) - low) / (high - low)
        found |= {f"place_{hours}h": place, f"place_{hours}h_squared": (place - 0.5) ** 2}
    for short, long in ((1, 24), (4, 24), (24, 168), (168, 720)):
        found[f"bend_{short}h_{long}h"] = (means[short] - means[long]) ** 2
    return found | {
        "log_range_profile": profile,
        "bend_1h_profile": (means[1] - profile) ** 2,
        "volume_surge": week[-1] - sum(week) / 168,
        "log_move_1h": math.log(math.hypot(naive_move(klines, row, 1), BASIS_POINT)),
        "log_move_24h": math.log(math.hypot(naive_move(klines, row, 24), BASIS_POINT)),
        "fall_24h": min(naive_move(klines, row, 24), 0) / math.exp(means[168]),
        "scaled_return": naive_move(klines, row, 1) / math.exp(means[168]),
        "relative_range": means[1] - means[168],
    }


def test_features_equal_their_formulas(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    for row in CHECKED:
        expected = naive_features(klines, row)

        assert features.iloc[row][list(expected)].to_dict() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert {True, False} == set(features["fall_24h"].iloc[list(CHECKED)] < 0)


def test_dummies_are_those_of_the_coming_hour_in_utc(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    for row, opened in enumerate(klines["timestamp"]):
        coming = opened.to_pydatetime() + timedelta(hours=1)
        expected = {f"hour_{hour}": coming.hour == hour for hour in range(1, 24)}
        expected |= {f"day_{day}": coming.weekday() == day for day in range(1, 7)}
        block = coming.hour // 4 * 4
        expected |= {f"weekend_{h}h": coming.weekday() >= 5 and block == h for h in (4, 8, 12, 16, 20)}

        assert features.iloc[row][list(expected)].to_dict() == expected


def test_season_classes_are_those_of_the_hours_around_across_a_gap(make_klines: MakeKlines) -> None:
    klines = make_klines(300, gaps=[150], start="2025-03-01")
    opened = klines["timestamp"].dt.tz_localize(None).to_numpy()

    features = compute_features("har", klines)

    for step in (-71, -1, 0, 1, 24):
        expected = season_classes(opened + np.timedelta64(step, "h"))
        np.testing.assert_array_equal(features[f"season_class_{step:+d}h"], expected)


def test_the_sequence_begins_with_the_columns_of_har(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    columns = list(FEATURE_SETS["har"].columns)

    assert features.columns[: len(columns)].tolist() == columns
    pd.testing.assert_frame_equal(features[columns], compute_features("har", klines), check_exact=True)


def test_prices_in_another_unit_give_the_same_features(klines: pd.DataFrame, features: pd.DataFrame) -> None:
    scaled = klines.assign(**{name: klines[name] * 1e-6 for name in PRICES})

    pd.testing.assert_frame_equal(compute_features("har_sequence", scaled), features, rtol=1e-7, atol=1e-7)


def test_an_hour_that_did_not_move_is_a_basis_point(make_klines: MakeKlines) -> None:
    still = make_klines(MONTH)
    still[PRICES], still["volume"] = 100.0, 0.0

    last = compute_features("har_sequence", still).iloc[-1]

    for column in ("log_range_1h", "log_range_720h", "log_range_profile", "log_move_1h", "log_move_24h"):
        assert last[column] == pytest.approx(math.log(BASIS_POINT))
    assert last["volume_surge"] == last["fall_24h"] == last["scaled_return"] == 0
    assert last["relative_range"] == pytest.approx(0, abs=1e-12)
    assert (last["place_24h"], last["place_168h_squared"]) == (0.5, 0)


# The exchange's published calendar: https://www.nyse.com/markets/hours-calendars
CLOSED_2025 = ("01-01", "01-20", "02-17", "04-18", "05-26", "06-19", "07-04", "09-01", "11-27", "12-25")
"""Without the day of mourning of January 9, which no rule contains."""


def test_the_class_equals_the_standard_librarys_over_years_apart_from_holidays() -> None:
    times = [datetime(2018, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(0, 8 * 8_766, 7)]
    local = [time.astimezone(ZoneInfo("America/New_York")) for time in times]
    expected = np.array([24 * time.weekday() + time.hour for time in local])

    found = season_classes(np.array([time.replace(tzinfo=None) for time in times], "datetime64[ms]"))

    moved = found != expected
    assert (found[moved] >= 6 * 24).all()
    assert 0.02 < moved.mean() < 0.03
    assert set(found) <= set(range(CLASSES))


def test_every_closed_day_of_2025_is_a_sunday() -> None:
    days = np.arange("2025-01-01", "2026-01-01", dtype="datetime64[D]")
    weekdays = days[np.isin((days.astype(np.int64) + 3) % 7, [5, 6], invert=True)]
    # Noon in New York.
    noon = season_classes((weekdays + np.timedelta64(17, "h")).astype("datetime64[ms]"))

    closed = weekdays[noon // 24 == 6]

    assert [str(day)[5:] for day in closed] == list(CLOSED_2025)


@pytest.mark.parametrize(
    ("day", "closed"),
    [
        ("2021-06-18", False),  # Juneteenth is observed from 2022 on
        ("2022-06-20", True),  # June 19 was a Sunday
        ("2021-12-24", True),  # Christmas was a Saturday
        ("2021-12-31", False),  # the exchange does not observe a New Year's Day on a Saturday
        ("2023-01-02", True),  # New Year's Day was a Sunday
        ("2024-03-29", True),  # Good Friday
    ],
)
def test_observed_days_follow_the_exchange(day: str, *, closed: bool) -> None:
    assert (season_classes(np.array([f"{day}T17:00"], "datetime64[ms]")) // 24 == 6).item() is closed
