"""Missed forecasts: hours without a forecast, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.live import MissedForecast
from make_us_rich.domain.run_log import PipelineRun
from make_us_rich.klines.frame import datetimes

UNEXPLAINED = "unexplained"
"""Kind that points to a defect: a run succeeded in that hour, but left no forecast and no reason."""

DTYPES: dict[str, str] = {
    "hour": "datetime64[ms, UTC]",
    "kind": "str",
    "reason": "str",
    "recorded_at": "datetime64[ms, UTC]",
}
"""Columns: when the forecast should have been issued, why it was not, and when that was recorded."""


def update_missed(
    stored: pd.DataFrame,
    issued: Sequence[datetime],
    current: MissedForecast | None,
    runs: Sequence[PipelineRun],
    now: datetime,
    ahead: timedelta = timedelta(),
) -> pd.DataFrame:
    """Add the forecasts that were missed since the last run; each hour is listed once.

    Args:
        stored: Known missed forecasts; possibly without rows and columns.
        issued: Issue times of all forecasts in the record.
        current: Of the current hour; None where it has a forecast.
        runs: Of the pair's monitoring, oldest first; they explain the hours in between.
        now: Time of the exchange, UTC. The current hour is not over: only ``current`` speaks for it.
        ahead: The exchange's clock minus the machine's; a replay exchange lives in the past.
    """
    missed = stored if len(stored) else pd.DataFrame(columns=list(DTYPES)).astype(DTYPES)
    missed = missed[~missed["hour"].isin(list(issued))]
    known = {*issued, *datetimes(missed["hour"])}
    new, hour = [], min(known, default=now)
    while hour + HOUR <= now:
        if hour not in known:
            new.append(_explain_hour(hour, runs, ahead))
        hour += HOUR
    if current is not None and current.hour not in known:
        new.append(current)
    rows = [(each.hour, each.kind, each.reason, now) for each in new]
    added = pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)
    return pd.concat([missed, added], ignore_index=True) if len(missed) else added


def _explain_hour(hour: datetime, runs: Sequence[PipelineRun], ahead: timedelta) -> MissedForecast:
    end = hour + HOUR
    started = [run for run in runs if hour <= run.started + ahead < end]
    errors = [run.reason for run in started if run.failed]
    if not started:
        kind, reason = "no_run", "no run started in this hour: the machine, its schedule or the store was down"
    elif errors:
        kind, reason = "failed", f"the run failed: {errors[-1]}"
    elif any(run.ended is None for run in started):
        kind, reason = "killed", "the run was killed before it issued a forecast"
    elif all(run.ended and run.ended + ahead >= end for run in started):
        kind, reason = "slow", "the run did not finish within the hour"
    else:
        kind, reason = UNEXPLAINED, "a run succeeded, but left neither a forecast nor a reason"
    return MissedForecast(hour=hour, kind=kind, reason=reason)
