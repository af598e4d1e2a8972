"""What the browser tells of a zoom."""

from typing import Any

import pytest

from interface.charts.forecast import View
from interface.zoom import read

TOLD = {"of": "btc_usdt 5", "x": ["2025-03-01 02:00", "2025-03-01 09:30:15.5"], "y": [100, 120.5]}


def test_a_zoom_is_read() -> None:
    assert read(TOLD, "btc_usdt 5") == View(("2025-03-01 02:00", "2025-03-01 09:30:15.5"), (100.0, 120.5))


def test_a_zoom_of_something_else_does_not_count() -> None:
    assert read(TOLD, "eth_usdt 5") is None


@pytest.mark.parametrize(
    "told", [None, "x", {}, TOLD | {"x": None}, TOLD | {"x": [1, 2]}, TOLD | {"y": ["a", "b"]}, TOLD | {"y": [1]}]
)
def test_what_makes_no_sense_is_no_zoom(told: Any) -> None:
    assert read(told, "btc_usdt 5") is None
