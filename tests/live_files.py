"""What the monitoring writes for the API, in a project's folder."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.live import (
    ALL,
    Drift,
    LiveAtHorizon,
    LiveForecast,
    LiveRecent,
    LiveScores,
    LiveWindow,
    Standing,
)

HOUR = timedelta(hours=1)
FAN = tuple(tuple(100.0 + hour * step for step in range(-3, 4)) for hour in range(1, HORIZON + 1))
"""Around 100, one wider each hour."""


def write_live(project: Path, now: datetime, hours: int = 30, pair: str = "btc_usdt") -> None:
    """A forecast an hour in the last hours, and a close of 101 each hour."""
    last = now.replace(minute=0, second=0)
    issued = [last - at * HOUR for at in range(hours - 1, -1, -1)]
    whole = LiveAtHorizon(horizon=ALL, forecasts=6, skill=0.021, coverage_50=0.5, coverage_80=0.79, coverage_90=0.91)
    scores = LiveScores(
        pair=pair,
        at=now,
        noted_at=now,
        newest_candle=last - HOUR,
        version="v2",
        architecture="har",
        issued_at=last if hours else None,
        issued=hours,
        scored=max(0, hours - HORIZON),
        holes=3,
        unexplained=1,
        newest_holes=(),
        windows=(LiveWindow(days=7, forecasts=hours, whole=whole, horizons=()),),
        drift=Drift(rows=336, stretches=300, psi=0.4, p=0.2, reason="the largest index is 0.40"),
        standing=Standing(version="v2", demote=False, reason="fine"),
    )
    forecasts = tuple(
        LiveForecast(
            issued_at=at, version="v1" if at < last else "v2", architecture="har", last_close=100.0, quantiles=FAN
        )
        for at in issued
    )
    closes = dict.fromkeys(issued, 101.0)
    recent = LiveRecent(pair=pair, levels=QUANTILE_LEVELS, forecasts=forecasts, closes=closes)
    folder = project / "data/08_reporting" / pair
    folder.mkdir(parents=True, exist_ok=True)
    for name, record in {"live_scores": scores, "live_recent": recent}.items():
        (folder / f"{name}.json").write_text(json.dumps(record.model_dump(mode="json")))
