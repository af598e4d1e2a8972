"""Nodes of fetching: request what is missing, then check."""

import logging
from datetime import datetime, timedelta
from typing import Any, Protocol

import pandas as pd
from pydantic import Field

from make_us_rich.domain.errors import DataError
from make_us_rich.domain.klines import HOUR, hour_of
from make_us_rich.domain.pair import Pair
from make_us_rich.domain.run import RunContext
from make_us_rich.klines.frame import datetimes, merge_klines
from make_us_rich.klines.incremental import annotate, find_corrections, missing_spans
from make_us_rich.klines.quality import check_candles
from make_us_rich.klines.report import Cause
from make_us_rich.klines.rules import FetchInfo, QualityRules

logger = logging.getLogger(__name__)


class FetchingParameters(QualityRules):
    """What candles must satisfy (see `QualityRules`), and when the run stops.

    Attributes:
        min_candles: With fewer usable candles the run stops.
    """

    min_candles: int = Field(ge=1)


class Exchange(Protocol):
    """What fetching needs of `make_us_rich.exchange.BinanceClient`."""

    simulated: bool

    def now(self) -> datetime:
        """The exchange's clock, UTC."""

    def klines(self, pair: Pair, start: datetime, end: datetime) -> pd.DataFrame:
        """Closed candles that open in ``[start, end)``."""

    def status(self, pair: Pair) -> str:
        """The pair's status, such as ``TRADING``."""


def fetch_missing(
    exchange: Exchange,
    stored_klines: pd.DataFrame,
    history_days: int,
    run: RunContext,
    parameters: FetchingParameters,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Request the candles that are not stored yet, and add them.

    The pair's status is requested only where candles are too few or not fresh.

    Returns:
        All candles, stored and new, and a `FetchInfo` as a JSON record.

    Raises:
        DataError: The exchange offers another market than the one that is stored.
    """
    name, now = run.pair.name, exchange.now()
    end = hour_of(now)
    start = end - timedelta(days=history_days)
    spans = missing_spans(stored_klines, start, end)
    fetched = merge_klines(*(exchange.klines(run.pair, *span) for span in spans))
    simulated = exchange.simulated
    corrected = find_corrections(stored_klines, fetched, name, simulated=simulated)
    if corrected:
        message = "%s: the exchange has corrected %d stored candles from %s on"
        logger.warning(message, name, len(corrected), corrected[0])
    klines = merge_klines(stored_klines, fetched)
    fresh = len(klines) and datetimes(klines["timestamp"].tail(1))[0] >= end - HOUR
    status = None if fresh and len(klines) >= parameters.min_training_candles else exchange.status(run.pair)
    info = FetchInfo(now=now, start=start, simulated=simulated, status=status, corrected=corrected)
    return annotate(klines, stored_klines, start, simulated=simulated), info.model_dump(mode="json")


def check_klines(
    raw_klines: pd.DataFrame, fetch_info: dict[str, Any], run: RunContext, parameters: FetchingParameters
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Remove unusable candles, and report what was found.

    Returns:
        Clean candles, and the data report as a JSON record.

    Raises:
        DataError: The pair is delisted, or too few candles are usable.
    """
    klines, report = check_candles(raw_klines, run.pair, FetchInfo.model_validate(fetch_info), parameters)
    name = run.pair.name.upper()
    if report.cause is Cause.DELISTED:
        last = "none" if report.last is None else f"{report.last:%Y-%m-%d %H:%M} UTC"
        message = f"{name}: the pair is delisted, its last candle is {last}"
        raise DataError(message, report.remedy)
    if len(klines) < parameters.min_candles:
        needed = f"at least {parameters.min_candles} are needed (`fetching.min_candles`)"
        message = f"{name}: {report.rows_out} of {report.rows_in} fetched candles are usable, {needed}"
        raise DataError(message, report.remedy)
    logger.info(report.summary)
    for reason in report.reasons:
        logger.warning(reason)
    return klines, report.model_dump(mode="json")
