"""Nodes of the monitoring pipeline: the hour's forecast, the live record, scores and drift."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from pydantic import Field

from make_us_rich.domain import live
from make_us_rich.domain.conformal import ConformalScales
from make_us_rich.domain.errors import MakeUsRichError
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.frozen import FrozenModel
from make_us_rich.domain.klines import HOUR, hour_of
from make_us_rich.domain.manifest import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.domain.run_log import MONITORING, read_runs
from make_us_rich.features.registry import compute_features
from make_us_rich.inference.champion import Champion
from make_us_rich.klines.frame import datetimes
from make_us_rich.models.registry import config_hash
from make_us_rich.monitoring import drift as drift_test
from make_us_rich.monitoring.live_record import OBSERVED, QUANTILES, append_forecast, fill_outcomes, forecast_rows
from make_us_rich.monitoring.missed_forecasts import UNEXPLAINED, update_missed
from make_us_rich.monitoring.scores import DemotionRules, score_window

log = logging.getLogger(__name__)

_MLFLOW_SCORES = ("skill", "high_skill", "low_skill", "crps", "coverage_50", "coverage_80", "coverage_90")


class MonitoringParameters(FrozenModel):
    """``params:monitoring``: the live record and what is computed from it.

    Attributes:
        retention_days: Forecasts and missed forecasts are retained so long.
        recent_days: Forecasts of the last so many days are what API and interface show.
        window_days: Days over which scores are computed.
        drift: When inputs count as drifted.
        demotion: When the champion is demoted.
    """

    retention_days: int = Field(ge=1)
    recent_days: int = Field(ge=2)
    window_days: tuple[int, ...] = Field(min_length=1)
    drift: drift_test.DriftRules
    demotion: DemotionRules


@dataclass(frozen=True)
class Issued:
    """The hour's forecast as rows of the live record, or why it was missed; ``now`` is the time of the exchange."""

    now: datetime
    recorded_at: datetime
    newest_candle: datetime
    simulated: bool
    rows: pd.DataFrame | None = None
    missed: live.MissedForecast | None = None


def issue_forecast(
    served_model: Published | None,
    conformal_scales: dict[str, Any],
    klines: pd.DataFrame,
    fetch_info: dict[str, Any],
    run: RunContext,
) -> Issued:
    """Forecast with the champion from the newest closed candle, or say why that is not possible.

    A forecast belongs to the current hour of the exchange's clock. It is never issued for another hour, so the record
    holds nothing that could have been known to its issuer.
    """
    fetched, recorded_at = datetime.fromisoformat(fetch_info["now"]), run.clock()
    # At least so much time has passed since the fetch as since the run began.
    now, hour = fetched + (recorded_at - run.started_at), hour_of(fetched)
    newest, simulated = datetimes(klines["timestamp"].tail(1))[0], fetch_info["simulated"]
    if hour_of(now) != hour:
        kind, reason = "slow", f"the run took until {now:%Y-%m-%d %H:%M} UTC, when the hour was over"
    elif newest + HOUR != hour:
        kind, reason = "stale", f"the newest candle of the exchange closed at {newest + HOUR:%Y-%m-%d %H:%M} UTC"
    elif served_model is None:
        kind, reason = "no_model", "no model is published, or it is damaged"
    else:
        try:
            manifest = served_model.manifest
            scales = ConformalScales.read(conformal_scales, f"{manifest.pair} {manifest.version}")
            champion = Champion(manifest, served_model.onnx_model, scales, served_model.baseline_onnx)
            forecast = champion.forecast(klines)
            if forecast.fallback:
                log.warning("%s: fallback to the baseline: %s", run.pair, forecast.fallback)
            rows = forecast_rows(forecast, config_hash({} if forecast.fallback else manifest.recipe))
            return Issued(now, recorded_at, newest, simulated, rows)
        except MakeUsRichError as exc:
            kind, reason = "cannot", str(exc)
    log.warning("%s: no forecast at %s UTC: %s", run.pair, f"{hour:%Y-%m-%d %H:%M}", reason)
    return Issued(now, recorded_at, newest, simulated, missed=live.MissedForecast(hour=hour, kind=kind, reason=reason))


def update_live_record(
    stored_live_record: pd.DataFrame, issued: Issued, klines: pd.DataFrame, monitoring: MonitoringParameters
) -> pd.DataFrame:
    """Add the hour's forecast and the outcomes observed since the last run; drop the forecasts that are too old."""
    record = fill_outcomes(append_forecast(stored_live_record, issued.rows), klines)
    since = pd.Timestamp(issued.now) - pd.Timedelta(days=monitoring.retention_days)
    return record[record["issued_at"] > since].reset_index(drop=True)


def update_missed_forecasts(
    stored_missed_forecasts: pd.DataFrame,
    live_record: pd.DataFrame,
    issued: Issued,
    runs: dict[str, Any],
    monitoring: MonitoringParameters,
    run: RunContext,
) -> pd.DataFrame:
    """Add the forecasts that were missed since the last run, each with its reason."""
    pair = run.pair.name
    pipeline = MONITORING.format(pair=pair)
    earlier = [each for each in read_runs(runs, pair) if each.pipeline == pipeline and each.started < run.started_at]
    hours = datetimes(live_record["issued_at"].drop_duplicates())
    ahead = issued.now - issued.recorded_at
    missed = update_missed(stored_missed_forecasts, hours, issued.missed, earlier, issued.now, ahead)
    new = missed[~missed["hour"].isin(stored_missed_forecasts["hour"])] if len(stored_missed_forecasts) else missed
    for each in new.itertuples():
        log.info("%s: no forecast at %s: %s", run.pair, each.hour, each.reason)
    return missed[missed["hour"] > pd.Timestamp(issued.now) - pd.Timedelta(days=monitoring.retention_days)]


