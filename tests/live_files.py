"""What the monitoring writes for the API, in a project's folder."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.live import (
    ALL_HORIZONS,
    ChampionStatus,
    Drift,
    HorizonScores,
    LiveForecast,
    LiveScores,
    RecentForecasts,
    WindowScores,
)
from make_us_rich.monitoring.live_record import DTYPES, OBSERVED, PENDING, QUANTILES

HOUR = timedelta(hours=1)
FAN = tuple(tuple(100.0 + hour * step for step in range(-3, 4)) for hour in range(1, HORIZON + 1))
"""Around 100, one wider each hour."""


def write_live(
    project: Path,
    now: datetime,
    hours: int = 30,
    pair: str = "btc_usdt",
    architecture: str = "baseline",
    **changes: object,
) -> None:
    """A forecast an hour in the last hours, and a close of 101 each hour; ``changes`` of the scores."""
    last = now.replace(minute=0, second=0)
    issued = [last - at * HOUR for at in range(hours - 1, -1, -1)]
    overall = HorizonScores(
        horizon=ALL_HORIZONS, n_outcomes=20, skill=0.021, coverage_50=0.5, coverage_80=0.79, coverage_90=0.91
    )
    scores = LiveScores(
        pair=pair,
        at=now,
        recorded_at=now,
        newest_candle=last - HOUR,
        version="v2",
        architecture=architecture,
        issued_at=last if hours else None,
        n_forecasts=hours,
        n_scored=max(0, hours - HORIZON),
        n_missed=3,
        n_unexplained=1,
        missed=(),
        windows=(WindowScores(days=7, architecture=architecture, n_forecasts=hours, overall=overall, horizons=()),),
        drift=Drift(n_rows=336, n_windows=300, psi=0.4, p_value=0.2, reason="the largest index is 0.40"),
        champion_status=ChampionStatus(version="v2", demote=False, reason="fine"),
    ).model_copy(update=changes)
    one = LiveForecast(issued_at=last, version="v2", architecture=architecture, last_close=100.0, quantiles=FAN)
    older = [one.model_copy(update={"issued_at": at, "version": "v1"}) for at in issued[:-1]]
    closes = dict.fromkeys(issued, 101.0)
    forecasts = (*older, one) if hours else ()
    recent = RecentForecasts(pair=pair, levels=QUANTILE_LEVELS, forecasts=forecasts, closes=closes)
    folder = project / "data/08_reporting" / pair
    folder.mkdir(parents=True, exist_ok=True)
    for name, record in {"live_scores": scores, "live_recent": recent}.items():
        (folder / f"{name}.json").write_text(json.dumps(record.model_dump(mode="json")))


def write_record(project: Path, now: datetime, hours: int, pair: str = "btc_usdt") -> pd.DataFrame:
    """A live record of a forecast an hour, with a close of 101 for each hour that is over."""
    issued = pd.date_range(end=now.replace(minute=0), periods=hours, freq="h").repeat(HORIZON)
    horizon = np.tile(range(1, HORIZON + 1), hours)
    closes_at = issued + pd.to_timedelta(horizon, "h")
    over = closes_at <= now
    rows = {
        "issued_at": issued,
        "horizon": horizon,
        "closes_at": closes_at,
        "version": "v2",
        "last_close": 100.0,
        **dict(zip(QUANTILES, np.tile(FAN, (hours, 1)).T, strict=True)),
        "outcome": np.where(over, 101.0, np.nan),
        "state": np.where(over, OBSERVED, PENDING),
    }
    record = pd.DataFrame(rows).reindex(columns=list(DTYPES)).astype(DTYPES)
    folder = project / "data/07_model_output" / pair
    folder.mkdir(parents=True, exist_ok=True)
    record.to_parquet(folder / "live_record.parquet")
    return record
