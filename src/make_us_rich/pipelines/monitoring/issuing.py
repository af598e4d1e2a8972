"""Nodes of the monitoring pipeline that issue the hour's forecast and keep the record."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from make_us_rich.candles.times import datetimes, hour_of
from make_us_rich.domain.attempt import read_attempts
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.published import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.domain.widths import Widths
from make_us_rich.inference.champion import Champion
from make_us_rich.live.holes import Hole, Log, update_holes
from make_us_rich.live.record import append, fill_outcomes, keep_newest, rows_of
from make_us_rich.models.recipes import recipe_id
from make_us_rich.pipelines.monitoring.parameters import MonitoringParameters

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Issue:
    """What became of this hour.

    Attributes:
        now: The exchange's time, UTC.
        noted_at: The machine's time, UTC.
        newest_candle: Open time of the newest candle, UTC.
        rows: The forecast as rows of the record; None where there is none.
        hole: Why there is none.
    """

    now: datetime
    noted_at: datetime
    newest_candle: datetime | None
    rows: pd.DataFrame | None = None
    hole: Hole | None = None


def issue_forecast(
    served_model: Published | None,
    stored_widths: dict[str, Any],
    klines: pd.DataFrame,
    fetched_at: dict[str, str],
    run: RunContext,
) -> Issue:
    """The champion's forecast from the newest closed candle, or why there is none.

    A forecast belongs to the hour that is running by the exchange's clock. It is never issued for another, so that
    nothing in the record can have been known to whoever made it.

    Args:
        served_model: The champion.
        stored_widths: How its widths are calibrated.
        klines: Clean candles.
        fetched_at: The exchange's clock at the fetch.
        run: Pair and clock.
    """
    fetched, noted_at = datetime.fromisoformat(fetched_at["now"]), run.clock()
    # What the run has taken since it began is at least what has passed since the fetch.
    now = fetched + (noted_at - run.started_at)
    newest = datetimes(klines["timestamp"].tail(1))[0]
    found = _forecast(served_model, stored_widths, klines, hour_of(fetched), now, run.pair.name)
    if isinstance(found, Hole):
        log.warning("%s: no forecast at %s: %s", run.pair, f"{found.hour:%Y-%m-%d %H:%M} UTC", found.reason)
        return Issue(now, noted_at, newest, hole=found)
    return Issue(now, noted_at, newest, rows=found)


def _forecast(
    served: Published | None, widths: dict[str, Any], klines: pd.DataFrame, hour: datetime, now: datetime, pair: str
) -> pd.DataFrame | Hole:
    newest = datetimes(klines["timestamp"].tail(1))[0]
    if hour_of(now) != hour:
        return Hole(hour, "slow", f"the run was not done until {now:%Y-%m-%d %H:%M} UTC, when the hour was over")
    if newest + HOUR != hour:
        told = f"the newest candle that the exchange has sent closed at {newest + HOUR:%Y-%m-%d %H:%M} UTC"
        return Hole(hour, "stale", told)
    if served is None:
        return Hole(hour, "no_model", "no model is published, or it is damaged")
    manifest = served.manifest
    try:
        champion = Champion(
            manifest, served.onnx_model, Widths.read(widths, f"{pair} {manifest.version}"), served.baseline_onnx
        )
        forecast = champion.forecast(klines)
        if forecast.stand_in:
            log.warning("%s: the baseline stands in: %s", pair, forecast.stand_in)
        return rows_of(forecast, recipe_id({} if forecast.stand_in else manifest.recipe))
    except MakeUsRichError as exc:
        return Hole(hour, "cannot", str(exc))


def keep_record(
    stored_live_record: pd.DataFrame, issued: Issue, klines: pd.DataFrame, monitoring: MonitoringParameters
) -> pd.DataFrame:
    """The live record with this hour's forecast, and with the closes that have come since the last run.

    Args:
        stored_live_record: What earlier hours have issued, possibly nothing.
        issued: This hour's; one that is there already changes nothing.
        klines: Clean candles.
        monitoring: How long forecasts are kept.
    """
    record = fill_outcomes(append(stored_live_record, issued.rows), klines)
    return keep_newest(record, issued.now, monitoring.keep_days)


def keep_holes(
    stored_live_holes: pd.DataFrame,
    live_record: pd.DataFrame,
    issued: Issue,
    attempts: dict[str, Any],
    monitoring: MonitoringParameters,
    run: RunContext,
) -> pd.DataFrame:
    """The hours without a forecast, each with its reason; those that nobody can explain say so.

    Args:
        stored_live_holes: Those that are known, possibly none.
        live_record: With this hour's forecast.
        issued: What became of this hour.
        attempts: When runs of this pipeline began and how they ended.
        monitoring: How long holes are kept.
        run: For the log.
    """
    earlier = [each for each in read_attempts(attempts, run.pair.name) if each.began < run.started_at]
    past = Log(earlier, issued.now - issued.noted_at)
    moments = datetimes(live_record["issued_at"].drop_duplicates())
    holes = update_holes(stored_live_holes, moments, issued.hole, past, issued.now)
    new = holes[~holes["hour"].isin(stored_live_holes["hour"])] if len(stored_live_holes) else holes
    for hole in new.itertuples():
        log.info("%s: no forecast of %s: %s", run.pair, hole.hour, hole.reason)
    return holes[holes["hour"] > pd.Timestamp(issued.now) - pd.Timedelta(days=monitoring.keep_days)]
