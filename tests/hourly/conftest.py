from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from make_us_rich.hourly.runs import Run

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """A run of btc_usdt for an hour counted from noon; a success unless told."""

    def make(hours: int = 0, ok: bool = True, **changes: Any) -> Run:
        hour = NOON + timedelta(hours=hours)
        told = {
            "pair": "btc_usdt",
            "pipeline": "btc_usdt",
            "hour": hour,
            "started": hour + timedelta(minutes=2),
            "ended": hour + timedelta(minutes=3, seconds=4),
            "ok": ok,
            "exit_code": 0 if ok else 1,
            "reason": "published" if ok else "Binance does not answer",
        }
        return Run(**{**told, **changes})

    return make
