"""Past forecasts with their outcomes: as the hourly monitoring has recorded them, else from a backtest."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from make_us_rich.backtest.scores import coverage
from make_us_rich.client.schemas import PastForecast, PastForecasts, Utc
from make_us_rich.domain.errors import ArtifactError, MakeUsRichError
from make_us_rich.domain.forecast import HORIZON, QUANTILE_LEVELS, scored_positions
from make_us_rich.domain.klines import HOUR
from make_us_rich.domain.live import LiveScores, RecentForecasts
from make_us_rich.inference.champion import Champion
from make_us_rich.inference.past import HISTORY_DAYS, past_forecasts
from make_us_rich.klines.frame import datetimes
from make_us_rich.monitoring.live_record import QUANTILES
from make_us_rich.repository import ModelRepository
from serving.errors import ServingError
from serving.forecasts.candles import CandleCache, Candles
from serving.forecasts.models import ModelCache
from serving.forecasts.prediction import round_prices

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

Record = TypeVar("Record", LiveScores, RecentForecasts)
Moment = Annotated[Utc | None, Field(description="Of the issue, UTC; with either, a span of the record is listed")]

MIN_OUTCOMES = 20
"""Fewer outcomes of the served architecture give no coverage."""
REFRESH_SECONDS = 60.0

_NOTES = {
    "recorded": "recorded: as served at the time, each by the champion of its hour",
    "backtest": (
        "backtest: made afterwards by the recipe that is served now, with its present calibration, on out-of-sample"
        " candles; nothing was recorded at the time"
    ),
}
_INTERVALS = {"50": (0.25, 0.75), "80": (0.1, 0.9), "90": (0.05, 0.95)}


@dataclass(frozen=True)
class ForecastTable:
    """Past forecasts of one pair, oldest first. Arrays take a quarter of the memory of objects."""

    issued_at: tuple[datetime, ...]
    versions: tuple[str, ...]
    architectures: tuple[str, ...]
    last_closes: NDArray[np.float64]
    """Quote currency, ``[forecast]``."""
    levels: tuple[float, ...]
    quantiles: NDArray[np.float64]
    """Prices in quote currency, ``[forecast, horizon, level]``."""
    closes: Mapping[datetime, float]
    """Outcomes in quote currency by closing time, UTC."""

    def with_outcome(self, now: datetime, horizon: int) -> list[int]:
        """Forecasts of the last days whose outcome at the horizon is known, as positions."""
        oldest, span = now - timedelta(days=HISTORY_DAYS), horizon * HOUR
        return [row for row, at in enumerate(self.issued_at) if at >= oldest and at + span in self.closes]


class Span(BaseModel):
    """A part of the live record: forecasts from ``start`` on and before ``end``, at one horizon or at each."""

    horizon: int | None = Field(None, ge=1, le=HORIZON, description="Hours ahead: 1, and in files each")
    start: Moment = None
    end: Moment = None
    limit: int = Field(1_000, ge=1, le=2_500, description="Forecasts of a page")


class ForecastHistory:
    """Live scores and past forecasts by pair; what cannot be read leaves what was read before.

    A backtest runs once for each champion and candle.
    """

    def __init__(
        self,
        repository: ModelRepository,
        models: ModelCache,
        candles: CandleCache,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.scores: Mapping[str, LiveScores] = {}
        """By pair, where the monitoring has written some."""
        self._repository = repository
        self._models = models
        self._candles = candles
        self._monotonic = monotonic
        self._record_lock, self._backtest_lock = Lock(), Lock()
        self._next_refresh = 0.0
        self._recorded: dict[str, tuple[datetime, ForecastTable]] = {}
        self._backtests: dict[str, tuple[Champion, datetime, ForecastTable]] = {}
        self._problems: dict[str, str] = {}

    def refresh(self) -> None:
        """Read the scores again, at most once a minute."""
        if self._monotonic() < self._next_refresh:
            return
        self._next_refresh = self._monotonic() + REFRESH_SECONDS
        found = {pair: self._read(LiveScores, pair, "live_scores") for pair in self._repository.pairs}
        self.scores = {**self.scores, **{pair: scores for pair, scores in found.items() if scores}}

    def recent(self, pair: str) -> ForecastTable | None:
        """The forecasts of the last days, read again after each run of the monitoring; None if there are none."""
        scores = self.scores.get(pair)
        if scores is None or not scores.n_forecasts:
            return None
        with self._record_lock:
            at, table = self._recorded.get(pair, (None, None))
            if at != scores.at and (recent := self._read(RecentForecasts, pair, "live_recent")) and recent.forecasts:
                table = ForecastTable(
                    issued_at=tuple(each.issued_at for each in recent.forecasts),
                    versions=tuple(each.version for each in recent.forecasts),
                    architectures=tuple(each.architecture for each in recent.forecasts),
                    last_closes=np.array([each.last_close for each in recent.forecasts]),
                    levels=recent.levels,
                    quantiles=np.array([each.quantiles for each in recent.forecasts]),
                    closes=recent.closes,
                )
                self._recorded[pair] = scores.at, table
            return table

    def cut(self, pair: str, span: Span) -> tuple["pa.Table", datetime | None]:
        """A span of the live record, oldest first, and when the next one starts; slow, and 100 MB for a moment.

        Raises:
            ArtifactError: The record is damaged.
            ServingError: Nothing is recorded.
            StorageError: The store failed.
        """
        import pyarrow as pa  # 35 MB
        from pyarrow import compute, parquet

        with self._record_lock:
            content = self._repository.read(f"{pair}.stored_live_record")
            if content is None:
                raise ServingError("no_forecast", f"{pair}: no forecast is recorded", "wait for the next hourly run")
            ends = (span.start or datetime.min.replace(tzinfo=UTC), span.end or datetime.max.replace(tzinfo=UTC))
            start, end = (pa.scalar(each, pa.timestamp("ms", "UTC")) for each in ends)
            issued_at = compute.field("issued_at")
            chosen = (issued_at >= start) & (issued_at < end)
            if span.horizon:
                chosen &= compute.field("horizon") == span.horizon
            try:
                table = parquet.read_table(pa.BufferReader(content), filters=chosen, use_threads=False)
            except (pa.ArrowInvalid, OSError) as exc:
                raise ArtifactError(f"{pair}: the live record is damaged ({exc})", "restore it from a backup") from exc
        times = table["issued_at"].unique()
        if len(times) <= span.limit:
            return table, None
        return table.filter(issued_at < times[span.limit]), times[span.limit].as_py()

    def _read(self, kind: type[Record], pair: str, name: str) -> Record | None:
        dataset = f"{pair}.{name}"
        try:
            record = kind.read(self._repository.find(dataset) or {}, pair)
        except MakeUsRichError as exc:
            if self._problems.get(dataset) != str(exc):
                log.warning("%s; using what was read before", exc)
            self._problems[dataset] = str(exc)
            return None
        self._problems.pop(dataset, None)
        return record

    def at(self, pair: str, horizon: int) -> PastForecasts | None:
        """Past forecasts at one horizon whose outcome is known; None without a champion or candles.

        A backtest takes a moment, so do not call this on the event loop.
        """
        model, candles = self._models.get(pair), self._candles.get(pair)
        if model is None or candles is None:
            return None
        manifest, rows = model.manifest, list[int]()
        source: Literal["recorded", "backtest"] = "recorded"
        table = self.recent(pair) if self._models.snapshot.as_of is None else None
        if table:
            table = replace(table, closes={**_closes(candles), **table.closes})
            rows = table.with_outcome(candles.closed_at, horizon)
        if table is None or not rows:
            source, table = "backtest", self._backtest(model.champion, candles)
            rows = table.with_outcome(candles.closed_at, horizon)
        forecasts = [
            PastForecast(
                issued_at=table.issued_at[row],
                closes_at=table.issued_at[row] + horizon * HOUR,
                last_close=float(table.last_closes[row]),
                quantiles=round_prices(table.quantiles[row, horizon - 1]),
                outcome=table.closes[table.issued_at[row] + horizon * HOUR],
            )
            for row in rows
        ]
        served = [
            each for each, row in zip(forecasts, rows, strict=True) if table.architectures[row] == manifest.architecture
        ]
        return PastForecasts(
            pair=pair,
            simulated=self._candles.simulated,
            version=table.versions[-1] if table.versions else manifest.version,
            source=source,
            note=_NOTES[source],
            horizon=horizon,
            levels=list(table.levels),
            coverage=_coverage(served, table.levels),
            forecasts=forecasts,
        )

    def recorded(self, pair: str, span: Span, version: str) -> PastForecasts:
        """A span of the live record at one horizon, by default the next hour; errors as of ``cut``."""
        horizon = span.horizon or 1
        table, next_start = self.cut(pair, span.model_copy(update={"horizon": horizon}))
        rows = table.select(["issued_at", "closes_at", "version", "last_close", "outcome", *QUANTILES]).to_pylist()
        forecasts = [
            PastForecast(**row, quantiles=round_prices(np.array([row[name] for name in QUANTILES]))) for row in rows
        ]
        return PastForecasts(
            pair=pair,
            simulated=self._candles.simulated,
            version=rows[-1]["version"] if rows else version,
            source="recorded",
            note=_NOTES["recorded"],
            horizon=horizon,
            levels=list(QUANTILE_LEVELS),
            coverage=_coverage(forecasts, QUANTILE_LEVELS),
            forecasts=forecasts,
            next_start=next_start,
        )

    def _backtest(self, champion: Champion, candles: Candles) -> ForecastTable:
        pair = champion.manifest.pair
        with self._backtest_lock:
            done = self._backtests.get(pair)
            if done is None or done[0] is not champion or done[1] != candles.closed_at:
                done = self._backtests[pair] = champion, candles.closed_at, run_backtest(champion, candles)
            return done[2]


def _coverage(forecasts: list[PastForecast], levels: tuple[float, ...]) -> dict[str, float | None]:
    """Share of the known outcomes within each interval; None below ``MIN_OUTCOMES``."""
    known = [each for each in forecasts if each.outcome is not None]
    if len(known) < MIN_OUTCOMES:
        return dict.fromkeys(_INTERVALS)
    outcomes, quantiles = np.array([each.outcome for each in known]), np.array([each.quantiles for each in known])
    return {
        name: float(coverage(outcomes, *(quantiles[:, levels.index(level)] for level in interval)))
        for name, interval in _INTERVALS.items()
    }


def _closes(candles: Candles) -> Mapping[datetime, float]:
    opened = datetimes(candles.frame["timestamp"])
    return {at + HOUR: close for at, close in zip(opened, candles.frame["close"].tolist(), strict=True)}


def run_backtest(champion: Champion, candles: Candles) -> ForecastTable:
    """Forecasts from each candle of the last days: those of the backtest before the fit, and the model's own since."""
    manifest, closes = champion.manifest, _closes(candles)
    past = past_forecasts(champion, candles.frame, HISTORY_DAYS, horizon=1)["close"]
    opens, quantiles = past.opens, past.quantiles[:, :, scored_positions(past.levels)]
    if (before := champion.past) is not None and len(before.quantiles):
        opens = np.concatenate([before.opens[-len(before.quantiles) :], opens])
        quantiles = np.concatenate([before.quantiles, quantiles])
    issued_at = tuple(at + HOUR for at in pd.DatetimeIndex(opens, tz="UTC").to_pydatetime())
    known = [row for row, at in enumerate(issued_at) if at in closes]
    issued_at, quantiles = tuple(issued_at[row] for row in known), quantiles[known]
    last_closes = np.array([closes[at] for at in issued_at])
    returns = champion.calibrate({"close": quantiles}, QUANTILE_LEVELS)["close"]
    return ForecastTable(
        issued_at=issued_at,
        versions=(manifest.version,) * len(issued_at),
        architectures=(manifest.architecture,) * len(issued_at),
        last_closes=last_closes,
        levels=QUANTILE_LEVELS,
        quantiles=last_closes[:, None, None] * np.exp(returns.astype(np.float64)),
        closes=closes,
    )