def measure_drift(
    served_model: Published | None, klines: pd.DataFrame, monitoring: MonitoringParameters, run: RunContext
) -> dict[str, Any]:
    """Compare the newest inputs with those that the champion was fitted on."""
    if served_model is None:
        return live.Drift(n_rows=0, n_windows=0, reason="no model is published").model_dump(mode="json")
    manifest = served_model.manifest
    rows = compute_features(manifest.feature_set, klines).dropna()
    until = pd.Timestamp(manifest.trained_until or manifest.data.end)
    # The fit has seen the newest hours too: they are compared with those before them.
    newest = 24 * monitoring.drift.window_days
    older, recent = rows.iloc[:-newest], rows.iloc[-newest:]
    training = older[(older.index >= pd.Timestamp(manifest.data.start)) & (older.index <= until)]
    found = drift_test.measure_drift(training, recent, monitoring.drift)
    if found.drifted:
        log.warning("%s: the inputs have drifted: %s", run.pair, found.reason)
    return found.model_dump(mode="json")


def score_live(
    live_record: pd.DataFrame, served_model: Published | None, issued: Issued, monitoring: MonitoringParameters
) -> tuple[tuple[live.WindowScores, ...], ...]:
    """Score the forecasts of the champion's recipe over the last days, and all that were served, the public record."""
    records = [live_record, live_record]
    if served_model is not None:
        records[0] = live_record[live_record["recipe"] == config_hash(served_model.manifest.recipe)]
    return tuple(tuple(score_window(record, issued.now, days) for days in monitoring.window_days) for record in records)


def build_live_scores(
    live_record: pd.DataFrame,
    missed_forecasts: pd.DataFrame,
    live_windows: tuple[live.WindowScores, ...],
    served_windows: tuple[live.WindowScores, ...],
    drift: dict[str, Any],
    champion_status: live.ChampionStatus,
    issued: Issued,
    run: RunContext,
) -> dict[str, Any]:
    """Collect everything but the forecasts themselves; a ``LiveScores`` as a dictionary."""
    columns = ["version", "architecture", "issued_at"]
    newest: list[Any] = live_record.sort_values("issued_at")[columns].tail(1).to_dict("records")
    complete = (live_record["state"] == OBSERVED).groupby(live_record["issued_at"]).all()
    n_unexplained = int((missed_forecasts["kind"] == UNEXPLAINED).sum())
    if n_unexplained:
        log.error("%s: %d missed forecasts are unexplained", run.pair, n_unexplained)
    missed = missed_forecasts.sort_values("hour")[["hour", "kind", "reason"]].to_dict("records")
    scores = live.LiveScores(
        pair=run.pair.name,
        at=issued.now,
        recorded_at=issued.recorded_at,
        newest_candle=issued.newest_candle,
        simulated=issued.simulated,
        **(newest[0] if newest else dict.fromkeys(columns)),
        n_forecasts=len(complete),
        n_scored=int(complete.sum()),
        n_missed=len(missed_forecasts),
        n_unexplained=n_unexplained,
        missed=tuple(live.MissedForecast.model_validate(each) for each in missed),
        windows=live_windows,
        served=served_windows,
        drift=live.Drift.model_validate(drift),
        champion_status=champion_status,
    )
    return scores.model_dump(mode="json")


def build_recent_forecasts(
    live_record: pd.DataFrame, klines: pd.DataFrame, issued: Issued, monitoring: MonitoringParameters, run: RunContext
) -> dict[str, Any]:
    """Collect the forecasts of the last days and the observed closes; a ``RecentForecasts`` as a dictionary."""
    since = pd.Timestamp(issued.now) - pd.Timedelta(days=monitoring.recent_days)
    recent = live_record[live_record["issued_at"] > since].sort_values("horizon")
    candles = klines[klines["timestamp"] >= since]
    closed = (candles["timestamp"] + HOUR).dt.to_pydatetime()
    report = live.RecentForecasts(
        pair=run.pair.name,
        levels=QUANTILE_LEVELS,
        forecasts=tuple(
            live.LiveForecast(
                issued_at=rows["issued_at"].iloc[0],
                version=rows["version"].iloc[0],
                architecture=rows["architecture"].iloc[0],
                last_close=_rounded(rows["last_close"].iloc[0]),
                quantiles=tuple(tuple(map(_rounded, row)) for row in rows[list(QUANTILES)].to_numpy()),
            )
            for _, rows in recent.groupby("issued_at")
        ),
        closes=dict(zip(closed, map(_rounded, candles["close"]), strict=True)),
    )
    return report.model_dump(mode="json")


def _rounded(price: float) -> float:
    return float(f"{price:.8g}")


def build_live_metrics(live_scores: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Live scores, missed forecasts and drift as MLflow metrics of the run."""
    scores = live.LiveScores.model_validate(live_scores)
    metrics: dict[str, float | None] = {
        "live_forecasts": scores.n_forecasts,
        "live_missed_forecasts": scores.n_missed,
        "live_unexplained_missed_forecasts": scores.n_unexplained,
        "live_drift_psi": scores.drift.psi,
    }
    for window in scores.windows:
        for row in (window.overall, *window.horizons):
            if row.horizon in (live.ALL_HORIZONS, 1, 4, HORIZON):
                at = "mean" if row.horizon == live.ALL_HORIZONS else f"{row.horizon}h"
                metrics |= {f"live_{name}_{at}_{window.days}d": getattr(row, name) for name in _MLFLOW_SCORES}
    return {name: {"value": float(value), "step": 0} for name, value in metrics.items() if value is not None}
