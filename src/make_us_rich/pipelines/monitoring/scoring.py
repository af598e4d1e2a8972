"""Nodes of the monitoring pipeline that tell how good the forecasts were."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS
from make_us_rich.domain.live import ALL, Drift, LiveForecast, LiveHole, LiveRecent, LiveScores, LiveWindow, Standing
from make_us_rich.domain.published import Published
from make_us_rich.domain.run import RunContext
from make_us_rich.features.feature_set import compute_features
from make_us_rich.live import drift
from make_us_rich.live.holes import UNEXPLAINED
from make_us_rich.live.record import CAME, QUANTILES
from make_us_rich.live.scores import live_through, score_windows
from make_us_rich.pipelines.monitoring.issuing import Issue
from make_us_rich.pipelines.monitoring.parameters import MonitoringParameters

log = logging.getLogger(__name__)

_NEWEST_HOLES = 20
_DIGITS = 8
_TOLD = (ALL, 1, 4, HORIZON)
_SCORES = ("skill", "crps", "coverage_50", "coverage_80", "coverage_90")


def measure_drift(
    served_model: Published | None, klines: pd.DataFrame, monitoring: MonitoringParameters, run: RunContext
) -> dict[str, Any]:
    """The newest inputs against those that the champion was fitted on; the record is what ``Drift`` reads.

    Args:
        served_model: The champion.
        klines: Clean candles.
        monitoring: How many days are looked at, and what counts as drifted.
        run: For the log.
    """
    if served_model is None:
        return Drift(rows=0, stretches=0, reason="no model is published").model_dump(mode="json")
    manifest = served_model.manifest
    rows = compute_features(manifest.feature_set, klines).dropna()
    until = pd.Timestamp(manifest.trained_until or manifest.data.end)
    training = rows[(rows.index >= pd.Timestamp(manifest.data.start)) & (rows.index <= until)]
    recent = rows[rows.index > until].tail(24 * monitoring.drift.days)
    found = drift.measure(training, recent, monitoring.drift)
    if found.drifted:
        log.warning("%s: the inputs have drifted: %s", run.pair, found.reason)
    return found.model_dump(mode="json")


def score_live(live_record: pd.DataFrame, issued: Issue, monitoring: MonitoringParameters) -> tuple[LiveWindow, ...]:
    """Scores over the last days, by horizon, the baseline's beside them.

    Args:
        live_record: The record.
        issued: For the time.
        monitoring: Over how many days.
    """
    return score_windows(live_through(live_record), issued.now, monitoring.windows)


def tell_scores(
    live_record: pd.DataFrame,
    live_holes: pd.DataFrame,
    live_windows: tuple[LiveWindow, ...],
    drift: dict[str, Any],
    standing: Standing,
    issued: Issue,
    run: RunContext,
) -> dict[str, Any]:
    """Everything but the forecasts themselves, as API, interface and alerts read it; see ``LiveScores``."""
    newest = live_record[live_record["issued_at"] == live_record["issued_at"].max()].iloc[:1].to_dict("records")
    last = newest[0] if newest else dict.fromkeys(("version", "architecture", "issued_at"))
    came = (live_record["state"] == CAME).groupby(live_record["issued_at"]).all()
    unexplained = live_holes[live_holes["kind"] == UNEXPLAINED]
    if len(unexplained):
        log.error("%s: %d hours without a forecast that nothing explains", run.pair, len(unexplained))
    scores = LiveScores(
        pair=run.pair.name,
        at=issued.now,
        noted_at=issued.noted_at,
        newest_candle=issued.newest_candle,
        **{name: last[name] for name in ("version", "architecture", "issued_at")},
        issued=len(came),
        scored=int(came.sum()),
        holes=len(live_holes),
        unexplained=len(unexplained),
        newest_holes=tuple(_hole(row) for row in live_holes.tail(_NEWEST_HOLES).to_dict("records")),
        windows=live_windows,
        drift=Drift.model_validate(drift),
        standing=standing,
    )
    return scores.model_dump(mode="json")


def _hole(row: dict[Any, Any]) -> LiveHole:
    return LiveHole(hour=row["hour"], kind=row["kind"], reason=row["reason"])


def tell_recent(
    live_record: pd.DataFrame, klines: pd.DataFrame, issued: Issue, monitoring: MonitoringParameters, run: RunContext
) -> dict[str, Any]:
    """The forecasts of the last days and what came, compactly, for API and interface; see ``LiveRecent``."""
    since = pd.Timestamp(issued.now) - pd.Timedelta(days=monitoring.recent_days)
    recent = live_record[live_record["issued_at"] > since]
    came = klines[klines["timestamp"] >= since]
    closed = came["timestamp"] + pd.Timedelta(hours=1)
    told = LiveRecent(
        pair=run.pair.name,
        levels=QUANTILE_LEVELS,
        forecasts=tuple(_forecast(rows) for _, rows in recent.groupby("issued_at")),
        closes=dict(zip(closed.dt.to_pydatetime(), map(_rounded, came["close"]), strict=True)),
    )
    return told.model_dump(mode="json")


def _forecast(rows: pd.DataFrame) -> LiveForecast:
    ordered = rows.sort_values("horizon")
    first = ordered.iloc[0]
    return LiveForecast(
        issued_at=first["issued_at"],
        version=first["version"],
        architecture=first["architecture"],
        last_close=_rounded(first["last_close"]),
        quantiles=tuple(tuple(map(_rounded, row)) for row in ordered[list(QUANTILES)].to_numpy()),
    )


def _rounded(price: float) -> float:
    return float(f"{price:.{_DIGITS}g}")


def record_live(live_scores: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Live skill and coverage, holes and drift as metrics of the run."""
    told = LiveScores.model_validate(live_scores)
    metrics = {f"live_{name}": value for window in told.windows for name, value in _metrics(window).items()}
    metrics |= {"live_holes": told.holes, "live_unexplained_holes": told.unexplained, "live_issued": told.issued}
    if told.drift.psi is not None:
        metrics["live_drift_psi"] = told.drift.psi
    return {name: {"value": float(value), "step": 0} for name, value in metrics.items() if np.isfinite(value)}


def _metrics(window: LiveWindow) -> dict[str, float]:
    rows = [window.whole, *window.horizons]
    found = {
        f"{score}_{'mean' if row.horizon == ALL else f'{row.horizon}h'}_{window.days}d": getattr(row, score)
        for row in rows
        if row.horizon in _TOLD
        for score in _SCORES
    }
    return {name: value for name, value in found.items() if value is not None}
